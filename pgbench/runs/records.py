"""The records of a run: which files a seed's directory holds, what each column means, how they are written.

One directory a seed, `<output_dir>/<job>/seed-<k>/`:

    config.yaml         seed, job name, and the config: those keys that the algorithm reads
    provenance.jsonl    a line for each process that trained the run: code, versions, CPU, threads
    status.json         pending, running, done, diverged or failed, with progress
    metrics.csv         a row per iteration: the columns of METRICS
    episodes.csv        a row per finished episode: the columns of EPISODES
    times.csv           a row per iteration: the columns of TIMES; apart, since time alone differs between equal runs
    evaluations.csv     a row per evaluated episode: the columns of EVALUATIONS
    measurements.csv    what `python -m pgbench.measure` found: the columns of MEASUREMENTS
    policy.pt           the policy as it is (pgbench/policy.py)
    policy-<steps>.pt   the policy as it was then, for each of `snapshots`
    checkpoint.pt       what is needed to go on (pgbench/runs/checkpoint.py)
    lock                who trains the run now (pgbench/runs/lock.py)
    error.txt           the traceback of a failure

A row is one unbuffered write after its iteration, so a crash loses at most the iteration in flight. Floats are written
so that reading gives the same float back.
"""

import csv
import io
import json
import os
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pgbench.errors import UserError
from pgbench.files import write_atomic

FORMAT = 2
"""Of the files below, written into config.yaml. Version 0.1.0 wrote none."""

CONFIG = "config.yaml"
PROVENANCE = "provenance.jsonl"
STATUS = "status.json"
METRICS_FILE = "metrics.csv"
EPISODES_FILE = "episodes.csv"
TIMES_FILE = "times.csv"
EVALUATIONS_FILE = "evaluations.csv"
MEASUREMENTS_FILE = "measurements.csv"
POLICY = "policy.pt"
CHECKPOINT = "checkpoint.pt"
ERROR = "error.txt"
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
EVALUATIONS = {
    "env_steps": "environment steps of the seed that the evaluated policy had seen",
    "episode": "number of the episode in its evaluation, from 0",
    "return": "undiscounted return",
    "length": "steps",
    "deterministic": "1 if the most likely actions were taken, 0 if they were drawn",
}
MEASUREMENTS = {
    "env_steps": "environment steps of the seed that the measured policy had seen",
    "subject": "what was measured: a weight Phi_t of the gradient, or a direction from theta",
    "distance": "||d|| of the step along a direction; empty otherwise",
    "quantity": "variance (tr Cov of the gradient estimate), squared_bias (of its mean, can be negative) or kl (nats)",
    "value": "its value",
}


def seed_dir(job_dir: Path, seed: int) -> Path:
    """The directory of one seed's records."""
    return job_dir / f"seed-{seed}"


def write_status(directory: Path, status: str, **fields: Any) -> None:
    """Replaces status.json. `fields`: env_steps, total_steps, iteration, seconds, message, pid, host, ..."""
    assert status in STATUSES
    data = {"status": status, "updated": time.time(), **fields}
    # What ends a run survives a power cut; what is written each second may be lost, and is recognised as that.
    write_atomic(directory / STATUS, json.dumps(data).encode(), durable=status not in ("pending", "running"))


def read_status(directory: Path) -> dict[str, Any]:
    """status.json as a dict; `{"status": "pending"}` where there is none yet, with a `message` where it is damaged.

    What a damaged one said is in the checkpoint, too, and training goes on from there.
    """
    path = directory / STATUS
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and data.get("status") in STATUSES:
            return data
    except (FileNotFoundError, NotADirectoryError):
        return {"status": "pending"}
    except ValueError:
        pass
    return {"status": "pending", "message": f"{path} is damaged; re-run the command that trained it to restore it"}


def damage(directory: Path, status: Mapping[str, Any]) -> str | None:
    """What is wrong with the tables of a run that is over, and what to do; None where they are as it wrote them."""
    for name, (size, checksum) in status.get("files", {}).items():
        path = directory / name
        try:
            whole = _checksum(path, size) == checksum
        except OSError:
            whole = False
        if not whole:
            return f"{path} is damaged: put it back, or delete {directory} to train this run anew"
    return None


def _checksum(path: Path, size: int) -> int | None:
    """CRC-32 of a file's first bytes; None where it has fewer."""
    data = path.read_bytes()[:size]
    return zlib.crc32(data) if len(data) == size else None


