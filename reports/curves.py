"""The metrics of many runs as columns: read from metrics.csv and times.csv, kept in a cache beside the records.

The cache, `<root>/.pgbench-reports/`, holds what the CSV files hold as raw 64-bit floats that are mapped into memory,
so that a second report reads a column of ten thousand runs without parsing. A run whose files have changed is read
again. It is safe to delete.
"""

import contextlib
import io
import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pgbench.runs.records import METRICS, METRICS_FILE, TIMES, TIMES_FILE
from reports.statistics import Array

CACHE = ".pgbench-reports"
LAYOUT = 1
WORTH = 300
"""Fewer runs than this are read as fast as their cache: none is written."""
MOST_FILES = 8
CHUNK = 100
COUNTS = ("iteration", "env_steps", "episodes", "terminated", "episode", "deterministic", "length")
"""Columns of whole numbers: a row without one of its counts is damaged."""


@dataclass(frozen=True)
class Table:
    """One run's records: `numbers` [C, R], a row a column of metrics.csv and the seconds of times.csv."""

    columns: tuple[str, ...]
    numbers: Array

    def __len__(self) -> int:
        return int(self.numbers.shape[1])

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> Array:
        """A column, [R]; NaN where the run has no such column."""
        try:
            return self.numbers[self.columns.index(column)]
        except ValueError:
            return np.full(len(self), np.nan)


Warn = Callable[[str], None]
Entry = tuple[list[int], int, int, int, int]
"""Sizes and times of the files; number of the data file, place in it, records, number of the list of columns."""


def read_curves(
    runs: Sequence[Path], root: Path, warn: Warn, track: Callable[[Sequence[Any]], Iterable[Any]] = iter
) -> list[Table]:
    """Each run's Table, from the cache below `root` where the files are as they were. `track` shows progress."""
    cache = _Cache(root / CACHE)
    stamps = [_stamp(run) for run in runs]
    tables = [cache.get(run, stamp) for run, stamp in zip(runs, stamps, strict=True)]
    missing = [place for place, table in enumerate(tables) if table is None]
    keep = len(runs) >= WORTH
    chunks = [missing[k : k + CHUNK] for k in range(0, len(missing), CHUNK)]
    for chunk in track(chunks) if len(chunks) > 1 else chunks:
        for place, (table, problems) in zip(chunk, read_tables([runs[place] for place in chunk]), strict=True):
            tables[place] = table
            for problem in problems:
                warn(problem)
            stamps[place] = [] if problems else stamps[place]  # a damaged file is read, and told of, each time
        if keep:  # read back from the file: a report's memory does not grow with the records
            cache.add([(runs[place], stamps[place], tables[place]) for place in chunk if stamps[place]])
            for place in chunk:
                if stamps[place]:
                    tables[place] = cache.get(runs[place], stamps[place]) or tables[place]
    if keep and missing:
        cache.save()
    return tables  # type: ignore[return-value]


def _stamp(run: Path) -> list[int]:
    stamp = []
    for name in (METRICS_FILE, TIMES_FILE):
        try:
            info = os.stat(run / name)
            stamp += [info.st_size, info.st_mtime_ns]
        except OSError:
            stamp += [0, 0]
    return stamp


def read_tables(runs: Sequence[Path]) -> list[tuple[Table, list[str]]]:
    """Each run's metrics with the seconds of its times, as far as the files can be read, and what could not be."""
    found: list[list[str]] = [[] for _ in runs]
    metrics = _read_many([run / METRICS_FILE for run in runs], tuple(METRICS), found)
    times = _read_many([run / TIMES_FILE for run in runs], tuple(TIMES), found)
    return [(_timed(*tables), problems) for *tables, problems in zip(metrics, times, found, strict=True)]


def _timed(metrics: Table, times: Table) -> Table:
    iterations, known, rows = metrics["iteration"], times["iteration"], len(metrics)
    if len(times) >= rows and np.array_equal(iterations, known[:rows]):
        seconds = times["seconds"][:rows]
    else:
        by_iteration = dict(zip(known, times["seconds"], strict=True))
        seconds = np.array([by_iteration.get(k, np.nan) for k in iterations], dtype=float)
    return Table((*metrics.columns, "seconds"), np.vstack([metrics.numbers, seconds]))


def _read_many(paths: Sequence[Path], columns: tuple[str, ...], found: Sequence[list[str]]) -> list[Table]:
    """Tables of numbers, parsed together where their columns are the same: parsing ten rows costs as much as 500."""
    texts = [_lines(path, columns, problems.append) for path, problems in zip(paths, found, strict=True)]
    tables: list[Table | None] = [None] * len(paths)
    places: dict[tuple[str, ...], list[int]] = {}
    for place, (names, _) in enumerate(texts):
        places.setdefault(names, []).append(place)
    for names, mine in places.items():
        counts = [texts[place][1].count(b"\n") for place in mine]
        try:
            numbers = _parse(names, b"".join(texts[place][1] for place in mine), dict.fromkeys(names, float)).to_numpy()
            if len(numbers) != sum(counts):
                raise ValueError("blank lines")
        except (ValueError, UnicodeDecodeError):
            continue
        ends = np.cumsum(counts)
        for place, end, count in zip(mine, ends, counts, strict=True):
            tables[place] = Table(names, np.ascontiguousarray(numbers[end - count : end].T))
    for place, table in enumerate(tables):
        if table is None:
            frame = read_csv(paths[place], columns, found[place].append)
            tables[place] = Table(tuple(map(str, frame.columns)), frame.to_numpy(float).T)
    return tables  # type: ignore[return-value]


