"""What figures and tables are drawn from: the records by job, thresholds and published numbers."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pgbench.errors import UserError
from pgbench.runs.find import Directories
from pgbench.runs.records import EVALUATIONS, EVALUATIONS_FILE
from reports import naming, possible, search
from reports.curves import Table
from reports.load import RecordsWarning, Study, read_files, read_measurements, read_study
from reports.normalization import Bounds, load_bounds
from reports.published import Published, load_published
from reports.statistics import (
    UNBOUNDED,
    Array,
    Interval,
    align,
    average,
    best,
    difference_interval,
    iqm_interval,
    mean_interval,
    steps_to_threshold,
    within,
)
from reports.thresholds import threshold

WINDOW = 100
FRACTIONS = (0.25, 0.5, 1.0)
RETURN = "episode_return"
FINISHED = ("done", "diverged")
ROUNDING = 1e-6
"""How far beyond its bounds a recorded number may lie: a KL divergence in float32 is a little below 0 at times."""


@dataclass(frozen=True)
class Seed:
    """One seed's records, [R] each: its Table with at least env_steps, episode_return and episodes."""

    seed: int
    status: str
    table: Table
    total_steps: int
    directory: str = ""
    message: str = ""

    @property
    def env_steps(self) -> Array:
        """Environment steps of the seed so far, at each record."""
        return self.table["env_steps"]

    @property
    def returns(self) -> Array:
        """The mean of the last 100 finished episodes."""
        return self.table[RETURN]

    @cached_property
    def finished(self) -> bool:
        """Whether there is nothing to come: done, diverged, or (its status lost) as long as it was to be."""
        return self.status in FINISHED or float(self.env_steps[-1]) >= self.total_steps

    @cached_property
    def until(self) -> float:
        """The last step the records speak of. A diverged seed keeps its last return to its end: it learns no more."""
        last = float(self.env_steps[-1])
        return max(last, float(self.total_steps)) if self.status == "diverged" else last

    @cached_property
    def start(self) -> float:
        """The first step with a finished episode."""
        return float(self.env_steps[~np.isnan(self.returns)][0])

    @cached_property
    def end(self) -> float:
        """The step up to which the seed is compared: its total_steps, and not the few that an iteration overshoots."""
        return min(self.until, max(float(self.total_steps), self.start))


