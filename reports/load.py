"""Reads the records of runs into DataFrames: a row a seed, a row an iteration, or a row an episode.

What the files hold is defined in pgbench/records.py. A run may still be going on: what it has written is
read.
"""

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pgbench.errors import UserError
from pgbench.runs.records import (
    CONFIG,
    EPISODES,
    EPISODES_FILE,
    MEASUREMENTS,
    MEASUREMENTS_FILE,
    METRICS,
    METRICS_FILE,
    TIMES,
    TIMES_FILE,
    read_status,
)

Directories = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

# The slides' order, from the simplest to the most constrained; how people write the names.
ALGORITHMS = {"reinforce": "REINFORCE", "vpg": "VPG", "npg": "NPG", "trpo": "TRPO"}
NAMES = ("algorithm.name", "env.id", "hyperparameters.name")
COUNTS = ("iteration", "env_steps", "episodes", "terminated")


def load_runs(directories: Directories) -> pd.DataFrame:
    """A row a record (one iteration of one seed), below one directory or several.

    Columns: those of `load_seeds`, those of metrics.csv (`pgbench.runs.records.METRICS`) and `seconds`.
    `episode_return` is the mean of the last 100 finished episodes. Seeds without a record yet have no row.
    Raises UserError.
    """
    return read_runs(load_seeds(directories))


def load_episodes(directories: Directories) -> pd.DataFrame:
    """A row a finished episode: the columns of `load_seeds` and `pgbench.runs.records.EPISODES`. Raises UserError."""
    seeds = load_seeds(directories)
    return _join(seeds, [_read(Path(path) / EPISODES_FILE, EPISODES) for path in seeds["directory"]])


def load_seeds(directories: Directories) -> pd.DataFrame:
    """A row a seed, whether it has records yet or not.

    Columns: algorithm, env (Gymnasium id), hyperparameters (the name of the set), seed, job, status (pending,
    running, done, diverged, failed), total_steps, label (names the job among those of its environment, e.g.
    "TRPO, delta=0.01"), directory, config (flat, by dotted name), and a column a config key that varies
    between the jobs, e.g. `hyperparameters.delta`. Raises UserError where there are no runs, or one run lies twice.
    """
    if isinstance(directories, str | os.PathLike):
        directories = [directories]
    found: dict[tuple[str, int], Path] = {}
    configs: dict[str, dict[str, Any]] = {}
    for path in dict.fromkeys(seed.resolve() for root in directories for seed in _find(Path(root))):
        job, seed = path.parent.name, int(path.name.removeprefix("seed-"))
        if (job, seed) in found:
            raise UserError(f"{job}, seed {seed} lies in two places, give only one: {found[job, seed]} and {path}")
        found[job, seed] = path
        if job not in configs:
            configs[job] = _config(path / CONFIG)
    varying = _varying(configs)
    labels = _labels(configs, varying)
    order = sorted(found, key=lambda run: (_rank(configs[run[0]], varying), run))
    rows = [_row(job, seed, found[job, seed], configs[job], labels[job]) for job, seed in order]
    for row in rows:
        row.update({key: row["config"].get(key) for key in varying})
    return pd.DataFrame(rows)


def read_runs(seeds: pd.DataFrame) -> pd.DataFrame:
    """The records of the seeds of `load_seeds`, as `load_runs` gives them."""
    frames = []
    for path in map(Path, seeds["directory"]):
        metrics, times = _read(path / METRICS_FILE, METRICS), _read(path / TIMES_FILE, TIMES)
        seconds = dict(zip(times["iteration"], times["seconds"], strict=True))
        metrics["seconds"] = metrics["iteration"].map(seconds).astype(float)
        frames.append(metrics)
    return _join(seeds, frames)


def read_measurements(seeds: pd.DataFrame) -> pd.DataFrame:
    """What `measure=...` measured of the seeds of `load_seeds`: a row a number, `pgbench.runs.records.MEASUREMENTS`."""
    frames = []
    for path in map(Path, seeds["directory"]):
        file = path / MEASUREMENTS_FILE
        table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=list(MEASUREMENTS))
        frames.append(table.astype({"subject": str, "distance": float, "quantity": str, "value": float}))
    return _join(seeds, frames)


