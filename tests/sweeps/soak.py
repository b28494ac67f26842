"""Kills a sweep's driver and workers at random instants, starts it again, and compares its records with those of an
uninterrupted sweep, bit for bit: `python tests/sweeps/soak.py [kills] [seed] [grid, search or short]`. A search must
also have the same trials, each once. `short`: all lives 3 to 7 s at a time, and must end within so many kills.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import torch

from pgbench.runs.records import CHECKPOINT, EPISODES_FILE, METRICS_FILE, read_status

ROOT = Path(__file__).parents[2]
SWEEP = """
description: discrete and continuous actions, whole episodes and fixed batches, a natural step
seeds: 2
hyperparameters: equal_work
checkpoint_seconds: 0.3
jobs:
  - set: {env: cartpole}
    grid: {algorithm: [reinforce, trpo]}
  - set: {env: pendulum, algorithm: vpg}
"""

SEARCH = """
description: trials along whose training the median decides, one after another, then their confirmation
env: cartpole
algorithm: npg
hyperparameters: equal_work
checkpoint_seconds: 0.3
search:
  space:
    hyperparameters.delta: tag(log, interval(0.0001, 0.1))
    hyperparameters.gae_lambda: choice(0.9, 0.97, 1.0)
    hyperparameters.critic_steps: int(interval(2, 20))
  trials: 16
  seeds: 2
  pruner: median
  confirm: {best: 2, seeds: 2}