@dataclass(frozen=True)
class Group:
    """The seeds of one job. `seeds` are those with a finished episode that have not failed.

    A diverged seed counts and keeps its last return. A failed seed says nothing of the algorithm: it is left out, and
    shown in `note`. A seed that is still running is drawn as far as it has come, and counts only where none is
    finished.
    """

    job: str
    env: str
    algorithm: str
    label: str
    hyperparameters: str
    total_steps: int
    config: Mapping[str, Any]
    statuses: Counter[str]
    seeds: tuple[Seed, ...]
    left_out: tuple[tuple[int, str], ...] = ()
    """Seeds that do not count, and why."""
    returns: Interval = UNBOUNDED
    """The least and the most return that an episode can have."""

    @cached_property
    def counted(self) -> tuple[Seed, ...]:
        """The seeds that statistics are of, S of them."""
        return tuple(seed for seed in self.seeds if seed.finished) or self.seeds

    @property
    def n(self) -> int:
        """How many seeds count, S."""
        return len(self.counted)

    @property
    def note(self) -> str:
        """How many seeds count, and what became of the others, e.g. "n = 9, 1 failed"."""
        others = [f"{self.statuses[one]} {one}" for one in ("diverged", "failed", "running", "pending", "unknown")]
        silent = sum(self.statuses.values()) - len(self.seeds) - self.statuses["failed"] - self.statuses["pending"]
        shown = [other for other in others if not other.startswith("0 ")]
        return ", ".join([f"n = {self.n}", *shown, *([f"{silent} without an episode"] if silent > 0 else [])])

    @cached_property
    def start(self) -> float:
        """The first step at which every seed that counts has finished an episode."""
        return max((seed.start for seed in self.counted), default=np.nan)

    @cached_property
    def end(self) -> float:
        """The last step that every seed that counts has come to."""
        return min((seed.end for seed in self.counted), default=np.nan)

    def curves(self, grid: ArrayLike, metric: str = RETURN, x: str = "env_steps") -> Array:
        """The counted seeds' curves at the environment steps (or seconds) of `grid`, [G] -> [S, G]; NaN is no value."""
        curves = [
            align(seed.table[x], seed.table[metric], grid, seed.until if x == "env_steps" else seed.table[x][-1])
            for seed in self.counted
        ]
        return np.array(curves).reshape(self.n, len(np.asarray(grid)))

    def span(self, x: str = "env_steps") -> tuple[float, float]:
        """From where every counted seed has a finished episode, to where every one has come, on this axis."""
        if x == "env_steps" or not self.n:
            return self.start, self.end
        starts = [float(seed.table[x][~np.isnan(seed.returns)][0]) for seed in self.counted]
        return max(starts), max(max(starts), min(float(seed.table[x][-1]) for seed in self.counted))

    @cached_property
    def final(self) -> Array:
        """The seeds' returns at `end`, [S]."""
        return self.curves([self.end])[:, 0]

    def interval(self, values: ArrayLike, metric: str = RETURN) -> Interval:
        """95% interval of the mean over seeds, as far as the metric can be so: [S, ...] -> ends [...]."""
        return within(mean_interval(values), self.possible(metric))

    def iqm_interval(self, values: ArrayLike) -> Interval:
        """The same of the interquartile mean of returns."""
        return within(iqm_interval(values), self.possible(RETURN))

    def possible(self, metric: str) -> Interval:
        """What the metric can be, unless the records say otherwise: no interval is drawn beyond."""
        return self.returns if metric == RETURN else self._seen(metric, possible.METRICS.get(metric, UNBOUNDED))

    def _seen(self, metric: str, ends: Interval) -> Interval:
        """What a metric can be, unless a seed's records say otherwise."""
        if ends == UNBOUNDED:
            return ends
        values = np.concatenate([seed.table[metric] for seed in self.counted] or [np.array([])])
        beyond = (values < ends.low - ROUNDING) | (values > ends.high + ROUNDING)
        return UNBOUNDED if beyond.any() else ends

    def bounded(self, ends: Interval) -> "Group":
        """The group with these as the returns an episode can have, unless its records say otherwise."""
        return replace(self, returns=self._seen(RETURN, ends))

    def lead(self, other: "Group", level: float = 0.95, at: float | None = None) -> Interval:
        """Interval of this mean return less the other's, at the end or at one step, as far as returns can lie apart."""
        ours, theirs = (one.final if at is None else one.curves([at])[:, 0] for one in (self, other))
        (least, most), (low, high) = self.returns, other.returns
        return within(difference_interval(ours, theirs, level), Interval(least - high, most - low))

    @cached_property
    def score(self) -> float:
        """The mean of `final`, by which settings are ranked; NaN without a seed."""
        return float(self.final.mean()) if self.n else np.nan

    @cached_property
    def average(self) -> Array:
        """Each seed's mean return over training, the area under its curve over its length: [S]."""
        return np.array([average(seed.env_steps, seed.returns, self.end) for seed in self.counted])

    @cached_property
    def best(self) -> Array:
        """Each seed's best mean of 100 episodes, [S]."""
        return np.array([best(seed.env_steps, seed.returns, self.end) for seed in self.counted])

    def reached(self, level: float) -> Array:
        """Steps at which each seed's mean of 100 episodes first reaches `level`, infinity for never: [S]."""
        return np.array(
            [
                steps_to_threshold(
                    seed.env_steps, np.where(seed.table["episodes"] >= WINDOW, seed.returns, np.nan), level
                )
                for seed in self.counted
            ]
        )

    @property
    def ends(self) -> Array:
        """The last step each counted seed's records speak of, [S]."""
        return np.array([seed.until for seed in self.counted])


