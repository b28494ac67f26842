"""load_runs and load_episodes: what they give, and from broken or unfinished records."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgbench.errors import UserError
from pgbench.runs.records import (
    EPISODES,
    EPISODES_FILE,
    EVALUATIONS_FILE,
    METRICS,
    METRICS_FILE,
    STATUS,
    TIMES_FILE,
    write_status,
)
from reports import curves, load_episodes, load_evaluations, load_runs, load_seeds, naming
from reports.load import RecordsWarning, read_measurements

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
    (write() / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match=r"not the config of a run.*no run is left"):
        load_runs(tmp_path)


def damaged(tmp_path: Path) -> tuple[pd.DataFrame, list[str]]:
    """What is read, and the warnings without the place."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = load_runs(tmp_path)
    return runs, [str(one.message).rpartition("/")[2] for one in caught]


@pytest.mark.parametrize(
    ("name", "content", "rows", "warning"),
    [
        (METRICS_FILE, b"iteration,env_steps\n1,10\n2,many\n3,30\n", 1, "line 3 is damaged; the 1 records before it"),
        (METRICS_FILE, b"iteration,env_steps\n1,10\n\x00\x00\x00\x00\n3,30\n", 1, "line 3 is damaged"),
        (METRICS_FILE, b"<html>,of,another\n1,2,3\n", 0, "not a table of records (no column iteration); left out"),
        (METRICS_FILE, b"\xff\xfe\n\x00\n", 0, "not a table of records"),
        (METRICS_FILE, b"", 0, None),
        (METRICS_FILE, b"iteration,env_steps,episodes\n1,10,1\n2,20,\n3,30,3\n", 1, "metrics.csv: line 3 is damaged"),
        (TIMES_FILE, b"iteration,seconds\n1,x\n", 4, "times.csv: line 2 is damaged"),
        (STATUS, b"", 4, "status.json: damaged; the run's records are shown"),
        (STATUS, b"[]", 4, "status.json: damaged"),
        ("config.yaml", b"", None, "config.yaml: not the config of a run"),
        ("config.yaml", b"\x00" * 50, None, "config.yaml: not the config of a run"),
        ("config.yaml", b"format: 3\nconfig: {}\n", None, "config.yaml: format 3, this version reads up to 2"),
        ("provenance.jsonl", b"{}\n{\n{}\n", 4, "provenance.jsonl: line 2 is damaged and left out"),
    ],
)
def test_a_damaged_file_costs_one_warning_that_names_it(
    write: Write, tmp_path: Path, name: str, content: bytes, rows: int | None, warning: str | None
) -> None:
    """The other run is read whole; the hurt one as far as it can be."""
    write(seed=0, format=2)
    (write(seed=1, format=2) / name).write_bytes(content)
    runs, messages = damaged(tmp_path)
    assert (runs["seed"] == 0).sum() == 4
    assert (runs["seed"] == 1).sum() == (rows or 0)
    assert len(messages) == (warning is not None)
    if warning:
        assert warning in messages[0]


def test_a_missing_config_is_told_and_costs_one_run(write: Write, tmp_path: Path) -> None:
    write(seed=0)
    (write(seed=1) / "config.yaml").unlink()
    runs, messages = damaged(tmp_path)
    assert (runs["seed"].tolist(), messages) == ([0] * 4, ["config.yaml: missing; this run is left out"])


def test_runs_that_have_not_begun_are_no_fault(write: Write, tmp_path: Path) -> None:
    """A sweep marks all its runs as pending before it writes their configs."""
    (write(seed=1, returns=[], status="pending") / "config.yaml").unlink()
    with pytest.raises(UserError, match="none of its 1 runs has begun yet"):
        load_runs(tmp_path)
    write(seed=0)
    runs, messages = damaged(tmp_path)
    assert (runs["seed"].unique().tolist(), messages) == ([0], [])