"""
SHORT = """
description: processes that live a few seconds, with the checkpoints that come by themselves
seeds: 2
hyperparameters: equal_work
env: cartpole
jobs: [{grid: {algorithm: [reinforce, vpg, npg, trpo]}}]
"""
TEXTS = {"grid": SWEEP, "search": SEARCH, "short": SHORT}
# A search is one study whatever is killed, if it is one trial at a time and no trial is given up for its kills.
ARGUMENTS = {"grid": ["n_jobs=2"], "search": ["n_jobs=1", "retries=1000"], "short": ["n_jobs=2"]}


def begin(directory: Path, sweep: Path, total_steps: int) -> subprocess.Popen:
    arguments = [f"sweep={sweep}", f"output_dir={directory}", f"total_steps={total_steps}", *ARGUMENTS[sweep.stem]]
    with open(directory.with_suffix(".log"), "a") as log:
        return subprocess.Popen([sys.executable, "-m", "sweeps", *arguments], cwd=ROOT, stdout=log, stderr=log)


def children(pid: int) -> list[int]:
    """All processes below one."""
    with suppress(FileNotFoundError, ProcessLookupError):
        direct = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        tasks = [int(c) for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]
        below = {*direct, *tasks}
        return [*below, *(c for child in below for c in children(child))]
    return []


def soak(directory: Path, kills: int, seed: int, total_steps: int, pause: float, mode: str = "grid") -> list[str]:
    """Gives what was killed, in order; less than `kills` where the sweep was done before.

    `pause`: longest time between two kills, seconds. Raises AssertionError if a record differs or a run is not done.
    """
    sweep = directory / f"{mode}.yaml"
    sweep.write_text(TEXTS[mode])
    assert begin(directory / "whole", sweep, total_steps).wait() == 0
    chance, killed = random.Random(seed), list[str]()
    driver = begin(directory / "killed", sweep, total_steps)
    while len(killed) < kills:
        with suppress(subprocess.TimeoutExpired):
            driver.wait(chance.uniform(0.1, pause))
            if driver.returncode == 0:
                break
        what = chance.choice(["worker", "worker", "driver", "both", "SIGTERM"])
        below = children(driver.pid)
        if driver.poll() is None and (below or what != "worker"):
            workers = [chance.choice(below)] if below and what != "driver" else []
            for pid in workers if what == "worker" else [driver.pid, *(workers if what == "both" else [])]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM if what == "SIGTERM" else signal.SIGKILL)
            killed.append(what)
        if what != "worker":
            driver.wait()
        if driver.poll() is not None:
            driver = begin(directory / "killed", sweep, total_steps)
    while driver.wait() != 0:  # failed runs are trained by the same command
        driver = begin(directory / "killed", sweep, total_steps)
    {"grid": compare, "search": compare_search}[mode](directory / "whole", directory / "killed")
    return killed


def short(directory: Path, kills: int, seed: int, total_steps: int) -> tuple[int, float]:
    """Kills driver and workers 3 to 7 s after each start until the sweep has ended, at most `kills` times; gives how
    often, and the seconds of an uninterrupted one. Raises AssertionError if it does not end, or a record differs."""
    sweep = directory / "short.yaml"
    sweep.write_text(SHORT)
    begun = time.monotonic()
    assert begin(directory / "whole", sweep, total_steps).wait() == 0
    whole, chance = time.monotonic() - begun, random.Random(seed)
    for killed in range(kills + 1):
        driver = begin(directory / "killed", sweep, total_steps)
        try:
            assert driver.wait(chance.uniform(3, 7)) == 0
            compare(directory / "whole", directory / "killed")
            return killed, whole
        except subprocess.TimeoutExpired:
            for pid in [driver.pid, *children(driver.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            driver.wait()
    raise AssertionError(f"not done after {kills} kills")


def compare_search(whole: Path, killed: Path) -> None:
    """Raises AssertionError unless both hold the same trials, ended the same way, and the same records.

    What a run wrote between the verdict and its stop depends on the clock: of runs stopped early, the rows that both
    have are compared.
    """
    ours, theirs = (json.loads((side / "search.json").read_text())["studies"][0] for side in (whole, killed))
    assert [trial["number"] for trial in theirs["trials"]] == list(range(16))
    keys = ("number", "state", "value", "params", "along", "scores", "jobs")
    told, again = ([{key: trial.get(key) for key in keys} for trial in side["trials"]] for side in (ours, theirs))
    assert told == again
    assert ours["confirmation"]["candidates"] == theirs["confirmation"]["candidates"]
    states = [trial["state"] for trial in told]
    assert set(states) == {"done", "pruned"}, states
    compare(whole / "confirmation", killed / "confirmation")
    stopped = {job for trial in told if trial["state"] == "pruned" for job in trial["jobs"]}
    compare(whole / "trials", killed / "trials", stopped)


def compare(whole: Path, killed: Path, stopped: Collection[str] = ()) -> None:
    """Raises AssertionError unless both hold the same runs, done, with the same records and final state.

    Of the jobs in `stopped`, the tables' common beginning is compared.
    """
    runs = sorted(path.parent.relative_to(whole) for path in whole.glob("*/seed-*/status.json"))
    assert runs == sorted(path.parent.relative_to(killed) for path in killed.glob("*/seed-*/status.json"))
    for run in runs:
        if run.parent.name in stopped:
            tables = [(side / run / METRICS_FILE).read_text().splitlines() for side in (whole, killed)]
            shorter = min(map(len, tables))
            assert shorter > 1, run
            assert tables[0][:shorter] == tables[1][:shorter], run
            continue
        assert read_status(killed / run)["status"] == "done", run
        for name in (METRICS_FILE, EPISODES_FILE):
            assert (killed / run / name).read_bytes() == (whole / run / name).read_bytes(), run / name
        one, other = (torch.load(side / run / CHECKPOINT, weights_only=True) for side in (whole, killed))
        for content in (one, other):
            content.pop("seconds"), content["files"].pop("times.csv")
        assert equal(one, other), run / CHECKPOINT


def equal(one: object, other: object) -> bool:
    """Whether nested builtins and tensors are the same, bit for bit."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.numpy().tobytes() == other.numpy().tobytes()
    return one == other


if __name__ == "__main__":
    given = [*sys.argv[1:], *["50", "0", "grid"][len(sys.argv) - 1 :]]
    kills, seed, mode = int(given[0]), int(given[1]), given[2]
    steps = {"grid": 30_000 * kills, "search": 2_000 * kills, "short": 300_000}[mode]
    with tempfile.TemporaryDirectory() as directory:
        begun = time.monotonic()
        if mode == "short":
            count, whole = short(Path(directory), kills, seed, total_steps=steps)
            told = (
                f"{count} kills, 3 to 7 s after each start (seed {seed}), in {time.monotonic() - begun - whole:.0f} s"
            )
            sys.exit(print(f"{told}; uninterrupted {whole:.0f} s: every record is equal"))
        killed = soak(Path(directory), kills, seed, total_steps=steps, pause=3.0, mode=mode)
        assert len(killed) == kills, f"done after {len(killed)} kills: give it more total_steps"
        counts = ", ".join(f"{killed.count(what)} {what}" for what in sorted(set(killed)))
        print(f"{len(killed)} kills ({counts}; seed {seed}) in {time.monotonic() - begun:.0f} s: every record is equal")
