"""What figures and tables are drawn from: seeds, the jobs they are of, and all of a report."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reports import naming, possible, search
from reports.curves import Table
from reports.normalization import Bounds
from reports.published import Published
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


def varying(groups: Sequence[Group]) -> set[str]:
    """The config keys in which the groups differ, total_steps among them."""
    return set(naming.varying(group.config for group in groups))


def settings(groups: Sequence[Group]) -> str:
    """What the groups of a panel share, for its title: the values' name, and what the environment changes."""
    names = list(dict.fromkeys(group.hyperparameters for group in groups))
    parts = [", ".join(names) if len(names) <= 3 else f"{len(names)} settings"]
    if naming.across(group.config for group in groups):
        parts.append("some keys differ by algorithm")
    for key, usual, words in (
        ("env.append_time", False, "time appended"),
        ("env.timeout", "bootstrap", "time-outs terminal"),
    ):
        if groups and all(group.config.get(key, usual) != usual for group in groups):
            parts.append(words)
    return "; ".join(filter(None, parts))
