"""The records of one run as rows for a tracker, each once, while they grow, are cut back at a resume and grow again."""

import csv
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from pgbench.runs.flock import held
from pgbench.runs.lock import LOCK
from pgbench.runs.records import CONFIG, EVALUATIONS_FILE, METRICS_FILE, PROVENANCE, TIMES_FILE, read_status

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
    """config.yaml as one mapping: algorithm, env, hyperparameters, total_steps, ..., seed, job; and the `provenance`
    of the process that began the run."""
    content: dict[str, Any] = yaml.load((directory / CONFIG).read_text(encoding="utf-8"), yaml.CSafeLoader)
    rest = {key: value for key, value in content.items() if key != "config"}
    with suppress(FileNotFoundError), open(directory / PROVENANCE, encoding="utf-8") as file:
        rest |= {"provenance": json.loads(line)} if (line := file.readline()).endswith("\n") else {}
    return {**content["config"], **rest}


def state(directory: Path) -> str:
    """The run's status, but `stopped` where it is running by status and no process holds its lock."""
    status: str = read_status(directory).get("status", "pending")
    return "stopped" if status == "running" and held(directory / LOCK) is False else status


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


Entry = tuple[str, int, int | str]
"""What a row is made of: (metrics.csv, number of its row, that plus 1), or (evaluations.csv, env_steps, which)."""


class Reader:
    """What is new in a run, as pairs of an entry and its row.

    `rows`: how many rows of metrics.csv were sent before; `evaluations`: the entries sent before.
    """

    def __init__(self, directory: Path, rows: int = 0, evaluations: Iterable[Entry] = ()):
        self.rows, self.sent = rows, set(evaluations)
        self.metrics = Tail(directory / METRICS_FILE, rows)
        self.times = Tail(directory / TIMES_FILE, rows)
        self.waiting, self.seconds = list[Cells](), dict[float, float]()
        self.path, self.stamp = directory / EVALUATIONS_FILE, (0, 0)

    def new(self, over: bool) -> list[tuple[Entry, Cells]]:
        """`over`: nothing more is being written, so that a row need not wait for its time."""
        self.waiting += self.metrics.new()
        self.seconds |= {row["iteration"]: row["seconds"] for row in self.times.new()}
        found: list[tuple[Entry, Cells]] = []
        while self.waiting and (over or self.waiting[0].get("iteration") in self.seconds):
            row = self.waiting.pop(0)
            seconds = self.seconds.pop(row.get("iteration", math.nan), math.nan)
            found.append(((METRICS_FILE, self.rows, self.rows + 1), known({**row, "seconds": seconds})))
            self.rows += 1
        found += [pair for pair in self._evaluations().items() if pair[0] not in self.sent]
        self.sent |= {entry for entry, _ in found}
        return found

    def _evaluations(self) -> dict[Entry, Cells]:
        """All evaluations, if the file has changed: it is written whole, each time."""
        with suppress(FileNotFoundError, NotADirectoryError):
            stat = self.path.stat()
            if self.stamp != (stat.st_mtime_ns, stat.st_size):
                self.stamp = (stat.st_mtime_ns, stat.st_size)
                return evaluations(self.path)
        return {}


def evaluations(path: Path) -> dict[Entry, Cells]:
    """The evaluations of a file by entry, in its order. An entry names what was evaluated and what came out: one that
    is made again with the same result is the same, one with another result is new."""
    groups: dict[tuple[float, float], list[Cells]] = {}
    for row in Tail(path).new():
        groups.setdefault((row["env_steps"], row["deterministic"]), []).append(row)
    found: dict[Entry, Cells] = {}
    for (steps, deterministic), rows in groups.items():
        digest = zlib.crc32(repr([sorted(row.items()) for row in rows]).encode())
        found[EVALUATIONS_FILE, int(steps), f"{deterministic:g}-{digest:08x}"] = evaluation(rows)
    return found


def known(row: Mapping[str, float | int]) -> Cells:
    """Without the cells that are empty in the records."""
    return {name: value for name, value in row.items() if value == value}


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
