"""What figures and tables are drawn from: the records by job, thresholds and published numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reports.load import Directories, load_seeds, read_measurements, read_runs
from reports.published import Published, load_published
from reports.statistics import Array, align, steps_to_threshold
from reports.thresholds import threshold

WINDOW = 100
FRACTIONS = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Seed:
    """One seed's training curve, [R]: `returns` is the mean of the last 100 finished episodes."""

    seed: int
    status: str
    env_steps: Array
    returns: Array
    episodes: Array

    @property
    def until(self) -> float:
        """The last step the curve says anything about: the last record of a seed that is going on."""
        return float(self.env_steps[-1]) if self.status in ("running", "pending") else np.inf

    @property
    def start(self) -> float:
        """The first step with a finished episode."""
        return float(self.env_steps[~np.isnan(self.returns)][0])


@dataclass(frozen=True)
class Group:
    """The seeds of one job. `seeds` are those that count: not failed, and with at least one finished episode.

    A diverged seed counts and keeps its last return. A failed seed says nothing of the algorithm: it is left
    out, and shown in `note`.
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

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def note(self) -> str:
        """How many seeds count, and what became of the others, e.g. "n = 9, 1 failed"."""
        others = [f"{self.statuses[one]} {one}" for one in ("diverged", "failed", "running", "pending")]
        silent = sum(self.statuses.values()) - self.n - self.statuses["failed"] - self.statuses["pending"]
        shown = [other for other in others if not other.startswith("0 ")]
        return ", ".join([f"n = {self.n}", *shown, *([f"{silent} without an episode"] if silent > 0 else [])])

    @cached_property
    def start(self) -> float:
        """The first step at which every seed has finished an episode."""
        return max((seed.start for seed in self.seeds), default=np.nan)

    @cached_property
    def end(self) -> float:
        """The last step every seed has come to: total_steps once all are done."""
        longest = max(self.total_steps, self.start)
        return min([longest, *(seed.until for seed in self.seeds)]) if self.seeds else np.nan

    def returns(self, grid: ArrayLike) -> Array:
        """The seeds' curves at the environment steps of `grid`, [G] -> [S, G]; NaN is no value."""
        curves = [align(seed.env_steps, seed.returns, grid, seed.until) for seed in self.seeds]
        return np.array(curves).reshape(self.n, len(np.asarray(grid)))

    @property
    def final(self) -> Array:
        """The seeds' returns at `end`, [S]."""
        return self.returns([self.end])[:, 0]

    def reached(self, level: float) -> Array:
        """Steps at which each seed's mean of 100 episodes first reaches `level`, infinity for never: [S]."""
        return np.array(
            [
                steps_to_threshold(seed.env_steps, np.where(seed.episodes >= WINDOW, seed.returns, np.nan), level)
                for seed in self.seeds
            ]
        )


@dataclass(frozen=True)
class Data:
    """`runs`: `load_runs`' rows. `groups`: one a job. `thresholds`: by environment."""

    runs: pd.DataFrame
    groups: tuple[Group, ...]
    thresholds: Mapping[str, float | None]
    published: tuple[Published, ...]
    measurements: pd.DataFrame
    """`read_measurements`' rows"""

    @property
    def envs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(group.env for group in self.groups))

    def of(self, env: str) -> tuple[Group, ...]:
        """The environment's groups, in the order of the legend."""
        return tuple(group for group in self.groups if group.env == env)

    def horizon(self, env: str) -> float:
        """The longest any group of the environment has come, environment steps."""
        return max((group.end for group in self.of(env) if group.n), default=np.nan)

    def complete(self, env: str) -> tuple[Group, ...]:
        """The environment's groups that came to its horizon: only these are compared with each other."""
        return tuple(group for group in self.of(env) if group.end == self.horizon(env))

    def checkpoints(self, env: str) -> tuple[int, ...]:
        """The steps at which tables compare: 25, 50 and 100% of the horizon."""
        horizon = self.horizon(env)
        return () if np.isnan(horizon) else tuple(round(fraction * horizon) for fraction in FRACTIONS)

    def variant(self, group: Group) -> tuple[int, int]:
        """Which of how many jobs of the same algorithm and environment the group is."""
        twins = [one.job for one in self.of(group.env) if one.algorithm == group.algorithm]
        return twins.index(group.job), len(twins)


def load_data(
    directories: Directories, published: bool = False, thresholds: Mapping[str | None, float] | None = None
) -> Data:
    """Reads all runs below the directories. `thresholds` by environment, None for all. Raises UserError."""
    seeds = load_seeds(directories)
    runs = read_runs(seeds)
    curves = dict(iter(runs.groupby(["job", "seed"], sort=False)))
    groups = tuple(_group(rows, curves) for _, rows in seeds.groupby("job", sort=False))
    ours = {(group.env, group.algorithm) for group in groups}
    return Data(
        runs=runs,
        groups=groups,
        thresholds={group.env: threshold(group.env, thresholds or {}) for group in groups},
        published=load_published(ours if published else set()),
        measurements=read_measurements(seeds),
    )


def _group(rows: pd.DataFrame, curves: Mapping[Any, pd.DataFrame]) -> Group:
    first = rows.iloc[0]
    seeds = []
    for row in rows.itertuples():
        records = curves.get((row.job, row.seed))
        if records is None or row.status == "failed" or records["episode_return"].isna().all():
            continue
        columns = (records[name].to_numpy(dtype=float) for name in ("env_steps", "episode_return", "episodes"))
        seeds.append(Seed(int(str(row.seed)), str(row.status), *columns))
    return Group(
        job=first["job"],
        env=first["env"],
        algorithm=first["algorithm"],
        label=first["label"],
        hyperparameters=first["hyperparameters"],
        total_steps=int(first["total_steps"]),
        config=first["config"],
        statuses=Counter(rows["status"]),
        seeds=tuple(seeds),
    )


def varying(groups: Sequence[Group]) -> set[str]:
    """The config keys in which the groups differ, total_steps among them."""
    keys = {key for group in groups for key in group.config}
    return {key for key in keys if len({group.config.get(key) for group in groups}) > 1}


def settings(groups: tuple[Group, ...]) -> str:
    """What the groups of a panel share, for its title: the values' name, and what the environment changes."""
    parts = [", ".join(dict.fromkeys(group.hyperparameters for group in groups))]
    for key, usual, text in (
        ("env.append_time", False, "time appended"),
        ("env.timeout", "bootstrap", "time-outs terminal"),
    ):
        if all(group.config.get(key, usual) != usual for group in groups):
            parts.append(text)
    return "; ".join(parts)
