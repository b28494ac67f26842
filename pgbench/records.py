"""The records of a run: which files a seed's directory holds, what each column means, how they are written.

One directory a seed, `<output_dir>/<job>/seed-<k>/`:

    config.yaml     seed, job name, resolved config, provenance (git commit, versions, CPU, threads)
    status.json     pending, running, done, diverged or failed, with progress
    metrics.csv     a row an iteration: the columns of METRICS
    episodes.csv    a row a finished episode: the columns of EPISODES
    times.csv       a row an iteration: the columns of TIMES; apart, since time alone differs between equal runs
    measurements.csv    with measure=..., once at the end: the columns of MEASUREMENTS
    checkpoint.pt   what is needed to go on (pgbench/checkpoint.py)
    error.txt       the traceback of a failure

A row is one unbuffered write after its iteration, so a crash loses at most the iteration in flight. Floats are written
so that reading gives the same float back.
"""

import csv
import io
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG, STATUS, METRICS_FILE, EPISODES_FILE, TIMES_FILE, MEASUREMENTS_FILE, CHECKPOINT, ERROR = (
    "config.yaml",
    "status.json",
    "metrics.csv",
    "episodes.csv",
    "times.csv",
    "measurements.csv",
    "checkpoint.pt",
    "error.txt",
)
PROVENANCE, EVALUATIONS_FILE = "provenance.jsonl", "evaluations.csv"
FORMAT = 2
"""The newest format of a run's files that this version reads (config.yaml: `format`)"""
STATUSES = ("pending", "running", "done", "diverged", "failed")

METRICS = {
    "iteration": "k, number of this update, from 1",
    "env_steps": "environment steps of this seed so far, summed over its environments",
    "episodes": "episodes finished so far",
    "episode_return": "mean undiscounted return of the last 100 finished episodes (fewer at the start)",
    "episode_length": "mean length of the same episodes, steps",
    "entropy": "mean over the batch of the policy's entropy before the update, nats",
    "kl": "mean over the batch of KL(pi_k || pi_k+1), nats",
    "surrogate_expected": "g . d: linear prediction of the surrogate's improvement by the step d taken",
    "surrogate_obtained": "L(theta_k, theta_k+1) - L(theta_k, theta_k), with L the batch mean of ratio x Phi",
    "gradient_norm": "||g||, the policy gradient (ascent direction, batch mean)",
    "step_norm": "||theta_k+1 - theta_k||",
    "cg_residual": "||g - (F + c I) x|| / ||g|| after conjugate gradient; NPG and TRPO",
    "natural_norm": "g . F^-1 g as conjugate gradient finds it; NPG and TRPO",
    "line_search_steps": "backtracks before acceptance, i in alpha^i; L + 1 when every step was rejected; TRPO",
    "line_search_accepted": "1 if a step was accepted, else 0; TRPO",
    "value_loss": "mean squared error of the critic against its target, before it is fitted",
    "explained_variance": "1 - Var(target - V) / Var(target), before the critic is fitted",
}
EPISODES = {
    "iteration": "iteration in which the episode ended",
    "env_steps": "environment steps of this seed when the episode ended",
    "episode_return": "undiscounted return",
    "episode_length": "steps",
    "terminated": "1 if the environment ended it, 0 if the time limit did",
}
TIMES = {
    "iteration": "as in metrics.csv",
    "seconds": "wall-clock seconds of training up to the end of this iteration; seeds in lockstep share them",
}
MEASUREMENTS = {
    "subject": "what was measured: a weight Phi_t of the gradient, or a direction from theta",
    "distance": "||d|| of the step along a direction; empty otherwise",
    "quantity": "variance (tr Cov of the gradient estimate), squared_bias (of its mean, can be negative) or kl (nats)",
    "value": "its value",
}

EVALUATIONS = {
    "env_steps": "environment steps the evaluated policy was trained for",
    "episode": "number of the evaluation episode, from 0",
    "return": "its undiscounted return",
    "length": "its length, steps",
    "deterministic": "1 if the policy acted by its mode, 0 if it drew its actions",
}


def seed_dir(job_dir: Path, seed: int) -> Path:
    """The directory of one seed's records."""
    return job_dir / f"seed-{seed}"


def write_atomic(path: Path, data: bytes, durable: bool = False) -> None:
    """Writes a file whole or not at all: a reader sees the old content or the new. `durable` survives a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(part, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(part, path)
    if durable:
        sync_dir(path.parent)


def sync_dir(path: Path) -> None:
    """Makes renames and new files in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_status(directory: Path, status: str, **fields: Any) -> None:
    """Replaces status.json. `fields`: env_steps, total_steps, iteration, seconds, message, pid, host, ..."""
    assert status in STATUSES
    data = {"status": status, "updated": time.time(), **fields}
    write_atomic(directory / STATUS, json.dumps(data).encode())


def read_status(directory: Path) -> dict[str, Any]:
    """status.json as a dict; `{"status": "pending"}` where there is none yet."""
    try:
        data: dict[str, Any] = json.loads((directory / STATUS).read_text())
        return data
    except (FileNotFoundError, NotADirectoryError):
        return {"status": "pending"}


def write_measurements(directory: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Writes measurements.csv whole."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([MEASUREMENTS, *([_cell(cell) for cell in row] for row in rows)])
    write_atomic(directory / MEASUREMENTS_FILE, lines.getvalue().encode())


class Table:
    """A CSV file that only grows: a header, then whole rows, each batch of rows one write."""

    def __init__(self, path: Path, columns: Iterable[str], keep: int = 0):
        """Opens a table and cuts it after `keep` bytes; 0 starts it anew with its header."""
        self.columns = tuple(columns)
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        os.ftruncate(self.fd, keep)
        self.size = keep
        if not keep:
            self._write(",".join(self.columns) + "\n")

    def append(self, rows: Iterable[Sequence[Any]]) -> None:
        """Adds rows; a missing value (NaN) is an empty cell."""
        text = "".join(",".join(map(_cell, row)) + "\n" for row in rows)
        if text:
            self._write(text)

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            written = os.write(self.fd, data)
            self.size += written
            data = data[written:]

    def sync(self) -> None:
        os.fsync(self.fd)

    def close(self) -> None:
        os.close(self.fd)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value != value else repr(value)


class Records:
    """The three tables of one seed, open for writing."""

    def __init__(self, directory: Path, sizes: Mapping[str, int] | None = None):
        """`sizes`: bytes of each table to keep, as `sizes()` gave them at a checkpoint; None starts anew."""
        sizes = sizes or {}
        self.tables = {
            name: Table(directory / name, columns, sizes.get(name, 0))
            for name, columns in ((METRICS_FILE, METRICS), (EPISODES_FILE, EPISODES), (TIMES_FILE, TIMES))
        }

    def append(self, metrics: Mapping[str, Any], episodes: Iterable[Sequence[Any]], seconds: float) -> None:
        """Writes one iteration: the episodes it finished, its metrics, its time."""
        self.tables[EPISODES_FILE].append(episodes)
        self.tables[METRICS_FILE].append([[metrics.get(name, float("nan")) for name in METRICS]])
        self.tables[TIMES_FILE].append([[metrics["iteration"], round(seconds, 6)]])

    def sizes(self) -> dict[str, int]:
        return {name: table.size for name, table in self.tables.items()}

    def sync(self) -> None:
        for table in self.tables.values():
            table.sync()

    def close(self) -> None:
        for table in self.tables.values():
            table.close()