def _find(root: Path) -> list[Path]:
    if not root.is_dir():
        raise UserError(f"{root}: no such directory")
    seeds = sorted(path.parent for path in root.rglob(CONFIG) if _is_seed(path.parent.resolve().name))
    if not seeds:
        raise UserError(
            f"{root}: no runs below it (looked for */seed-<k>/{CONFIG}); "
            f"`python -m pgbench output_dir={root}` writes some"
        )
    return seeds


def _is_seed(name: str) -> bool:
    return name.startswith("seed-") and name.removeprefix("seed-").isdecimal()


def _config(path: Path) -> dict[str, Any]:
    """The config of a job, flat. Its hash names the job, so all its seeds share it and one is read."""
    try:
        config = _flat(yaml.load(path.read_text(), yaml.CSafeLoader)["config"])
        return {**{key: config[key] for key in (*NAMES, "total_steps")}, **config}
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: not the config of a run (needs config.{', config.'.join(NAMES)})") from None


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = tuple(value) if isinstance(value, list) else value
    return flat


def _varying(configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The keys with more than one value; the three names have columns of their own."""
    keys = dict.fromkeys(key for config in configs.values() for key in config)
    known = (*NAMES, "total_steps")
    return [key for key in keys if key not in known and len({config.get(key) for config in configs.values()}) > 1]


def _labels(configs: Mapping[str, Mapping[str, Any]], varying: list[str]) -> dict[str, str]:
    """Names each job by its algorithm and, where needed, the set of values or the values that differ."""
    labels = {}
    for job, config in configs.items():
        rivals = [one for one in configs.values() if all(one[key] == config[key] for key in NAMES[:2])]
        twins = [one for one in rivals if one[NAMES[2]] == config[NAMES[2]]]
        parts = [algorithm_name(config["algorithm.name"])]
        if len(twins) < len(rivals):
            parts.append(config[NAMES[2]])
        for key in (*varying, "total_steps"):
            if len({one.get(key) for one in twins}) > 1:
                parts.append(f"{key.rpartition('.')[2]}={_show(config.get(key))}")
        labels[job] = ", ".join(parts)
    return labels


def algorithm_name(algorithm: str) -> str:
    """The name as people write it: REINFORCE, VPG, NPG, TRPO."""
    return ALGORITHMS.get(algorithm, algorithm.upper())


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(_show, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rank(config: Mapping[str, Any], varying: list[str]) -> tuple[Any, ...]:
    """Sorts by environment, algorithm, name of the values, then the values themselves, numbers as numbers."""
    algorithm = config["algorithm.name"]
    place = list(ALGORITHMS).index(algorithm) if algorithm in ALGORITHMS else len(ALGORITHMS)
    values = [config.get(key) for key in (*varying, "total_steps")]
    numbers = [(0, value, "") if isinstance(value, int | float) else (1, 0, str(value)) for value in values]
    return config["env.id"], place, algorithm, config["hyperparameters.name"], numbers


def _row(job: str, seed: int, path: Path, config: Mapping[str, Any], label: str) -> dict[str, Any]:
    algorithm, env, hyperparameters = (config[key] for key in NAMES)
    return {
        "algorithm": algorithm,
        "env": env,
        "hyperparameters": hyperparameters,
        "seed": seed,
        "job": job,
        "status": read_status(path)["status"],
        "total_steps": config["total_steps"],
        "label": label,
        "directory": str(path),
        "config": config,
    }


def _read(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """A table without its torn last line: one that lacks its line end, or cells."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        lines = []
    if lines and lines[-1].count(b",") < lines[0].count(b","):
        lines.pop()
    if not lines:
        lines = [",".join(columns).encode()]
    try:
        table = pd.read_csv(io.BytesIO(b"\n".join(lines)), dtype=float)
        return table.reindex(columns=list(columns)).astype({name: "int64" for name in COUNTS if name in columns})
    except ValueError as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None


def _join(seeds: pd.DataFrame, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Each seed's identity beside each of its rows."""
    which = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    identity = seeds.drop(columns=["directory", "config"]).iloc[which].reset_index(drop=True)
    return pd.concat([identity, pd.concat(frames, ignore_index=True)], axis=1)