@dataclass(frozen=True)
class Data:
    """`groups`: one per job. `thresholds`, `bounds`: by environment. `metric`, `x`: what learning curves show."""

    groups: tuple[Group, ...]
    thresholds: Mapping[str, float | None] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    measurements: pd.DataFrame = field(default_factory=pd.DataFrame)
    """`read_measurements`' rows"""
    evaluations: pd.DataFrame | None = None
    """`load_evaluations`' rows, where they are asked for"""
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    metric: str = RETURN
    x: str = "env_steps"
    seeds: pd.DataFrame = field(default_factory=pd.DataFrame)
    """`load_seeds`' rows"""
    problems: tuple[str, ...] = ()
    searches: tuple[search.Study, ...] = ()
    """of directories that are searches; the runs are then those of the confirmation, or else of the trials"""

    @cached_property
    def envs(self) -> tuple[str, ...]:
        """The environments, in the order of the groups."""
        return tuple(dict.fromkeys(group.env for group in self.groups))

    def of(self, env: str) -> tuple[Group, ...]:
        """The environment's groups, in the order of the legend."""
        return tuple(group for group in self.groups if group.env == env)

    def horizon(self, env: str) -> float:
        """The longest any group of the environment has come, environment steps."""
        return max((group.end for group in self.of(env) if group.n), default=np.nan)

    @property
    def limits(self) -> str:
        """For captions: where intervals are cut since no return lies beyond; empty where nothing is known."""
        known = {g.env: g.returns for g in self.groups if g.returns != UNBOUNDED}
        parts = [f"{env} {_range(ends)}" for env, ends in known.items()]
        return f"Intervals end where returns do: {'; '.join(parts)}." if parts else ""

    def rivals(self) -> Iterator[tuple[Group, ...]]:
        """The groups of one algorithm in one environment that came to its horizon, of each in turn."""
        for env in self.envs:
            complete = self.complete(env)
            for name in dict.fromkeys(group.algorithm for group in complete):
                yield tuple(group for group in complete if group.algorithm == name)

    def complete(self, env: str) -> tuple[Group, ...]:
        """The environment's groups that came to its horizon: only these are compared with each other."""
        horizon = self.horizon(env)
        return tuple(group for group in self.of(env) if group.n and group.end == horizon)

    def ranked(self, env: str) -> tuple[Group, ...]:
        """The same, the highest mean return first."""
        return tuple(sorted(self.complete(env), key=lambda group: (np.isnan(group.score), -group.score)))

    def checkpoints(self, env: str) -> tuple[int, ...]:
        """The steps at which tables compare: 25, 50 and 100% of the horizon."""
        horizon = self.horizon(env)
        return () if np.isnan(horizon) else tuple(round(fraction * horizon) for fraction in FRACTIONS)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """All recorded metrics with a number in some run, in the order of the files."""
        names: dict[str, None] = {}
        for group in self.groups:
            for seed in group.seeds:
                names.update(dict.fromkeys(seed.table.columns))
        return tuple(name for name in names if name not in ("iteration", "env_steps", "episodes", "seconds"))

    def methods(self) -> tuple[list[str], list[str]]:
        """Labels that came to the horizon in all of the environments with bounds, and these environments: what
        statistics over tasks are of. Environments that no label shares are left out."""
        envs = [env for env in self.envs if env in self.bounds and self.complete(env)]
        by_env = {env: [group.label for group in self.complete(env)] for env in envs}
        labels = [
            label
            for label in dict.fromkeys(label for mine in by_env.values() for label in mine)
            if all(label in by_env[e] for e in envs)
        ]
        return (labels, envs) if len(envs) > 1 and labels else ([], [])

    def scores(self, label: str, envs: Iterable[str]) -> list[Array]:
        """A method's normalised final returns, by task: M arrays [S_m]."""
        found = []
        for env in envs:
            group = next(one for one in self.complete(env) if one.label == label)
            found.append(self.bounds[env].score(group.final))
        return found


def _range(ends: Interval) -> str:
    if np.isfinite(ends).all():
        return f"{ends.low:g} to {ends.high:g}"
    return f"at least {ends.low:g}" if np.isfinite(ends.low) else f"at most {ends.high:g}"


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


def varying(groups: Sequence[Group]) -> set[str]:
    """The config keys in which the groups differ, total_steps among them."""
    return set(naming.varying(group.config for group in groups))


def settings(groups: Sequence[Group]) -> str:
    """What the groups of a panel share, for its title: the values' name, and what the environment changes."""
    names = list(dict.fromkeys(group.hyperparameters for group in groups))
    parts = [", ".join(names) if len(names) <= 3 else f"{len(names)} settings"]
    for key, usual, words in (
        ("env.append_time", False, "time appended"),
        ("env.timeout", "bootstrap", "time-outs terminal"),
    ):
        if groups and all(group.config.get(key, usual) != usual for group in groups):
            parts.append(words)
    return "; ".join(filter(None, parts))


__all__ = ["Data", "Group", "RecordsWarning", "Seed", "Study", "from_frame", "load_data", "settings", "varying"]
