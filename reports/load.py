"""Reads the records of runs into DataFrames: one row per seed, per iteration, per episode or per evaluation.

What the files hold is defined in pgbench's records module. A run may still be going on: what it has written is read.
What cannot be read is named in one warning, and the other runs are shown.
"""

import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pgbench.errors import UserError
from pgbench.runs.find import Directories, find_runs, roots
from pgbench.runs.records import (
    CONFIG,
    EPISODES,
    EPISODES_FILE,
    EVALUATIONS,
    EVALUATIONS_FILE,
    FORMAT,
    MEASUREMENTS,
    MEASUREMENTS_FILE,
    METRICS_FILE,
    PROVENANCE,
    STATUS,
    STATUSES,
)
from reports import naming, possible
from reports.curves import COUNTS, Table, Warn, read_csv, read_curves

TEXTS = ("algorithm", "env", "hyperparameters", "job", "status", "label")
UNKNOWN = "unknown"
"""The status of a run whose status.json is lost or damaged."""
SHOWN = 5


class RecordsWarning(UserWarning):
    """A run, or a file of one, that could not be read."""


@dataclass(frozen=True)
class Study:
    """All runs found. `seeds`: `load_seeds`' rows; `problems`: what could not be read, one line each."""

    seeds: pd.DataFrame
    problems: list[str]
    root: Path

    def curves(self, track: Callable[[Sequence[Any]], Iterable[Any]] = iter) -> list[Table]:
        """The metrics of each row of `seeds`."""
        return read_curves([Path(path) for path in self.seeds["directory"]], self.root, self.problems.append, track)


def load_runs(directories: Directories) -> pd.DataFrame:
    """One row per record (one iteration of one seed), below one directory or several.

    Columns: those of `load_seeds` but for directory, config and provenance; those of metrics.csv
    (`pgbench.runs.records.METRICS`, and whatever an algorithm of your own records); `seconds`. `episode_return` is the
    mean of the last 100 finished episodes. Seeds without a record yet have no row. Warns (RecordsWarning) of what
    cannot be read; raises UserError where there are no runs.
    """
    study = read_study(directories)
    frame = _join(study.seeds, [table_frame(table) for table in study.curves()])
    _tell(study.problems)
    return frame


def load_episodes(directories: Directories) -> pd.DataFrame:
    """One row per finished training episode: `load_seeds`' columns and EPISODES of `pgbench.runs.records`. Raises
    UserError."""
    return _load(directories, EPISODES_FILE, EPISODES)


def load_evaluations(directories: Directories) -> pd.DataFrame:
    """One row per evaluated episode: `load_seeds`' columns and EVALUATIONS of `pgbench.runs.records`; no row where no
    policy was evaluated. Raises UserError."""
    return _load(directories, EVALUATIONS_FILE, EVALUATIONS)


def load_seeds(directories: Directories) -> pd.DataFrame:
    """One row per seed, whether it has records yet or not.

    Columns: algorithm, env (Gymnasium id), hyperparameters (the name of the set), seed, job, status (pending, running,
    done, diverged, failed; unknown where status.json is lost), total_steps, label (names the job among those of its
    environment, e.g. "TRPO, delta=0.01"), directory, config (flat, by dotted name), message, provenance (a mapping per
    process that wrote the run), and a column per config key that varies between the jobs, e.g.
    `hyperparameters.delta`, or changes their task (`env.kwargs.*`, `env.wrappers`). Warns of what cannot be read;
    raises UserError where there are no runs, or one run lies in two places.
    """
    study = read_study(directories)
    _tell(study.problems)
    return study.seeds


def _load(directories: Directories, file: str, columns: Mapping[str, str]) -> pd.DataFrame:
    study = read_study(directories)
    frame = read_files(study.seeds, file, columns, study.problems.append)
    _tell(study.problems)
    return frame


def _tell(problems: list[str]) -> None:
    for problem in problems:
        warnings.warn(problem, RecordsWarning, stacklevel=3)


