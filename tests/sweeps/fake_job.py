"""A trainer without torch for the sweeps' tests: ten env steps an iteration, and the faults that `env.kwargs` asks for.

fault   what happens (FAULTS)
at      at which iteration, default 5
seed    to which seed, default all
times   how often, over all processes, default always

Its return grows along training to at most 100, the more so the nearer delta is to 0.01, with noise of the seed's.
"""

import ctypes
import json
import math
import os
import random
import signal
import threading
import time

from pgbench.errors import UserError
from pgbench.runs.records import CHECKPOINT, ERROR, METRICS_FILE, read_status, seed_dir, write_atomic, write_status

ITERATION_SECONDS = 0.01


class Interrupted(Exception):
    pass


class NotPicklable(Exception):
    def __init__(self):
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def _raise(error):
    raise error


FAULTS = {
    "exception": lambda: _raise(ValueError("a fault")),
    "not_picklable": lambda: _raise(NotPicklable()),
    "system_exit": lambda: _raise(SystemExit(3)),
    "keyboard_interrupt": lambda: _raise(KeyboardInterrupt()),
    "user_error": lambda: _raise(UserError("env.id: no such environment")),
    "disk_full": lambda: _raise(OSError(28, "No space left on device")),
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "segfault": lambda: ctypes.string_at(0),
    "hang": lambda: time.sleep(1000),
}


def run_job(config, seeds, stop):
    directories = {seed: seed_dir(config.job_dir, seed) for seed in seeds}
    todo = {s: d for s, d in directories.items() if read_status(d)["status"] not in ("done", "diverged")}
    steps = {seed: _load(directory) for seed, directory in todo.items()}
    for seed, directory in todo.items():
        (directory / ERROR).unlink(missing_ok=True)
        with open(directory / "starts", "a") as file:
            file.write(f"{os.getpid()}\n")
        _write(config, directory, "running", steps[seed])
    while any(steps[seed] < config.total_steps for seed in todo):
        time.sleep(config.env.kwargs.get("sleep", ITERATION_SECONDS))
        for seed, directory in todo.items():
            steps[seed] = min(config.total_steps, steps[seed] + 10)
            _fault(config, seed, steps[seed] // 10, directory)
            _record(config, seed, steps[seed], directory)
            write_atomic(directory / CHECKPOINT, json.dumps(steps[seed]).encode())
            _write(config, directory, "running", steps[seed])
        if stop():
            raise Interrupted
    diverges = config.env.kwargs.get("fault") == "diverge"
    for directory in todo.values():
        _write(config, directory, "diverged" if diverges else "done", config.total_steps)
    return {seed: read_status(directory)["status"] for seed, directory in directories.items()}


def episode_return(config, seed, steps):
    quality = math.exp(-(math.log10(config.hyperparameters.delta / 0.01) ** 2))
    noise = random.Random(f"{config.job_name} {seed}").gauss(0, 5)
    return (100 * quality + noise) * steps / config.total_steps


def _record(config, seed, steps, directory):
    path = directory / METRICS_FILE
    header = "" if path.exists() else "iteration,env_steps,episodes,episode_return\n"
    with open(path, "a") as file:
        file.write(f"{header}{steps // 10},{steps},{steps * 10},{episode_return(config, seed, steps)!r}\n")


def _load(directory):
    path = directory / CHECKPOINT
    return json.loads(path.read_text()) if path.exists() else 0


def _write(config, directory, status, steps):
    fields = {"env_steps": steps, "total_steps": config.total_steps, "iteration": steps // 10, "seconds": steps / 1000}
    write_status(directory, status, pid=os.getpid(), **fields)


def _fault(config, seed, iteration, directory):
    kwargs = config.env.kwargs
    name = kwargs.get("fault")
    if name not in FAULTS or iteration != kwargs.get("at", 5) or seed != kwargs.get("seed", seed):
        return
    marks = directory / "faults"
    if marks.exists() and len(marks.read_text()) >= kwargs.get("times", 1000):
        return
    with open(marks, "a") as file:
        file.write("x")
    FAULTS[name]()
