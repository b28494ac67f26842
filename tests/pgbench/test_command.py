"""`python -m pgbench` as a person types it, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pgbench.commands.evaluate import main as evaluate
from pgbench.commands.play import main as play
from pgbench.composition import compose
from pgbench.runs.lock import lock

QUICK = ("total_steps=600", "hyperparameters.n_steps=32", "hyperparameters.n_envs=4", "hyperparameters.critic_steps=2")


def pgbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgbench", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def test_one_job(tmp_path: Path) -> None:
    done = pgbench("algorithm=npg", "seeds=2", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"seed 0: done, return \d+\.\d  seed 1: done, return \d+\.\d", done.stdout)
    (job,) = (tmp_path / "runs").iterdir()
    assert str(job.name) in done.stdout
    assert sorted(path.name for path in job.iterdir()) == ["seed-0", "seed-1"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"], "Hydra leaves nothing beside the records"


def test_a_terminal_sees_progress(tmp_path: Path) -> None:
    terminal, end = os.openpty()
    command = [sys.executable, "-m", "pgbench", "algorithm=vpg", "seeds=2", *QUICK]
    with subprocess.Popen(command, cwd=tmp_path, stderr=end, stdout=subprocess.DEVNULL) as process:
        assert process.wait(60) == 0
    os.close(end)
    assert b"of 1,200 env-steps" in os.read(terminal, 100_000)
    os.close(terminal)


def test_multirun_with_joblib(tmp_path: Path) -> None:
    done = pgbench("-m", "algorithm=vpg,npg", "env=cartpole", "hydra/launcher=joblib", "seeds=1", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert [name.split("-")[0] for name in names] == ["npg", "vpg"]


def test_help_lists_groups_choices_and_keys(tmp_path: Path) -> None:
    done = pgbench("--help", cwd=tmp_path)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for part in (
        "algorithm npg, reinforce, trpo, vpg",
        "bracis2019",
        "cartpole_v0",
        "tracking none, tensorboard, wandb",
    ):
        assert part in text
    assert "hyperparameters.delta=0.01 KL bound" in text
    assert "sweep" not in text.replace("python -m sweeps", "")  # nothing that cannot be typed here


@pytest.mark.parametrize(
    "arguments",
    [
        ["algorithm=ppo"],
        ["env=nowhere"],
        ["hyperparameters.delta=-1"],
        ["seeds=0"],
        ["env.id=NoSuch-v0"],
        ["output_dir=/dev/null/x"],
        ["-m", "algorithm=vpg", "hyperparameters.delta=0.1,-1"],
        ["-m", "algorithm=vpg,ppo"],
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], tmp_path: Path) -> None:
    done = pgbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("pgbench: error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_two_commands_never_train_the_same_run(tmp_path: Path) -> None:
    with lock(tmp_path / "runs" / compose(["algorithm=vpg", *QUICK]).job_name / "seed-1"):
        done = pgbench("algorithm=vpg", "seeds=2", *QUICK, cwd=tmp_path)
    assert done.returncode == 2
    assert f"process {os.getpid()}" in done.stderr
    assert not list(tmp_path.glob("runs/*/*/metrics.csv"))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_after_a_checkpoint(number: int, status: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pgbench", "algorithm=vpg", "seeds=1", "total_steps=100000000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1000 for path in tmp_path.glob("runs/*/seed-0/metrics.csv")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == status
    assert "re-run the same command to resume" in stderr
    assert list(tmp_path.glob("runs/*/seed-0/checkpoint.pt"))


@pytest.mark.parametrize(
    ("main", "option"),
    [(play, ("--seed", "-1")), (play, ("--steps", "0")), (evaluate, ("--episodes", "0")), (evaluate, ("--seed", "-1"))],
)
def test_numbers_that_cannot_be_are_told(main, option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["nowhere", *option])
    assert f"argument {option[0]}: got {option[1]}, allowed is at least" in capsys.readouterr().err