def test_links_nested_roots_and_a_root_reached_twice_show_each_run_once(write: Write, tmp_path: Path) -> None:
    write(seed=0, root=tmp_path / "a" / "deep")
    write(seed=1, root=tmp_path / "b", job="other")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b" / "other")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    for directories in ([tmp_path], [tmp_path / "a"], [tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path]):
        assert sorted(load_seeds(directories)["seed"]) == [0, 1], directories
    assert load_seeds(tmp_path / "b" / "other" / "seed-1")["seed"].tolist() == [1]


def test_both_formats_give_the_same(write: Write, tmp_path: Path) -> None:
    for name, format in (("old", None), ("new", 2)):
        write(root=tmp_path / name, format=format, values={"delta": 0.01}, job="same")
    old, new = (load_runs(tmp_path / name) for name in ("old", "new"))
    pd.testing.assert_frame_equal(old, new)
    assert load_seeds(tmp_path / "new")["provenance"][0] == [{"version": "0.2.0", "time": 1.0, "env_steps": 0}]


def test_own_metrics_are_read_as_they_are(write: Write, tmp_path: Path) -> None:
    (write("ppo") / METRICS_FILE).write_text(
        "iteration,env_steps,episodes,episode_return,clip_fraction\n1,10,1,2.5,0.1\n"
    )
    write("trpo")
    runs = load_runs(tmp_path)
    assert runs["clip_fraction"].notna().tolist() == [False] * 4 + [True]
    assert runs["clip_fraction"].iloc[-1] == 0.1


def test_measurements_of_several_ages_and_of_the_first_format(write: Write, tmp_path: Path) -> None:
    rows = "GAE,,variance,1.5\n"
    (write(seed=0) / "measurements.csv").write_text(f"subject,distance,quantity,value\n{rows}")
    (write(seed=1, format=2, job="new") / "measurements.csv").write_text(
        f"env_steps,subject,distance,quantity,value\n2048,{rows}61440,{rows}"
    )
    write(seed=2)
    table = read_measurements(load_seeds(tmp_path), print)
    assert table[["seed", "env_steps", "value"]].to_numpy().tolist() == [
        [0, 100_000, 1.5],
        [1, 2048, 1.5],
        [1, 61440, 1.5],
    ]


def test_evaluations_are_one_row_per_episode(write: Write, tmp_path: Path) -> None:
    head = "env_steps,episode,return,length,deterministic\n"
    (write(seed=0) / "evaluations.csv").write_text(f"{head}100,0,1.5,10,1\n100,1,2.5,12,1\n200,0,3")
    write(seed=1)
    table = load_evaluations(tmp_path)
    assert table[["seed", "env_steps", "episode", "return", "length", "deterministic"]].to_numpy().tolist() == [
        [0, 100, 0, 1.5, 10, 1],
        [0, 100, 1, 2.5, 12, 1],
    ]
    assert load_evaluations(write(seed=2, root=tmp_path / "none").parent).empty


@pytest.mark.parametrize(
    ("content", "left", "warning"),
    [
        ("env_steps,episode,return,length,deterministic\n100,0,1.5,10,1\n100,1,2.5,,1\n", 1, "line 3 is damaged"),
        ("env_steps,episode,return,deterministic\n100,0,1.5,1\n", 0, "no column length"),
    ],
)
def test_a_damaged_evaluation_costs_its_run_alone(
    write: Write, tmp_path: Path, content: str, left: int, warning: str
) -> None:
    head = "env_steps,episode,return,length,deterministic\n"
    (write(seed=0) / EVALUATIONS_FILE).write_text(f"{head}100,0,1.5,10,1\n")
    (write(seed=1) / EVALUATIONS_FILE).write_text(content)
    with pytest.warns(RecordsWarning, match=rf"seed-1/evaluations\.csv: .*{warning}"):
        table = load_evaluations(tmp_path)
    assert table["seed"].tolist() == [0, *[1] * left]
    assert table["length"].dtype == np.int64


