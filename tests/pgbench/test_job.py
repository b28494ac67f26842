"""Jobs on disk: what a run leaves behind, that it resumes bit for bit, and what it refuses."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from pgbench import job
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.runs.checkpoint import load_checkpoint, save_checkpoint
from pgbench.runs.job import Interrupted, run_job
from pgbench.runs.records import EPISODES, METRICS, read_status, seed_dir
from pgbench.runs.trainer import Trainer

DETERMINISTIC = ("metrics.csv", "episodes.csv")


def contents(config: Config, seed: int) -> dict[str, bytes]:
    directory = seed_dir(config.job_dir, seed)
    return {name: (directory / name).read_bytes() for name in DETERMINISTIC}


@pytest.fixture
def stop_after(monkeypatch):
    """Makes the job stop after so many iterations, as a signal would."""

    def arm(iterations: int) -> None:
        done = 0
        iterate = Trainer.iterate

        def counted(self):
            nonlocal done
            done += 1
            if done == iterations:
                job.stop.set()
            return iterate(self)

        monkeypatch.setattr(Trainer, "iterate", counted)

    yield arm
    job.stop.clear()


def test_a_run_leaves_what_the_record_module_says(small) -> None:
    config = small("seeds=[0,4]", "total_steps=1000", "algorithm=trpo")
    assert run_job(config) == {0: "done", 4: "done"}
    directory = seed_dir(config.job_dir, 4)
    assert {path.name for path in directory.iterdir()} == {
        "config.yaml",
        "status.json",
        "metrics.csv",
        "episodes.csv",
        "times.csv",
        "checkpoint.pt",
    }
    metrics = (directory / "metrics.csv").read_text().splitlines()
    assert metrics[0] == ",".join(METRICS)
    assert len(metrics) == 1 + 8  # 1000 steps in iterations of 4 x 32
    assert "" not in metrics[-1].split(","), "TRPO fills every column"
    assert (directory / "episodes.csv").read_text().startswith(",".join(EPISODES))
    assert len((directory / "times.csv").read_text().splitlines()) == 9
    held = yaml.safe_load((directory / "config.yaml").read_text())
    assert held["seed"] == 4
    assert held["job"] == config.job_name
    assert held["config"] == config.identity
    made_with = held["provenance"]
    assert made_with["threads"] == 1
    assert made_with["libraries"]["torch"] == torch.__version__
    assert {"git_commit", "git_dirty", "cpu", "python"} <= made_with.keys()
    status = read_status(directory)
    assert (status["status"], status["env_steps"], status["total_steps"]) == ("done", 1024, 1000)


@pytest.mark.parametrize("algorithm", ["reinforce", "vpg", "npg", "trpo"])
def test_the_same_command_gives_the_same_records(small, tmp_path: Path, algorithm: str) -> None:
    one = small(f"algorithm={algorithm}", "seeds=2", "total_steps=600", f"output_dir={tmp_path}/one")
    two = small(f"algorithm={algorithm}", "seeds=[1]", "total_steps=600", f"output_dir={tmp_path}/two")
    run_job(one)
    run_job(two)
    assert contents(one, 1) == contents(two, 1)


@pytest.mark.parametrize("env", ["cartpole", "pendulum", "hopper"])
@pytest.mark.parametrize("algorithm", ["reinforce", "trpo"])
def test_stopped_and_resumed_the_records_are_the_same(
    small, tmp_path: Path, stop_after, algorithm: str, env: str
) -> None:
    overrides = (
        f"algorithm={algorithm}",
        f"env={env}",
        "+env.kwargs.max_episode_steps=50",
        "hyperparameters.normalize_observation=true",
        "hyperparameters.normalize_reward=true",
        "seeds=2",
        "total_steps=1500",
    )
    whole = small(*overrides, f"output_dir={tmp_path}/whole")
    run_job(whole)
    broken = small(*overrides, f"output_dir={tmp_path}/broken")
    stop_after(2)
    with pytest.raises(Interrupted):
        run_job(broken)
    job.stop.clear()
    assert read_status(seed_dir(broken.job_dir, 0))["status"] == "running"
    for seed in range(2):  # what a crash after the checkpoint would leave: more rows, the last one torn
        for name in DETERMINISTIC:
            with open(seed_dir(broken.job_dir, seed) / name, "a") as table:
                table.write("9,9,9,9\n9,9")
    assert run_job(broken) == {0: "done", 1: "done"}
    for seed in range(2):
        assert contents(broken, seed) == contents(whole, seed)
        a, b = (load_checkpoint(seed_dir(config.job_dir, seed)) for config in (whole, broken))
        assert a is not None
        assert b is not None
        for name, tensor in a["state"].items():
            assert torch.equal(tensor, b["state"][name]), name


def test_killed_before_its_first_checkpoint_a_run_starts_anew(small, tmp_path: Path) -> None:
    config = small("seeds=1", "total_steps=500")
    run_job(config)
    expected = contents(config, 0)
    directory = seed_dir(config.job_dir, 0)
    (directory / "checkpoint.pt").unlink()
    (directory / "status.json").write_text(json.dumps({"status": "running"}))
    run_job(config)
    assert contents(config, 0) == expected


def test_a_run_that_is_done_is_left_alone(small) -> None:
    config = small("seeds=1", "total_steps=500")
    run_job(config)
    path = seed_dir(config.job_dir, 0) / "metrics.csv"
    before = path.stat().st_mtime_ns
    assert run_job(config) == {0: "done"}
    assert path.stat().st_mtime_ns == before


def test_a_diverged_seed_is_a_result(small) -> None:
    config = small("env.id=probes:Explosive-v0", "seeds=1", "total_steps=500", "algorithm=vpg")
    with np.errstate(invalid="ignore"):
        assert run_job(config) == {0: "diverged"}
    assert read_status(seed_dir(config.job_dir, 0))["status"] == "diverged"
    assert run_job(config) == {0: "diverged"}


def test_a_failure_leaves_its_traceback(small, monkeypatch) -> None:
    config = small("seeds=2", "total_steps=500")

    def broken(self):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(Trainer, "iterate", broken)
    with pytest.raises(ZeroDivisionError):
        run_job(config)
    for seed in range(2):
        directory = seed_dir(config.job_dir, seed)
        assert read_status(directory)["message"] == "ZeroDivisionError: on purpose"
        assert "ZeroDivisionError" in (directory / "error.txt").read_text()
    monkeypatch.undo()
    assert run_job(config) == {0: "done", 1: "done"}
    assert not (seed_dir(config.job_dir, 0) / "error.txt").exists()


def test_a_directory_of_another_config_is_refused_and_kept(small) -> None:
    config = small("seeds=1", "total_steps=500")
    run_job(config)
    path = seed_dir(config.job_dir, 0) / "config.yaml"
    held = yaml.safe_load(path.read_text())
    held["config"]["hyperparameters"]["delta"] = 0.5
    path.write_text(yaml.safe_dump(held))
    (path.parent / "status.json").unlink()
    before = contents(config, 0)
    with pytest.raises(UserError, match="another config"):
        run_job(config)
    assert contents(config, 0) == before


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/null").exists(), reason="needs a path nobody can write")
def test_an_output_directory_that_cannot_be_written(small) -> None:
    with pytest.raises(UserError, match="output_dir: cannot write"):
        run_job(small("output_dir=/dev/null/runs"))


def test_a_checkpoint_holds_no_code(tmp_path: Path) -> None:
    content = {
        "a": np.arange(3),
        "rng": np.random.default_rng(0).bit_generator.state,
        "t": torch.ones(2),
        "n": [1, (2,)],
    }
    save_checkpoint(tmp_path, content)
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    np.testing.assert_array_equal(loaded["a"], content["a"])
    assert loaded["rng"] == content["rng"]
    torch.save({"format": 1, "bad": threading.Event}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path)
    torch.save({"format": 99}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="another version"):
        load_checkpoint(tmp_path)
