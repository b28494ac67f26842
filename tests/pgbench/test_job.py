"""Jobs on disk: what a run leaves behind, that it resumes bit for bit, and what it refuses."""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from pgbench.api import load_policy, train
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.runs import job, provenance
from pgbench.runs.checkpoint import load_checkpoint, save_checkpoint
from pgbench.runs.code import NUMBERS, PACKAGE, code
from pgbench.runs.find import find_runs
from pgbench.runs.job import Interrupted, run_job
from pgbench.runs.records import EPISODES, METRICS, read_status, seed_dir
from pgbench.runs.trainer import Trainer

DETERMINISTIC = ("metrics.csv", "episodes.csv")


def contents(config: Config, seed: int) -> dict[str, bytes]:
    directory = seed_dir(config.job_dir, seed)
    return {name: (directory / name).read_bytes() for name in DETERMINISTIC}


@pytest.fixture
def stop_after(monkeypatch):
    """Gives the `stop` that says so after so many iterations."""

    def arm(iterations: int) -> Callable[[], bool]:
        done, iterate = 0, Trainer.iterate

        def counted(self):
            nonlocal done
            done += 1
            return iterate(self)

        monkeypatch.setattr(Trainer, "iterate", counted)
        return lambda: done >= iterations

    return arm


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
        "policy.pt",
        "provenance.jsonl",
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
    assert held["config"] == config.recorded
    assert (held["format"], held["total_steps"]) == (2, 1000)
    (made_with,) = map(json.loads, (directory / "provenance.jsonl").read_text().splitlines())
    assert made_with["threads"] == 1
    assert made_with["libraries"]["torch"] == torch.__version__
    assert {"git_commit", "git_dirty", "cpu", "python", "code"} <= made_with.keys()
    status = read_status(directory)
    assert (status["status"], status["env_steps"], status["total_steps"]) == ("done", 1024, 1000)