@given(st.lists(st.text(min_size=1, max_size=40), min_size=2, max_size=6, unique=True))
def test_two_jobs_never_share_a_label(names: list[str]) -> None:
    configs = {
        f"job-{k}": {"algorithm.name": "trpo", "env.id": "E", "hyperparameters.name": "default", "env.kwargs.x": value}
        for k, value in enumerate([*names, *([1, "1", 1.0, True])])
    }
    found = naming.labels(configs)
    assert len(set(found.values())) == len(configs)


def test_an_algorithm_with_settings_of_its_own_keeps_its_name_and_the_difference_is_told() -> None:
    base = {"env.id": "E", "hyperparameters.name": "own", "hyperparameters.delta": 0.01, "hyperparameters.gamma": 0.99}
    trpo = {**base, "algorithm.name": "trpo"}
    vpg = {**base, "algorithm.name": "vpg", "hyperparameters.gamma": 0.9}
    assert naming.labels({"a": trpo, "b": vpg}) == {"a": "TRPO", "b": "VPG"}
    assert naming.across([trpo, vpg]) == ["hyperparameters.gamma"]
    assert naming.across([trpo, {**vpg, "hyperparameters.gamma": 0.99}]) == []
    assert naming.across([trpo, vpg, {**vpg, "hyperparameters.gamma": 0.99}]) == []  # in the labels
    assert naming.labels({"a": vpg, "b": {**vpg, "hyperparameters.gamma": 0.99}})["a"] == "VPG, gamma=0.9"


def test_the_cache_gives_what_the_files_hold(write: Write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(curves, "WORTH", 1)
    run, other = write(seed=0), write(seed=1)
    first = load_runs(tmp_path)
    assert (tmp_path / curves.CACHE / "index.json").exists()
    monkeypatch.setattr(curves, "read_tables", lambda runs: pytest.fail("read again"))
    pd.testing.assert_frame_equal(load_runs(tmp_path), first)
    monkeypatch.undo()
    monkeypatch.setattr(curves, "WORTH", 1)
    # A run that has grown is read again, the other is not.
    for name in (METRICS_FILE, TIMES_FILE):
        lines = (run / name).read_text().splitlines()
        (run / name).write_text("\n".join([*lines, lines[-1].replace("4,", "5,", 1), ""]))
    read: list[Path] = []
    real = curves.read_tables
    monkeypatch.setattr(curves, "read_tables", lambda runs: read.extend(runs) or real(runs))
    assert len(load_runs(tmp_path)) == 9
    assert read == [run.resolve()] != [other.resolve()]
    # Damaged or deleted, it is as if there were none.
    (tmp_path / curves.CACHE / "index.json").write_text("{")
    assert len(load_runs(tmp_path)) == 9
    for data in (tmp_path / curves.CACHE).glob("*.f64"):
        data.unlink()
    assert len(load_runs(tmp_path)) == 9


def test_forty_runs_are_read_quickly(write: Write, tmp_path: Path) -> None:
    for seed in range(10):
        for algorithm in ("reinforce", "vpg", "npg", "trpo"):
            write(algorithm, seed, np.linspace(9, 500, 100).tolist(), steps=2000)
    start = time.perf_counter()
    assert len(load_runs(tmp_path)) == 4000
    assert time.perf_counter() - start < 2


def test_a_table_that_was_cut_after_its_run_is_told(write: Write, tmp_path: Path) -> None:
    """Also where what is left reads well."""
    run, other = write(seed=0), write(seed=1)
    for one in (run, other):
        size = (one / METRICS_FILE).stat().st_size
        write_status(one, "done", env_steps=100_000, total_steps=100_000, files={METRICS_FILE: (size, 0)})
    lines = (run / METRICS_FILE).read_text().splitlines(keepends=True)
    (run / METRICS_FILE).write_text("".join(lines[:-1]))
    with pytest.warns(RecordsWarning, match=f"{run / METRICS_FILE}: damaged, it has") as caught:
        load_runs(tmp_path)
    assert len(caught) == 1
