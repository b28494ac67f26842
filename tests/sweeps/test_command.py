"""The command as people use it: messages, signals, kills of the driver, two sweeps at once, the status command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pgbench.runs.lock import Held, holder, lock
from pgbench.runs.records import read_status
from sweeps.__main__ import main

ENV = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[2]}", "COLUMNS": "120"}
FAKE = "import sys; from sweeps.__main__ import main; sys.exit(main(sys.argv[1:], 'fake_job'))"
LONG = ["+env.kwargs.sleep=0.05", "total_steps=400", "n_jobs=2", "seeds=4", "seeds_per_process=2"]


def command(*arguments):
    return subprocess.run([sys.executable, "-m", *arguments], env=ENV, capture_output=True, text=True, timeout=60)


@pytest.fixture
def begin(tmp_path):
    """Starts a sweep of the fake trainer in a process group of its own; ends it with the test."""
    with ExitStack() as started:

        def start(*arguments):
            arguments = [sys.executable, "-c", FAKE, f"output_dir={tmp_path}", *arguments]
            pipe = subprocess.PIPE
            driver = subprocess.Popen(arguments, env=ENV, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
            started.callback(driver.communicate)
            started.callback(driver.kill)
            return driver

        yield start


def wait_for(condition, seconds=15):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def statuses(directory):
    return [read_status(path.parent) for path in directory.glob("*/seed-*/status.json")]


def pids(directory):
    return {status["pid"] for status in statuses(directory) if status["status"] == "running"}


def alive(pid):
    with suppress(FileNotFoundError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def starts(directory):
    return {path.parent.name: len(path.read_text().split()) for path in directory.glob("*/seed-*/starts")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "sweep: missing, allowed is classic, comparison, figure1"),
        (["sweep=figur1"], "sweep: got 'figur1', allowed is .*; did you mean 'figure1'?"),
        (["sweep=/no/such.yaml"], "sweep: no such file /no/such.yaml"),
        (["sweep=figure1", "n_job=2"], "n_job: no such key; did you mean 'n_jobs'?"),
        (["sweep=figure1", "n_jobs=0"], "n_jobs: got 0, allowed is at least 1"),
        (["sweep=figure1", "n_jobs=two"], "n_jobs: got 'two', allowed is a valid integer"),
        (["sweep=figure1", "backend=ray"], "backend: got 'ray', allowed is 'loky' or 'dask'"),
        (
            ["sweep=figure1", "on_error=stp"],
            "on_error: got 'stp', allowed is 'continue' or 'stop'; did you mean 'stop'?",
        ),
        (["sweep=figure1", "hyperparameters.detla=1"], "did you mean 'hyperparameters.delta'?"),
        (["sweep=figure1", "hyperparameters.delta=-1"], "hyperparameters.delta: got -1, "),
        (["sweep=figure1", "algorithm=trop"], "algorithm: got 'trop', allowed is .*'trpo'?"),
        (["sweep=figure1", "seeds=0"], "seeds: got 0"),
        (["sweep=figure1", "figure1"], "cannot read 'figure1': write key=value"),
        (["sweep=figure1", "output_dir=/proc/x"], "output_dir: cannot write /proc/x"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, tmp_path, capsys):
    if arguments and not any("output_dir" in argument for argument in arguments):
        arguments = [*arguments, f"output_dir={tmp_path}"]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert re.match("sweeps: error: .*" + message.replace("?", r"\?"), told), told


def test_a_mistake_has_no_traceback():
    result = command("sweeps", "sweep=figure1", "seed=3")
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch("sweeps: error: seed: no such key; did you mean 'seeds'.*\n", result.stderr)


def test_help_is_fast_and_whole():
    begun = time.monotonic()
    result = command("sweeps", "--help")
    assert time.monotonic() - begun < 1.5
    assert result.returncode == 0
    for text in ("figure1  ", "comparison  ", "n_jobs=", "seeds_per_process=null", "hyperparameters.delta  "):
        assert text in result.stdout


def test_real_training_completes_resumes_and_skips(tmp_path):
    arguments = ["sweep=figure1", "seeds=2", "total_steps=4000", "n_jobs=2", f"output_dir={tmp_path}"]
    result = command("sweeps", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [status["status"] for status in statuses(tmp_path)] == ["done"] * 4
    assert re.search(r"vpg CartPole-v0 +\d+\.\d \+- \d+\.\d +2 +0 +0 +0 +8,000 .* vpg-CartPole-v0-\w+", result.stdout)
    assert result.stderr == ""
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    begun = time.monotonic()
    assert command("sweeps", *arguments).returncode == 0
    assert time.monotonic() - begun < 3
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}.items() <= before.items()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_checkpoints_and_stops_within_seconds(begin, tmp_path, number):
    driver = begin(*LONG)
    wait_for(lambda: len(pids(tmp_path)) == 2)
    workers = pids(tmp_path)
    begun = time.monotonic()
    os.killpg(driver.pid, number) if number == signal.SIGINT else driver.send_signal(number)
    out, err = driver.communicate(timeout=15)
    assert time.monotonic() - begun < 5
    assert driver.returncode == 128 + number
    assert "re-run the same command to resume what is not done: python -m sweeps output_dir=" in out
    assert err == ""
    assert not any(map(alive, workers))
    assert {status["status"] for status in statuses(tmp_path)} == {"running"}
    assert len(list(tmp_path.glob("*/seed-*/checkpoint.pt"))) == 4


def test_workers_die_with_a_killed_driver_and_the_same_command_goes_on(begin, tmp_path):
    driver = begin(*LONG)
    wait_for(lambda: len(pids(tmp_path)) == 2)
    workers = pids(tmp_path)
    driver.kill()
    driver.communicate()
    wait_for(lambda: not any(map(alive, workers)), 2)
    status = command("sweeps.status", str(tmp_path))
    assert status.returncode == 0
    assert status.stdout.count("stopped: ") == 4
    assert "is gone, last seen" in status.stdout

    second = begin(*LONG)
    _, err = second.communicate(timeout=30)
    assert (second.returncode, err) == (0, "")
    assert {status["status"] for status in statuses(tmp_path)} == {"done"}
    assert set(starts(tmp_path).values()) == {2}


def test_two_sweeps_share_the_work(begin, tmp_path):
    longer = [*LONG, "n_jobs=1", "total_steps=1000"]
    first = begin(*longer)
    wait_for(lambda: len(pids(tmp_path)) == 1)
    second = begin(*longer)
    wait_for(lambda: len(pids(tmp_path)) == 2)
    status = command("sweeps.status", str(tmp_path)).stdout
    assert re.search(r"-\w+ +0 +0 +4 +0 +0 +0 +[\d,]+ +\d+ s", status), status
    outs = [driver.communicate(timeout=30) for driver in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outs
    assert set(starts(tmp_path).values()) == {1}
    assert outs[1][0].count("held: ") == 1
    assert re.search(r"process \d+ on \S+ since .* trains it; waiting for it", outs[1][0])


def test_a_lock_has_one_holder_and_goes_with_its_process(tmp_path):
    code = "import pathlib, sys, time, pgbench.runs.lock as locks\n"
    code += "with locks.lock(pathlib.Path(sys.argv[1])): time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=ENV)
    wait_for(lambda: holder(tmp_path))
    assert f"process {other.pid} on " in holder(tmp_path)
    with pytest.raises(Held, match=f"process {other.pid} on "), lock(tmp_path):
        pass
    assert json.loads((tmp_path / "lock").read_text())["pid"] == other.pid
    other.kill()
    other.wait()
    assert holder(tmp_path) is None
    with lock(tmp_path):
        assert f"process {os.getpid()}" in holder(tmp_path)


def test_status_of_nothing_is_one_line(tmp_path):
    result = command("sweeps.status", str(tmp_path / "none"))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "no such directory" in result.stderr