def test_the_build_of_torch_that_runs_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI's on Linux is 2.13.0+cu130, its metadata says 2.13.0: what is recorded is torch's own word."""
    monkeypatch.setattr(torch, "__version__", "9.9.9+cu999")
    assert provenance.machine.__wrapped__()["libraries"]["torch"] == "9.9.9+cu999"


def test_a_directory_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """`output_dir=mujoco` where MuJoCo is not installed: importable as a name, without a version."""
    assert provenance._version("tests") is None
    assert provenance._version("torch")


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
    with pytest.raises(Interrupted):
        run_job(broken, stop=stop_after(2))
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
        for name, tensor in a["learner"].items():
            assert torch.equal(tensor, b["learner"][name]), name


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


@pytest.mark.parametrize("damage", ["", "{"])
def test_a_diverged_seed_does_not_train_past_it_without_its_status(small, damage: str) -> None:
    """The checkpoint says it, too."""
    config = small("env.id=probes:Explosive-v0", "seeds=1", "total_steps=500", "algorithm=vpg")
    with np.errstate(invalid="ignore"):
        run_job(config)
    status = seed_dir(config.job_dir, 0) / "status.json"
    told = read_status(status.parent)
    status.write_text(damage) if damage else status.unlink()
    assert run_job(config) == {0: "diverged"}
    assert read_status(status.parent)["message"] == told["message"]


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
    torch.save({"format": 2, "bad": threading.Event}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="not readable"):
        load_checkpoint(tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(UserError, match="not readable"):
        load_checkpoint(tmp_path)
    torch.save({"format": 99}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="another version"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("env", ["cartpole", "hopper"])
@pytest.mark.parametrize("algorithm", ["reinforce", "npg"])
def test_asked_for_more_steps_a_done_run_goes_on_bit_for_bit(small, tmp_path: Path, algorithm: str, env: str) -> None:
    overrides = (f"algorithm={algorithm}", f"env={env}", "hyperparameters.normalize_reward=true", "seeds=2")
    whole = small(*overrides, "total_steps=1500", f"output_dir={tmp_path}/whole")
    run_job(whole)
    shorter = small(*overrides, "total_steps=600", f"output_dir={tmp_path}/longer")
    assert run_job(shorter) == {0: "done", 1: "done"}
    longer = small(*overrides, "total_steps=1500", f"output_dir={tmp_path}/longer")
    assert longer.job_dir == shorter.job_dir
    assert run_job(longer) == {0: "done", 1: "done"}
    for seed in range(2):
        assert contents(longer, seed) == contents(whole, seed)
        held = yaml.safe_load((seed_dir(longer.job_dir, seed) / "config.yaml").read_text())
        assert held["total_steps"] == 1500
        origins = (seed_dir(longer.job_dir, seed) / "provenance.jsonl").read_text().splitlines()
        assert [json.loads(line)["total_steps"] for line in origins] == [600, 1500]
    assert run_job(shorter) == {0: "done", 1: "done"}
    assert contents(longer, 0) == contents(whole, 0)


EVALUATING = ("snapshots=[0,700]", "evaluation.every=300", "evaluation.episodes=2")


@pytest.mark.parametrize("env", ["cartpole", "hopper"])
def test_evaluation_and_snapshots_leave_training_as_it_is(small, tmp_path: Path, stop_after, env: str) -> None:
    """Training records are the same bit for bit with and without them, and theirs are the same across a resume."""
    overrides = (f"env={env}", "hyperparameters.normalize_observation=true", "seeds=2", "total_steps=1200")
    plain = small(*overrides, f"output_dir={tmp_path}/plain")
    run_job(plain)
    evaluated = small(*overrides, *EVALUATING, f"output_dir={tmp_path}/evaluated")
    run_job(evaluated)
    broken = small(*overrides, *EVALUATING, f"output_dir={tmp_path}/broken")
    with pytest.raises(Interrupted):
        run_job(broken, stop=stop_after(6))
    run_job(broken)
    for seed in range(2):
        assert contents(evaluated, seed) == contents(plain, seed) == contents(broken, seed)
        one, other = (seed_dir(config.job_dir, seed) for config in (evaluated, broken))
        rows = (one / "evaluations.csv").read_text()
        assert rows == (other / "evaluations.csv").read_text()
        steps = [line.split(",")[0] for line in rows.splitlines()[1:]]
        assert steps == [str(n) for n in (384, 640, 1024, 1280) for _ in range(2)]  # the first past 300, 600, 900, 1200
        for name in ("policy-0.pt", "policy-700.pt", "policy.pt"):
            a, b = (load_policy(directory / name) for directory in (one, other))
            assert torch.equal(a.theta, b.theta)
            np.testing.assert_array_equal(a.standardizer.mean, b.standardizer.mean)
        assert not torch.equal(load_policy(one / "policy-700.pt").theta, load_policy(one).theta)


def pretend(directory: Path) -> None:
    """Makes a run look as if other code had trained it."""
    path = directory / "provenance.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text().splitlines()[-1]), "code": "0123"}) + "\n")


def test_runs_of_other_code_are_told_and_left_alone(small) -> None:
    config = small("seeds=2", "total_steps=300")
    train(config)
    said: list[str] = []
    train(config, say=said.append)
    assert said == []
    pretend(seed_dir(config.job_dir, 1))
    before = contents(config, 1)
    train(config, say=said.append)
    (line,) = said
    assert line.startswith("1 runs are left as other code made them")
    assert "other_code=retrain" in line
    assert contents(config, 1) == before


def test_half_way_a_run_of_other_code_is_refused_unless_told_otherwise(small, stop_after) -> None:
    config = small("seeds=1", "total_steps=900")
    with pytest.raises(Interrupted):
        train(config, stop=stop_after(3))
    directory = seed_dir(config.job_dir, 0)
    pretend(directory)
    before = contents(config, 0)
    with pytest.raises(UserError, match=r"half way, by other code: other_code=resume .* other_code=retrain"):
        train(config)
    assert contents(config, 0) == before
    (run,) = train(replace(config, other_code="resume"))
    assert run.status == "done"
    codes = [json.loads(line)["code"] for line in (directory / "provenance.jsonl").read_text().splitlines()]
    assert codes == ["0123", code(config)]
    whole = contents(config, 0)

    pretend(directory)
    said: list[str] = []
    train(replace(config, other_code="retrain"), say=said.append)
    assert "set aside" in said[0]
    assert contents(config, 0) == whole
    (retired,) = (config.job_dir / "retired").iterdir()
    assert (retired / "metrics.csv").read_bytes() == whole["metrics.csv"]
    assert len(find_runs(config.output_dir)) == 1


def test_a_snapshot_that_was_passed_is_told(small) -> None:
    train(small("seeds=1", "total_steps=300"))
    said: list[str] = []
    train(small("seeds=1", "total_steps=300", "snapshots=[100]"), say=said.append)
    assert "1 snapshots were not kept" in said[0]


def test_the_digest_of_the_code_sees_every_file_that_decides_numbers() -> None:
    covered = {path for part in NUMBERS for path in [*(PACKAGE / part).rglob("*.py"), PACKAGE / part] if path.is_file()}
    trained_with = {
        Path(module.__file__)
        for name, module in list(sys.modules.items())
        if name.startswith("pgbench.") and getattr(module, "__file__", None)
    }
    beside = (
        "api.py",
        "errors.py",
        "files.py",
        "tensors.py",
        "plugins.py",
        "terminal.py",
        "composition.py",
        "validation.py",
        "options.py",
        "__init__.py",
    )  # of these, none makes a number
    left = {path for path in trained_with - covered if path.name not in beside}
    assert {path.relative_to(PACKAGE).parts[0] for path in left} <= {"runs", "after", "commands", "tracking"}


def test_checkpoints_take_a_bounded_share_of_the_time(small, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, begun, ends = job._Run._checkpoint, time.monotonic(), []

    def slow(run: job._Run, s: int, durable_policy: bool = True) -> None:
        checkpoint(run, s, durable_policy)
        time.sleep(0.03)
        ends.append(time.monotonic())

    monkeypatch.setattr(job._Run, "_checkpoint", slow)
    monkeypatch.setattr(job, "CHECKPOINT_SHARE", 0.1)
    stop = lambda: len(ends) > 4 or time.monotonic() - begun > 60  # noqa: E731
    with pytest.raises(job.Interrupted):
        job.run_job(small("seeds=1", "total_steps=100000000", "checkpoint_seconds=0"), stop=stop)
    pauses = [after - before for before, after in itertools.pairwise(ends[:-1])]  # the last: it was asked to stop
    assert len(pauses) >= 3
    assert min(pauses) >= 0.3
