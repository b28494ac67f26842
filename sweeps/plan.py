"""From overrides to work: jobs resolved and told apart, their open seeds split into units, longest first."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pgbench.composition import compose_plain, interpolated
from pgbench.config import GROUPS, Config, to_plain
from pgbench.errors import UserError
from pgbench.runs.forecast import LOCKSTEP, Open, Rates, seconds_of
from pgbench.validation import validate
from sweeps.expand import Overrides

SEEDS_PER_PROCESS = 5  # more in lockstep gain little, and are lost together

SETTINGS = ("checkpoint_seconds", "deadline_seconds", "evaluation", "other_code", "tracking", "dry_run")
"""What a config says beside its records, seeds, length and place: a job has one of each."""


@dataclass(frozen=True)
class Unit:
    """Seeds of one job that train in lockstep in one process."""

    config: Config
    seeds: tuple[int, ...]
    deaths: int = 0
    """processes this unit has lost without getting any further"""
    steps: int = 0
    """the farthest it got before a process was lost, environment steps summed over its seeds"""

    @property
    def cost(self) -> float:
        return _seed_cost(self.config) * (len(self.seeds) + LOCKSTEP)


def resolve(jobs: Iterable[Overrides], config_dirs: Sequence[str] = ()) -> list[Config]:
    """The config of each job; jobs with the same identity in one directory are one, with the seeds of both and the more
    steps.

    A grid over a key that an algorithm does not read thus trains it once. Raises UserError, also where two that would
    be one are to be trained in different ways.

    Hydra composes each distinct choice of groups once; values are set without it, so 10,000 jobs take seconds.
    """
    found: dict[Path, Config] = {}
    for overrides in jobs:
        config = _config(overrides, tuple(config_dirs))
        place = config.job_dir.resolve()
        same = found.setdefault(place, config)
        if same is not config:
            _check_alike(same, config)
            seeds = tuple(sorted({*same.seed_list, *config.seed_list}))
            steps = max(same.total_steps, config.total_steps)
            snapshots = tuple(sorted({*same.snapshots, *config.snapshots}))
            found[place] = replace(same, seeds=seeds, total_steps=steps, snapshots=snapshots)
    return list(found.values())


def _check_alike(one: Config, other: Config) -> None:
    """Raises UserError for a setting of two jobs with the same records that can have only one value."""
    from pgbench.tracking.names import flat  # workers import this module, and nothing of tracking

    ours, theirs = (flat({key: to_plain(getattr(config, key)) for key in SETTINGS}) for config in (one, other))
    for key, value in ours.items():
        if value != theirs[key]:
            raise UserError(
                f"{key}: got {value!r} and {theirs[key]!r} for one job, {one.job_name}; allowed is one of them, or "
                "another output_dir for each"
            )


def _config(overrides: Overrides, config_dirs: tuple[str, ...]) -> Config:
    values = _base(tuple((key, str(value)) for key, value in overrides.items() if key in GROUPS), config_dirs)
    for key, value in overrides.items():
        if key not in GROUPS:
            values = _with(values, key, value)
    return validate(interpolated(values))


@cache
def _base(groups: tuple[tuple[str, str], ...], config_dirs: tuple[str, ...]) -> dict[str, Any]:
    return compose_plain([f"{group}={choice}" for group, choice in groups], config_dirs)


def _with(values: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    if not rest:
        return {**values, head: value}
    below = values.get(head, {})
    if not isinstance(below, Mapping):
        raise UserError(f"{key}: no such key, {head} is a value")
    return {**values, head: _with(below, rest, value)}


def split(todo: Sequence[tuple[Config, Sequence[int]]], workers: int, size: int | None = None) -> list[Unit]:
    """Units for the open seeds of each job, the most costly first.

    `size` fixes the seeds a unit; without it, at most SEEDS_PER_PROCESS, whichever ends first on these workers.
    """
    sizes = [size] if size else range(SEEDS_PER_PROCESS, 0, -1)
    plans = [_units(todo, size) for size in sizes]
    return min(plans, key=lambda units: _makespan(units, workers))


def spread(unit: Unit, seeds: Sequence[int], parts: int) -> list[Unit]:
    """Units for some seeds of a unit, as even as may be; none is empty."""
    parts = min(parts, len(seeds))
    bounds = [len(seeds) * part // parts for part in range(parts + 1)] if parts else []
    return [Unit(unit.config, tuple(seeds[a:b])) for a, b in pairwise(bounds)]


def shrink(seeds: int, parts: int) -> float:
    """The share of its time that a unit of so many seeds takes when they are spread over `parts` processes."""
    return (-(-seeds // parts) + LOCKSTEP) / (seeds + LOCKSTEP)


def _units(todo: Sequence[tuple[Config, Sequence[int]]], size: int) -> list[Unit]:
    units = []
    for config, seeds in todo:
        units += spread(Unit(config, tuple(seeds)), seeds, -(-len(seeds) // size))
    return sorted(units, key=lambda unit: -unit.cost)


def _makespan(units: Sequence[Unit], workers: int) -> float:
    return _last([unit.cost for unit in units], workers)


def _last(costs: Sequence[float], workers: int) -> float:
    """When the last of these ends, each begun in turn by the first worker that is free."""
    loads = [0.0] * workers
    for cost in costs:
        heapq.heapreplace(loads, loads[0] + cost)
    return max(loads)


def forecast(jobs: Sequence[Open], workers: int, size: int | None, rates: Rates) -> float:
    """The seconds that these jobs would take on so many processes. Raises UserError."""
    left = {job.config.job_dir: job.left for job in jobs}
    units = split([(job.config, list(job.left)) for job in jobs], workers, size)
    steps = [[left[unit.config.job_dir][seed] for seed in unit.seeds] for unit in units]
    return _last([seconds_of(each, rates(unit.config)) for unit, each in zip(units, steps, strict=True)], workers)


def _seed_cost(config: Config) -> float:
    """Work of one seed, for ordering only: about milliseconds per 2048 steps on one core, times its steps."""
    values = config.hyperparameters
    rollout = 5.0 if config.env.id.startswith("CartPole") else 50.0
    critic = 0.5 * values.critic_steps if config.algorithm.uses_critic else 0.0
    natural = 1.5 * values.cg_iterations if config.algorithm.name in ("npg", "trpo") else 0.0
    return config.total_steps * (rollout + critic + natural)
