"""load_runs and load_episodes: what they give, and from broken or unfinished records."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pgbench.errors import UserError
from pgbench.runs.records import EPISODES, EPISODES_FILE, METRICS, METRICS_FILE, STATUS, TIMES_FILE
from reports import load_episodes, load_runs, load_seeds

Write = Callable[..., Path]


def test_runs_have_a_row_a_record_with_identity_and_time(write: Write, tmp_path: Path) -> None:
    write("trpo", 3, [20.0, 1 / 3])
    runs = load_runs(tmp_path)
    assert len(runs) == 2
    expected = {"algorithm": "trpo", "env": "CartPole-v1", "hyperparameters": "default", "seed": 3, "status": "done"}
    assert {key: runs[key][1] for key in expected} == expected
    assert set(METRICS) | {"seconds", "job", "label", "total_steps"} <= set(runs.columns)
    assert runs["iteration"].tolist() == [1, 2]
    assert runs["env_steps"].tolist() == [25_000, 50_000]
    assert runs["episode_return"].tolist() == pytest.approx([20.0, 1 / 3])
    assert runs["seconds"].tolist() == [0.5, 1.0]
    assert runs["explained_variance"].isna().all()
    assert runs["env_steps"].dtype == np.int64


def test_episodes_have_a_row_an_episode(write: Write, tmp_path: Path) -> None:
    write("vpg", 1, [20.0, 30.0])
    episodes = load_episodes(tmp_path)
    assert set(EPISODES) | {"algorithm", "env", "seed", "job"} <= set(episodes.columns)
    assert episodes["episode_return"].tolist() == [20.0, 30.0]


def test_several_directories_and_a_single_job_or_seed_can_be_read(write: Write, tmp_path: Path) -> None:
    one = write("vpg", 0, root=tmp_path / "a")
    write("npg", 0, root=tmp_path / "b")
    assert load_runs([tmp_path / "a", str(tmp_path / "b")])["algorithm"].unique().tolist() == ["vpg", "npg"]
    assert len(load_runs(one.parent)) == len(load_runs(one)) == 4


def test_a_directory_given_twice_counts_once(write: Write, tmp_path: Path) -> None:
    directory = write()
    assert len(load_runs([tmp_path, directory.parent, tmp_path])) == 4


def test_a_run_that_lies_twice_is_refused(write: Write, tmp_path: Path) -> None:
    write(root=tmp_path / "a", job="same")
    write(root=tmp_path / "b", job="same")
    with pytest.raises(UserError, match="same, seed 0 lies in two places"):
        load_runs(tmp_path)


def test_labels_say_only_what_differs(write: Write, tmp_path: Path) -> None:
    write("vpg", values={"delta": 0.01})
    for delta in (0.1, 0.01, 0.001):
        write("trpo", values={"delta": delta})
    seeds = load_seeds(tmp_path)
    assert seeds["label"].tolist() == ["VPG", "TRPO, delta=0.001", "TRPO, delta=0.01", "TRPO, delta=0.1"]
    assert load_runs(tmp_path)["hyperparameters.delta"].unique().tolist() == [0.01, 0.001, 0.1]
    assert "hyperparameters.hidden" not in seeds


def test_a_named_set_of_values_is_called_by_its_name(write: Write, tmp_path: Path) -> None:
    write("trpo")
    write("trpo", hyperparameters="bracis2019", values={"delta": 0.001, "hidden": [32]})
    seeds = load_seeds(tmp_path)
    assert seeds["label"].tolist() == ["TRPO, bracis2019", "TRPO, default"]
    assert seeds["hyperparameters.hidden"].tolist() == [(32,), (64, 64)]


def test_equal_names_on_two_environments_need_no_more(write: Write, tmp_path: Path) -> None:
    write("trpo")
    write("trpo", env="Acrobot-v1", total_steps=50_000)
    assert load_seeds(tmp_path)["label"].tolist() == ["TRPO", "TRPO"]


@pytest.mark.parametrize("tail", ["5,1250", "5,125000,500,490.0,49", "5,12\n", "\x00\x00\x00"])
@pytest.mark.parametrize("read", [load_runs, load_episodes])
def test_a_torn_last_line_is_dropped(write: Write, tmp_path: Path, tail: str, read) -> None:
    directory = write()
    for name in (METRICS_FILE, EPISODES_FILE, TIMES_FILE):
        with open(directory / name, "a") as file:
            file.write(tail if name != TIMES_FILE else "5")
    assert len(read(tmp_path)) == 4


def test_a_whole_row_without_its_line_end_is_torn_too(write: Write, tmp_path: Path) -> None:
    # The last number may be cut: 490.0 of 490.05.
    path = write() / METRICS_FILE
    path.write_text(path.read_text().rstrip("\n"))
    assert load_runs(tmp_path)["iteration"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("content", ["", ",".join(METRICS), ",".join(METRICS) + "\n"])
def test_a_run_that_has_just_begun_is_no_error(write: Write, tmp_path: Path, content: str) -> None:
    directory = write(seed=0, status="running")
    write(seed=1)
    (directory / METRICS_FILE).write_text(content)
    (directory / EPISODES_FILE).unlink()
    assert load_runs(tmp_path)["seed"].unique().tolist() == [1]
    assert load_episodes(tmp_path)["seed"].unique().tolist() == [1]
    assert load_seeds(tmp_path)["status"].tolist() == ["running", "done"]


def test_runs_without_any_record_give_an_empty_frame(write: Write, tmp_path: Path) -> None:
    (write(returns=[], status="pending") / STATUS).unlink()
    runs = load_runs(tmp_path)
    assert len(runs) == 0
    assert {"algorithm", "episode_return", "seconds"} <= set(runs.columns)
    assert load_seeds(tmp_path)["status"].tolist() == ["pending"]


def test_a_record_without_its_time_is_kept(write: Write, tmp_path: Path) -> None:
    path = write() / TIMES_FILE
    path.write_text("iteration,seconds\n1,0.5\n")
    assert load_runs(tmp_path)["seconds"].isna().tolist() == [False, True, True, True]


def test_errors_are_for_people(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs below it"):
        load_runs(tmp_path)
    with pytest.raises(UserError, match="nowhere: no such directory"):
        load_runs(tmp_path / "nowhere")
    directory = write()
    (directory / METRICS_FILE).write_text("iteration,env_steps\n1,many\n")
    with pytest.raises(UserError, match=r"metrics\.csv: cannot be read"):
        load_runs(tmp_path)
    (directory / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="not the config of a run"):
        load_runs(tmp_path)


def test_forty_runs_are_read_quickly(write: Write, tmp_path: Path) -> None:
    for seed in range(10):
        for algorithm in ("reinforce", "vpg", "npg", "trpo"):
            write(algorithm, seed, np.linspace(9, 500, 100).tolist(), steps=2000)
    start = time.perf_counter()
    assert len(load_runs(tmp_path)) == 4000
    assert time.perf_counter() - start < 2