def is_over(status: Mapping[str, Any], total_steps: int) -> bool:
    """Whether a run of this status has nothing left to train: it diverged, or is done and has so many steps."""
    return status["status"] == "diverged" or (
        status["status"] == "done" and status.get("env_steps", total_steps) >= total_steps
    )


def last_return(directory: Path) -> float | None:
    """The mean return of the last 100 training episodes, as the last whole row of metrics.csv has it; None before the
    first episode."""
    try:
        with open(directory / METRICS_FILE, "rb") as file:
            columns = file.readline().decode(errors="replace").strip().split(",")
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            rows = file.read().decode(errors="replace").split("\n")[:-1]
        return float(rows[-1].split(",")[columns.index("episode_return")])
    except (OSError, ValueError, IndexError):
        return None


def policy_file(steps: int) -> str:
    """The name of a snapshot."""
    return f"policy-{steps}.pt"


def read_rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a small table, none where it does not exist; a torn last row, or another header, is left out. What is
    no text at all is set aside, as `<name>.damaged`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        path.replace(path.with_name(f"{path.name}.damaged"))
        return []
    whole = text[: text.rfind("\n") + 1]
    rows = list(csv.DictReader(io.StringIO(whole)))
    return [row for row in rows if row.keys() == set(columns)]


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes a small table whole."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([tuple(columns), *([_cell(cell) for cell in row] for row in rows)])
    write_atomic(path, lines.getvalue().encode())


def merge_rows(path: Path, columns: Sequence[str], keys: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Adds rows to a small table, in place of those there that agree with one of them in all `keys`."""
    places = [list(columns).index(key) for key in keys]
    new = [[_cell(cell) for cell in row] for row in rows]
    gone = {tuple(row[place] for place in places) for row in new}
    old = [list(row.values()) for row in read_rows(path, columns)]
    write_rows(path, columns, [*(row for row in old if tuple(row[place] for place in places) not in gone), *new])


class Table:
    """A CSV file that only grows: a header, then whole rows, each batch of rows one write."""

    def __init__(self, path: Path, columns: Iterable[str], keep: Sequence[int] = (0, 0)):
        """Opens a table and cuts it after `keep`, a number of bytes and their checksum; (0, 0) starts it anew with its
        header. Raises UserError where these bytes are not there any more."""
        self.columns = tuple(columns)
        size, self.checksum = keep
        if size and (not path.exists() or _checksum(path, size) != self.checksum):
            raise UserError(f"{path} is damaged: put it back, or delete {path.parent} to train this run anew")
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        os.ftruncate(self.fd, size)
        self.size = size
        if not size:
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
            self.checksum = zlib.crc32(data[:written], self.checksum)
            data = data[written:]

    def sync(self) -> None:
        os.fsync(self.fd)

    def close(self) -> None:
        os.close(self.fd)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value != value else repr(value)


class Records:
    """The three tables of one seed, open for writing."""

    def __init__(
        self, directory: Path, kept: Mapping[str, Sequence[int]] | None = None, metrics: Iterable[str] = tuple(METRICS)
    ):
        """`kept`: what to keep of each table, as `files()` gave it at a checkpoint; None starts anew. `metrics`:
        columns of metrics.csv. Raises UserError for a damaged table."""
        kept, self.metrics = kept or {}, tuple(metrics)
        self.tables = {
            name: Table(directory / name, columns, kept.get(name, (0, 0)))
            for name, columns in ((METRICS_FILE, self.metrics), (EPISODES_FILE, EPISODES), (TIMES_FILE, TIMES))
        }

    def append(self, metrics: Mapping[str, Any], episodes: Iterable[Sequence[Any]], seconds: float) -> None:
        """Writes one iteration: the episodes it finished, its metrics, its time."""
        self.tables[EPISODES_FILE].append(episodes)
        self.tables[METRICS_FILE].append([[metrics.get(name, float("nan")) for name in self.metrics]])
        self.tables[TIMES_FILE].append([[metrics["iteration"], round(seconds, 6)]])

    def files(self) -> dict[str, tuple[int, int]]:
        """Bytes and checksum of each table as it is now."""
        return {name: (table.size, table.checksum) for name, table in self.tables.items()}

    def sync(self) -> None:
        for table in self.tables.values():
            table.sync()

    def close(self) -> None:
        for table in self.tables.values():
            table.close()
