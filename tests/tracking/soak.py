"""Kills a followed sweep's workers, driver and follower at random instants and starts it again; then one `wandb sync`
must give one whole run per seed: `python tests/tracking/soak.py [kills] [seed] [online|offline]`.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from faults import ROOT, SECRET, compare, environment, find  # also finds the packages and server.py
from server import Server

SWEEP = ["algorithm=trpo,vpg", "seeds=3", "env=cartpole", "n_jobs=2", "checkpoint_seconds=0.5", "retries=1000"]
SMALL = ["hyperparameters.n_envs=4", "hyperparameters.n_steps=32", "hyperparameters.critic_steps=5"]


def soak(directory: Path, server: Server, kills: int, seed: int, mode: str, steps: int) -> list[str]:
    """Gives what was killed, in order. Raises AssertionError if W&B does not hold each row of the records once."""
    chance, killed = random.Random(seed), list[str]()
    tracking = ["tracking=wandb", f"tracking.mode={mode}"]
    command = [sys.executable, "-m", "sweeps", *SWEEP, *SMALL, *tracking, f"total_steps={steps}"]
    command += [f"output_dir={directory}"]
    here = environment(server, {})

    def begin() -> subprocess.Popen:
        log = open(directory.with_suffix(".log"), "a")  # noqa: SIM115
        return subprocess.Popen(command, cwd=ROOT, env=here, stdout=log, stderr=log)

    driver = begin()
    while len(killed) < kills:
        with suppress(subprocess.TimeoutExpired):
            driver.wait(chance.uniform(1.0, 8.0))
            if driver.returncode == 0:
                break
        what = chance.choice(["worker", "driver", "follower", "follower", "wandb-core", "all"])
        names = {"worker": ["loky"], "follower": ["tracking.follower"], "wandb-core": ["wandb-core"]}
        pids = find(*names.get(what, ["sweeps", "loky", "tracking.follower", "wandb-core"] if what == "all" else []))
        pids = [driver.pid] if what == "driver" else pids if what == "all" else pids[:1]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if pids:
            killed.append(what)
        if what in ("driver", "all"):
            driver.wait()
        if driver.poll() is not None:
            driver = begin()
    while driver.wait() != 0:
        driver = begin()
    publish = [sys.executable, "-m", "sweeps.publish", str(directory)]
    done = subprocess.run([*publish, "--verify"], cwd=ROOT, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    again = subprocess.run(publish, cwd=ROOT, env=here, capture_output=True, text=True, check=True)
    assert "0 sent now" in again.stdout, again.stdout
    fragments = sorted(map(str, directory.glob("*/wandb/offline-run-*")))
    if fragments:
        sync = [sys.executable, "-m", "wandb", "sync", "--yes", *fragments]
        done = subprocess.run(sync, cwd=ROOT, env=here, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "ERROR" not in done.stderr, done.stderr
    assert compare(directory, server) == "equal", compare(directory, server)
    assert len(server.runs) == 6, sorted(server.runs)
    assert SECRET.encode() not in server.bodies
    return killed


if __name__ == "__main__":
    kills, seed, mode = [*sys.argv[1:], *["20", "0", "offline"][len(sys.argv) - 1 :]]
    directory = tempfile.mkdtemp(prefix="soak-")  # kept if it fails
    with Server() as server:
        begun = time.monotonic()
        killed = soak(Path(directory) / "sweep", server, int(kills), int(seed), mode, steps=6_000 * int(kills))
        counts = ", ".join(f"{killed.count(what)} {what}" for what in sorted(set(killed)))
        seconds = time.monotonic() - begun
        shutil.rmtree(directory)
        print(f"{len(killed)} kills ({counts}; seed {seed}, {mode}) in {seconds:.0f} s: W&B holds every row once")
