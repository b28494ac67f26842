"""What the page's explorer draws from: every run's metrics on a common grid of environment steps."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reports import naming, style
from reports.data import RETURN, Data, Group
from reports.figures.diagnostics import USUAL
from reports.statistics import UNBOUNDED, align, student

POINTS, FEWEST_POINTS = 150, 60
MOST = 4_000_000
"""Numbers in a page; beyond, points and then metrics become fewer."""
KEYS = 12


def explorer(data: Data, out: Path) -> dict[str, Any]:
    """Jobs, runs and curves as plain data for the page's script; `curves`: base64 of little-endian float32, a row per
    run and a column per point of its task's grid, NaN where the records say nothing that can be drawn."""
    groups = [group for group in data.groups if group.seeds]
    count = sum(len(group.seeds) for group in groups)
    points = int(np.clip(MOST // max(4 * count, 1), FEWEST_POINTS, POINTS))
    metrics = _metrics(data, MOST // max(count * points, 1))
    grids = {
        env: np.linspace(0, max(s.until for g in groups if g.env == env for s in g.seeds), points + 1)[1:]
        for env in dict.fromkeys(group.env for group in groups)
    }
    runs = [(place, seed) for place, group in enumerate(groups) for seed in group.seeds]
    curves = {}
    for metric in metrics:
        rows = np.empty((len(runs), points), dtype="<f4")
        for row, (place, seed) in enumerate(runs):
            rows[row] = align(seed.env_steps, seed.table[metric], grids[groups[place].env], seed.until)
        rows[np.isinf(rows)] = np.nan
        curves[metric] = base64.b64encode(rows.tobytes()).decode()
    keys = _keys(groups)
    return {
        "envs": list(grids),
        "grids": {env: [float(f"{value:.6g}") for value in grid] for env, grid in grids.items()},
        "metrics": [metric for metric in metrics if metric != "seconds"],
        "names": {metric: style.metric_name(metric) for metric in metrics},
        "metric": data.metric,
        "hasSeconds": "seconds" in metrics,
        "algorithms": {
            name: {"name": naming.algorithm_name(name), "color": style.of_algorithm(name, data).color}
            for name in dict.fromkeys(group.algorithm for group in groups)
        },
        "keys": [{"key": key, "name": naming.key_name(key)} for key in keys],
        "jobs": [_job(group, metrics, keys) for group in groups],
        "runs": {
            "job": [place for place, _ in runs],
            "seed": [seed.seed for _, seed in runs],
            "counted": [int(seed in groups[place].counted) for place, seed in runs],
        },
        "thresholds": {env: level for env, level in data.thresholds.items() if level is not None},
        "student": [round(float(student(0.95, k)), 5) for k in range(1, 200)],
        "points": points,
        "curves": curves,
    }


def _metrics(data: Data, most: int) -> list[str]:
    first = [data.metric, RETURN, "seconds", *USUAL]
    names = [name for name in dict.fromkeys([*first, *data.metrics]) if name in data.metrics or name == "seconds"]
    return names[: max(most, 2)]


def _keys(groups: Sequence[Group]) -> list[str]:
    skip = (naming.NAME, naming.ENV)
    keys = [key for key in naming.varying(group.config for group in groups) if key not in skip]
    within = {
        k for n in {g.algorithm for g in groups} for k in naming.varying(g.config for g in groups if g.algorithm == n)
    }
    return sorted(keys, key=lambda key: (key not in within, key))[:KEYS]


def _job(group: Group, metrics: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    return {
        "label": group.label,
        "env": group.env,
        "algorithm": group.algorithm,
        "note": group.note,
        "score": round(group.score, 4),
        "values": {key: _plain(group.config[key]) for key in keys if key in group.config},
        "possible": {metric: ends for metric in metrics if (ends := group.possible(metric)) != UNBOUNDED},
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else naming.show(value)


def link(directory: str, out: Path) -> str:
    """The way from the page to a run's directory; as a path where there is none (another drive)."""
    try:
        return Path(os.path.relpath(directory, out.resolve())).as_posix()
    except ValueError:
        return Path(directory).as_posix()