def read_csv(path: Path, columns: tuple[str, ...], warn: Warn, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """A table of numbers (but for the columns in `text`) without its torn last line: one without its line end, or
    cells. A damaged file is read up to the first line that is not a row, with one warning that names it; one that is
    not such a table at all is empty. All columns of the file are kept."""
    names, body = _lines(path, columns, warn)
    types = {name: str if name in text else float for name in names}
    try:
        return _parse(names, body, types)
    except (ValueError, UnicodeDecodeError):
        lines = body.split(b"\n")
        good = next((k for k in range(len(lines)) if not _parses(names, lines[k], types)), len(lines))
        warn(f"{path}: line {good + 2} is damaged; the {good} records before it are shown")
        return _parse(names, b"".join(line + b"\n" for line in lines[:good]), types)


def _lines(path: Path, columns: tuple[str, ...], warn: Warn) -> tuple[tuple[str, ...], bytes]:
    """A table's column names, and its whole lines."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        warn(f"{path}: cannot be read ({error.strerror}); left out")
        data = b""
    head, _, body = data[: data.rfind(b"\n") + 1].partition(b"\n")
    if not head:
        return columns, b""
    last = body[body.rfind(b"\n", 0, -1) + 1 :]
    if body and last.count(b",") != head.count(b","):
        body = body[: len(body) - len(last)]
    names = tuple(head.decode(errors="replace").strip().split(","))
    if columns[0] not in names or len(set(names)) < len(names):
        warn(f"{path}: not a table of records (no column {columns[0]}); left out")
        return columns, b""
    return names, body


def _parse(names: tuple[str, ...], body: bytes, types: Mapping[str, type]) -> pd.DataFrame:
    if b"\x00" in body:
        raise ValueError("NUL")
    if not body:
        return pd.DataFrame({name: pd.Series(dtype=types[name]) for name in names})
    frame = pd.read_csv(io.BytesIO(body), header=None, names=list(names), dtype=types, index_col=False)
    if not np.isfinite(frame[[name for name in names if name in COUNTS]].to_numpy(float)).all():
        raise ValueError("an empty count")
    return frame


def _parses(names: tuple[str, ...], line: bytes, types: Mapping[str, type]) -> bool:
    if not line or line.count(b",") < len(names) - 1:
        return False
    try:
        return bool(len(_parse(names, line + b"\n", types)))
    except (ValueError, UnicodeDecodeError):
        return False


class _Cache:
    """Blocks of floats in a few data files, and an index that says which run's files they were read from."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: list[str] = []
        self.columns: list[tuple[str, ...]] = []
        self.runs: dict[str, Entry] = {}
        self.maps: dict[int, Any] = {}
        self.new: str | None = None
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            if index["layout"] != LAYOUT:
                return
            self.maps = {k: np.memmap(folder / name, mode="r") for k, name in enumerate(index["files"])}
            self.files, self.columns = index["files"], [tuple(names) for names in index["columns"]]
            self.runs = {run: tuple(entry) for run, entry in index["runs"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.files, self.columns, self.runs, self.maps = [], [], {}, {}  # damaged: as if there were none

    def get(self, run: Path, stamp: list[int]) -> Table | None:
        entry = self.runs.get(str(run))
        if entry is None or list(entry[0]) != stamp:
            return None
        _, file, place, rows, names = entry
        columns = self.columns[names]
        data = self.maps[file][place : place + 8 * rows * len(columns)]
        if len(data) < 8 * rows * len(columns):
            return None
        return Table(columns, np.asarray(data).view(np.float64).reshape(len(columns), rows))

    def add(self, items: Iterable[tuple[Path, list[int], Table | None]]) -> None:
        """Appends blocks to this session's data file, and maps what it has so far."""
        name = self.new or f"{uuid.uuid4().hex}.f64"
        try:
            self.folder.mkdir(exist_ok=True)
            with open(self.folder / name, "ab") as file:
                if self.new is None:
                    self.new = name
                    self.files.append(name)
                number, place = len(self.files) - 1, file.tell()
                entries: dict[str, Entry] = {}
                for run, stamp, table in items:
                    if table is None or not len(table):
                        continue
                    if table.columns not in self.columns:
                        self.columns.append(table.columns)
                    names = self.columns.index(table.columns)
                    file.write(np.ascontiguousarray(table.numbers).tobytes())
                    entries[str(run)] = (stamp, number, place, len(table), names)
                    place += table.numbers.nbytes
            if place:
                self.maps[number] = np.memmap(self.folder / name, mode="r")
                self.runs.update(entries)
        except OSError:
            pass  # a directory that is not ours, or a full disk: then without a cache

    def save(self) -> None:
        """Writes the index; beyond some data files all runs are read anew into one next time."""
        if self.new is None:
            return
        files = {} if len(self.files) > MOST_FILES else self.runs
        index = {"layout": LAYOUT, "files": self.files, "columns": self.columns, "runs": files}
        part = self.folder / f".index.{os.getpid()}"
        with contextlib.suppress(OSError):
            part.write_text(json.dumps({**index, "files": self.files if files else []}), encoding="utf-8")
            os.replace(part, self.folder / "index.json")
            for file in self.folder.glob("*.f64"):
                if file.name not in self.files:
                    file.unlink()