def read_study(directories: Directories) -> Study:
    """Finds the runs and reads all but their tables. Raises UserError."""
    problems: list[str] = []
    configs: dict[str, dict[str, Any]] = {}
    found: dict[tuple[str, int], Path] = {}
    totals: dict[tuple[str, int], int] = {}
    origins: dict[tuple[str, int], list[Any]] = {}
    parsed: dict[bytes, Any] = {}
    waiting = 0
    for path in find_runs(directories):
        job, seed = path.parent.name, int(path.name.removeprefix("seed-"))
        if (job, seed) in found:
            raise UserError(f"{job}, seed {seed} lies in two places, give only one: {found[job, seed]} and {path}")
        if not (path / CONFIG).exists() and not _begun(path / METRICS_FILE):
            waiting += 1  # a sweep marks its runs as pending before it writes them
            continue
        try:
            config, total, origin = _config(path / CONFIG, parsed)
        except UserError as error:
            problems.append(str(error))
            continue
        if configs.setdefault(job, config) != config:
            problems.append(f"{path / CONFIG}: not the config of the other seeds of {job}; this run is left out")
            continue
        found[job, seed], totals[job, seed], origins[job, seed] = path, total, origin
    if not found:
        none = f"{roots(directories)[0]}: none of its {waiting} runs has begun yet"
        raise UserError(f"{problems[0]}; no run is left" if problems else none)
    labels = naming.labels(configs)
    known = (naming.NAME, naming.ENV, naming.SET, naming.STEPS)
    varying = [key for key in naming.varying(configs.values()) if key not in known]
    told = dict.fromkeys([*varying, *(key for config in configs.values() for key in possible.changes(config))])
    ranks = {job: naming.order(config, (*varying, naming.STEPS)) for job, config in configs.items()}
    rows = []
    for job, seed in sorted(found, key=lambda run: (ranks[run[0]], run)):
        path, config = found[job, seed], configs[job]
        algorithm, env, hyperparameters = (config[key] for key in known[:3])
        status = read_status(path, problems.append)
        problems += _cut(path, status)
        rows.append(
            {
                "algorithm": algorithm,
                "env": env,
                "hyperparameters": hyperparameters,
                "seed": seed,
                "job": job,
                "status": status["status"],
                "total_steps": totals[job, seed],
                "label": labels[job],
                "directory": str(path),
                "config": config,
                "message": str(status.get("message") or ""),
                "provenance": origins[job, seed] or _provenance(path / PROVENANCE, problems.append),
                **{key: config.get(key) for key in told},
            }
        )
    return Study(pd.DataFrame(rows), problems, roots(directories)[0])


