"""The records of one run as rows for a tracker, each once, while they grow, are cut back at a resume and grow again."""

import csv
import fcntl
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pgbench.lock import LOCK
from pgbench.records import CONFIG, METRICS_FILE, TIMES_FILE, read_status

EVALUATIONS_FILE = "evaluations.csv"
OVER = ("done", "diverged", "failed")

Cells = dict[str, float | int]


def number(text: str) -> float | int:
    """A cell as it was before it was written; an empty cell is NaN, True is 1."""
    text = {"True": "1", "False": "0"}.get(text, text)
    try:
        return int(text)
    except ValueError:
        return float(text) if text else math.nan


def read_config(directory: Path) -> dict[str, Any]:
    """config.yaml as one mapping: algorithm, env, hyperparameters, total_steps, ..., seed, job, provenance."""
    content: dict[str, Any] = yaml.load((directory / CONFIG).read_text(), yaml.CSafeLoader)
    rest = {key: value for key, value in content.items() if key != "config"}
    return {**content["config"], **rest}


def state(directory: Path) -> str:
    """The run's status, but `stopped` where it is running by status and no process holds its lock."""
    status: str = read_status(directory).get("status", "pending")
    return "stopped" if status == "running" and not held(directory / LOCK) else status


def held(path: Path) -> bool:
    """Whether a process holds this lock."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


class Tail:
    """The whole rows of a CSV file that grows. `skip`: rows not to give.

    When a run resumes, its tables are cut back and the same rows come again (only their times differ): they are
    numbered by their place and given once.
    """

    def __init__(self, path: Path, skip: int = 0):
        self.path, self.given = path, skip
        self._rewind()

    def _rewind(self) -> None:
        self.offset, self.place, self.last, self.header = 0, 0, b"", list[str]()

    def new(self) -> list[Cells]:
        """The rows since the last call. A last line without its end is left for later."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset - len(self.last))
                if file.read(len(self.last)) != self.last:  # cut back since
                    self._rewind()
                    file.seek(0)
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return []
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            return []
        self.offset += len(data)
        self.last = data[data.rfind(b"\n", 0, -1) + 1 :]
        lines = list(csv.reader(data.decode().splitlines()))
        if not self.header:
            self.header = lines.pop(0)
        first = self.place
        self.place += len(lines)
        fresh = lines[max(0, self.given - first) :]
        self.given = max(self.given, self.place)
        return [dict(zip(self.header, map(number, line), strict=False)) for line in fresh]


class Reader:
    """What is new in a run, as (source, first, last, row): the rows first..last-1 of the file `source` make this row.

    `cursors`: how many rows of each file were sent before.
    """

    def __init__(self, directory: Path, cursors: Mapping[str, int]):
        self.cursor = {name: cursors.get(name, 0) for name in (METRICS_FILE, EVALUATIONS_FILE)}
        self.metrics = Tail(directory / METRICS_FILE, self.cursor[METRICS_FILE])
        self.times = Tail(directory / TIMES_FILE, self.cursor[METRICS_FILE])
        self.evaluations = Tail(directory / EVALUATIONS_FILE, self.cursor[EVALUATIONS_FILE])
        self.waiting, self.seconds, self.evaluated = list[Cells](), dict[float, float](), list[Cells]()

    def new(self, over: bool) -> list[tuple[str, int, int, Cells]]:
        """`over`: nothing more is being written, so that what is incomplete need not be waited for."""
        self.waiting += self.metrics.new()
        self.seconds |= {row["iteration"]: row["seconds"] for row in self.times.new()}
        found = []
        while self.waiting and (over or self.waiting[0].get("iteration") in self.seconds):
            row = self.waiting.pop(0)
            seconds = self.seconds.pop(row.get("iteration", math.nan), math.nan)
            found.append(self._next(METRICS_FILE, 1, known({**row, "seconds": seconds})))
        self.evaluated += self.evaluations.new()
        groups = list(group_evaluations(self.evaluated))
        for group in groups if over else groups[:-1]:
            self.evaluated = self.evaluated[len(group) :]
            found.append(self._next(EVALUATIONS_FILE, len(group), evaluation(group)))
        return found

    def _next(self, source: str, count: int, row: Cells) -> tuple[str, int, int, Cells]:
        first = self.cursor[source]
        self.cursor[source] += count
        return source, first, first + count, row


def known(row: Mapping[str, float | int]) -> Cells:
    """Without the cells that are empty in the records."""
    return {name: value for name, value in row.items() if value == value}


def group_evaluations(rows: Sequence[Cells]) -> Iterator[list[Cells]]:
    """The evaluated episodes of one evaluation after the other: same env_steps, same kind of actions."""
    group: list[Cells] = []
    for row in rows:
        if group and any(row.get(name) != group[0].get(name) for name in ("env_steps", "deterministic")):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def evaluation(rows: Sequence[Cells]) -> Cells:
    """One evaluation of n episodes as a row: mean, population deviation, least and largest return, mean length."""
    returns, lengths = [row["return"] for row in rows], [row["length"] for row in rows]
    n, mean = len(rows), sum(returns) / len(rows)
    row = {
        "env_steps": rows[0]["env_steps"],
        "evaluation/episodes": n,
        "evaluation/return": mean,
        "evaluation/return_std": math.sqrt(sum((value - mean) ** 2 for value in returns) / n),
        "evaluation/return_min": min(returns),
        "evaluation/return_max": max(returns),
        "evaluation/length": sum(lengths) / n,
        "evaluation/deterministic": rows[0].get("deterministic", math.nan),
    }
    return known(row)
