"""From records to what figures and tables are drawn from."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pgbench.errors import UserError
from pgbench.runs.find import Directories
from pgbench.runs.records import EVALUATIONS, EVALUATIONS_FILE
from reports import naming, possible, search
from reports.curves import Table
from reports.data import RETURN, Data, Group, Seed
from reports.load import read_files, read_measurements, read_study
from reports.normalization import load_bounds
from reports.published import Published, load_published
from reports.thresholds import threshold


def load_data(
    directories: Directories,
    published: bool = False,
    thresholds: Mapping[str | None, float] | None = None,
    *,
    metric: str = RETURN,
    x: str = "env_steps",
    evaluations: bool = False,
    normalize: Path | None = None,
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> Data:
    """Reads all runs below the directories. `thresholds` by environment, None for all. Raises UserError."""
    places, searches = search.split(directories)
    study = read_study(places)
    names = search.labels(searches)
    study.seeds["label"] = [
        names.get(job, old) for job, old in zip(study.seeds["job"], study.seeds["label"], strict=True)
    ]
    tables = study.curves(track)
    groups = _groups(study.seeds, tables)
    data = assemble(groups, thresholds, metric, x, normalize)
    theirs = (
        _reached(load_published({(one.env, one.algorithm) for one in groups}, evaluations), data) if published else ()
    )
    if published and not theirs:
        study.problems.append("--published: no published number is of these tasks and algorithms at so few steps")
    rows = read_files(study.seeds, EVALUATIONS_FILE, EVALUATIONS, study.problems.append) if evaluations else None
    return Data(
        **{
            **{name: getattr(data, name) for name in ("groups", "thresholds", "bounds", "metric", "x")},
            "published": theirs,
            "measurements": read_measurements(study.seeds, study.problems.append),
            "evaluations": rows,
            "seeds": study.seeds,
            "problems": tuple(study.problems),
            "searches": searches,
        }
    )


def _reached(published: Iterable[Published], data: Data) -> tuple[Published, ...]:
    """Those at steps that our runs of the task have come to."""
    ends = {env: max((group.end for group in data.of(env)), default=0.0) for env in data.envs}
    return tuple(one for one in published if one.env_steps <= 1.02 * ends.get(one.env, 0.0))


def assemble(
    groups: tuple[Group, ...],
    thresholds: Mapping[str | None, float] | None = None,
    metric: str = RETURN,
    x: str = "env_steps",
    normalize: Path | None = None,
) -> Data:
    """Data of these groups alone. Raises UserError where none records the metric."""
    envs = dict.fromkeys(group.env for group in groups)
    bounds = {**load_bounds(), **(load_bounds(normalize) if normalize else {})}
    data = Data(
        groups=tuple(one.bounded(possible.returns(one.config, bounds.get(one.env))) for one in groups),
        thresholds={env: threshold(env, thresholds or {}) for env in envs},
        bounds={env: bounds[env] for env in envs if env in bounds},
        metric=metric,
        x=x,
    )
    known = {*data.metrics, "seconds"}
    if metric != RETURN and metric not in known:
        raise UserError(f"no run records '{metric}'; recorded: {', '.join(sorted(known))}")
    return data


def from_frame(runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps") -> Data:
    """Data of a DataFrame as `load_runs` gives it, whole or filtered. The settings known are its columns'.

    Raises UserError where a needed column is missing.
    """
    needed = ("env", "algorithm", "label", "job", "seed", "env_steps", metric)
    missing = [name for name in needed if name not in runs]
    if missing:
        raise UserError(f"the DataFrame has no column {', '.join(missing)}; `reports.load_runs` gives one that has")
    keys = [str(name) for name in runs if "." in str(name)]
    numbers = [str(n) for n in runs.select_dtypes("number") if n not in ("seed", "total_steps", *keys)]
    rows, tables = [], []
    for (job, seed), part in runs.groupby(["job", "seed"], sort=False, observed=True):
        first = part.iloc[0]
        table = Table(tuple(numbers), np.ascontiguousarray(part[numbers].to_numpy(float).T))
        if RETURN not in table:
            table = Table((*numbers, RETURN), np.vstack([table.numbers, table[metric]]))
        config = {naming.NAME: first["algorithm"], naming.ENV: first["env"], **{key: first[key] for key in keys}}
        rows.append(
            {
                "env": first["env"],
                "algorithm": first["algorithm"],
                "label": first["label"],
                "job": job,
                "seed": seed,
                "hyperparameters": first.get("hyperparameters", ""),
                "status": first.get("status", "done"),
                "total_steps": int(first.get("total_steps", table["env_steps"][-1])),
                "config": {key: value for key, value in config.items() if value is not None and value == value},
            }
        )
        tables.append(table)
    if not rows:
        raise UserError("the DataFrame has no rows")
    return assemble(_groups(pd.DataFrame(rows), tables), metric=metric, x=x)


def _groups(seeds: pd.DataFrame, tables: Sequence[Table]) -> tuple[Group, ...]:
    places: dict[str, list[int]] = {}
    for place, job in enumerate(seeds["job"]):
        places.setdefault(job, []).append(place)
    rows: list[dict[Any, Any]] = seeds.to_dict("records")
    return tuple(_group([rows[k] for k in mine], [tables[k] for k in mine]) for mine in places.values())


def _group(rows: Sequence[Mapping[Any, Any]], tables: Sequence[Table]) -> Group:
    first, seeds, left_out = rows[0], [], []
    for row, table in zip(rows, tables, strict=True):
        if row["status"] == "failed":
            left_out.append((int(row["seed"]), f"failed: {row.get('message') or 'see error.txt'}"))
        elif not len(table) or np.isnan(table[RETURN]).all():
            left_out.append((int(row["seed"]), f"{row['status']}, no finished episode"))
        else:
            where, message = str(row.get("directory", "")), str(row.get("message", ""))
            seeds.append(Seed(int(row["seed"]), row["status"], table, int(row["total_steps"]), where, message))
    if any(seed.finished for seed in seeds):
        left_out += [(one.seed, f"{one.status}, drawn but not counted") for one in seeds if not one.finished]
    return Group(
        job=first["job"],
        env=first["env"],
        algorithm=first["algorithm"],
        label=first["label"],
        hyperparameters=first["hyperparameters"],
        total_steps=max(int(row["total_steps"]) for row in rows),
        config=first["config"],
        statuses=Counter(row["status"] for row in rows),
        seeds=tuple(seeds),
        left_out=tuple(left_out),
    )