def _config(path: Path, parsed: dict[bytes, Any]) -> tuple[dict[str, Any], int, list[Any]]:
    """A run's config, flat; its total_steps; its provenance where version 0.1.0 wrote it. Raises UserError.

    Runs of one job differ in their seed alone, so most files have been parsed already.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: missing; this run is left out") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); this run is left out") from None
    key = re.sub(rb"(?m)^seed: \d+$", b"", data, count=1)
    if key not in parsed:
        parsed[key] = _parse(path, data)
    if isinstance(parsed[key], str):
        raise UserError(f"{path}: {parsed[key]}; this run is left out")
    result: tuple[dict[str, Any], int, list[Any]] = parsed[key]
    return result


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], int, list[Any]] | str:
    names = (naming.NAME, naming.ENV, naming.SET)
    try:
        run = yaml.load(data.decode(), yaml.CSafeLoader)
        written = run.get("format", 1)
        if not isinstance(written, int) or written > FORMAT:
            return f"format {written}, this version reads up to {FORMAT}: update pgbench"
        config = naming.flat(run["config"])
        config = {**{key: config[key] for key in names}, **config}
        total = run["total_steps"] if naming.STEPS in run else config[naming.STEPS]
        return config, int(total), [run["provenance"]] if "provenance" in run else []
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return f"not the config of a run (needs config.{', config.'.join(names)}, total_steps)"


def read_status(directory: Path, warn: Warn) -> dict[str, Any]:
    """status.json; pending before there is one, unknown where it is lost or damaged."""
    path = directory / STATUS
    try:
        data = json.loads(path.read_bytes())
        if data["status"] not in STATUSES:
            raise ValueError
        return dict(data)
    except FileNotFoundError:
        if not _begun(directory / METRICS_FILE):
            return {"status": "pending"}
        warn(f"{path}: missing; the run's records are shown")
    except OSError as error:
        warn(f"{path}: cannot be read ({error.strerror}); the run's records are shown")
    except (ValueError, KeyError, TypeError):
        warn(f"{path}: damaged; the run's records are shown")
    return {"status": UNKNOWN}


def _cut(directory: Path, status: Mapping[str, Any]) -> Iterator[str]:
    """What is missing of the tables of a run that is over, by the sizes that its status keeps."""
    for name, (size, _) in status.get("files", {}).items():
        path = directory / name
        has = path.stat().st_size if path.exists() else 0
        if has < size:
            yield f"{path}: damaged, it has {has} of the {size} bytes that its run wrote; what is left is shown"


def _begun(metrics: Path) -> bool:
    """Whether there is a record below the head of the table."""
    try:
        return metrics.read_bytes().count(b"\n") > 1
    except OSError:
        return False


def _provenance(path: Path, warn: Warn) -> list[Any]:
    """What each process that wrote the run told of itself; a torn last line is dropped."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    found = []
    for number, line in enumerate(filter(None, lines[:-1]), 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            warn(f"{path}: line {number} is damaged and left out")
    return found


def read_files(seeds: pd.DataFrame, file: str, columns: Mapping[str, str], warn: Warn) -> pd.DataFrame:
    """One of the other tables of all seeds, with their identity beside each row."""

    def read(path: Path, row: Any) -> pd.DataFrame:
        table = read_csv(path, tuple(columns), warn)
        for name in columns:
            if name in COUNTS and name not in table:
                warn(f"{path}: not a table of records (no column {name}); left out")
                table = table.iloc[:0].reindex(columns=list(columns))
        return table.reindex(columns=list(columns))

    frame = _gather(seeds, file, tuple(columns), read)
    return frame.astype({name: "int64" for name in COUNTS if name in columns})


def read_measurements(seeds: pd.DataFrame, warn: Warn) -> pd.DataFrame:
    """What was measured of policies: one row per number, MEASUREMENTS of `pgbench.runs.records`, `env_steps` first.

    Version 0.1.0 measured the last policy alone, without that column: there it is the run's total_steps.
    """
    names = ("env_steps", *(name for name in MEASUREMENTS if name != "env_steps"))

    def read(path: Path, row: Any) -> pd.DataFrame:
        first = path.read_bytes().partition(b"\n")[0].decode(errors="replace").split(",")
        table = read_csv(path, tuple(first), warn, text=("subject", "quantity"))
        if "env_steps" not in table:
            table.insert(0, "env_steps", float(row.total_steps))
        return table.reindex(columns=list(names))

    return _gather(seeds, MEASUREMENTS_FILE, names, read)


def _gather(
    seeds: pd.DataFrame, file: str, columns: Sequence[str], read: Callable[[Path, Any], pd.DataFrame]
) -> pd.DataFrame:
    """The file of each seed that has it."""
    places, frames = [], []
    for place, row in enumerate(seeds.itertuples()):
        path = Path(str(row.directory)) / file
        if path.exists():
            places.append(place)
            frames.append(read(path, row))
    if not frames:
        frames = [pd.DataFrame({name: pd.Series(dtype=float) for name in columns})]
        places = [0]
    return _join(seeds.iloc[places], frames)


def table_frame(table: Table) -> pd.DataFrame:
    """A run's Table as a DataFrame, counts as integers."""
    frame = pd.DataFrame({name: np.array(table[name]) for name in table.columns})
    return frame.astype({name: "int64" for name in COUNTS if name in frame})


def _join(seeds: pd.DataFrame, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Each seed's identity beside each of its rows; texts as categories, which are small."""
    which = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    left = seeds.drop(columns=["directory", "config", "message", "provenance"])
    left = left.astype(dict.fromkeys(TEXTS, "category")).iloc[which].reset_index(drop=True)
    full = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat([left, pd.concat(full, ignore_index=True)], axis=1)


def summarise(problems: list[str]) -> list[str]:
    """The first problems, and how many more there are: a report prints no more lines than are read."""
    more = len(problems) - SHOWN
    kinds = Counter(problem.rpartition(": ")[2] for problem in problems[SHOWN:])
    rest = [f"{more} more like these, e.g. {next(iter(kinds))}; all are listed in index.html"] if more > 0 else []
    return [*problems[:SHOWN], *rest]
