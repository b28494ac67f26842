"""What jobs would take: runs, environment steps asked, done and to do, and an estimate of the time. Nothing is written.

The time rests on the records of runs of the same algorithm and environment, where there are any, else on one or two
iterations that are made for it.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgbench.config import Config
from pgbench.runs.records import is_over, read_status, seed_dir

LOCKSTEP = 0.4
"""Work that seeds in lockstep share, in seeds: n of them take n + LOCKSTEP."""
MEASURE_SECONDS = 5.0
"""A first iteration that takes longer is not followed by a second."""


@dataclass(frozen=True)
class Open:
    """A job and what of it is left to train."""

    config: Config
    left: dict[int, int]
    """environment steps to go, of each seed that has any"""
    asked: int
    """environment steps of all its seeds"""

    @property
    def to_do(self) -> int:
        return sum(self.left.values())


def look(config: Config) -> Open:
    """What of a job is left, by its runs' status files."""
    left = {}
    for seed in config.seed_list:
        status = read_status(seed_dir(config.job_dir, seed))
        if not is_over(status, config.total_steps):
            left[seed] = max(1, config.total_steps - int(status.get("env_steps", 0)))
    return Open(config, left, config.total_steps * len(config.seed_list))


def counts(jobs: Sequence[Open]) -> str:
    """Jobs, runs and environment steps of a plan, in a line."""
    runs, open_ = sum(len(job.config.seed_list) for job in jobs), sum(len(job.left) for job in jobs)
    asked, to_do = sum(job.asked for job in jobs), sum(job.to_do for job in jobs)
    return (
        f"{len(jobs)} job{'s' * (len(jobs) != 1)}, {runs} runs ({runs - open_} over, {open_} to train): "
        f"{asked:,} env-steps asked, {asked - to_do:,} done or not needed, {to_do:,} to do"
    )


class Rates:
    """Seconds a step of one seed by itself, of each algorithm and environment; found once."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], float] = {}
        self.sources: dict[str, None] = {}

    def __call__(self, config: Config) -> float:
        key = (config.algorithm.name, config.env.id, config.output_dir)
        if key not in self.found:
            self.found[key] = self._recorded(config) or self._measured(config)
        return self.found[key]

    def _recorded(self, config: Config) -> float | None:
        alike = config.job_name.rpartition("-")[0]
        runs = list(config.job_dir.glob("seed-*")) or list(config.job_dir.parent.glob(f"{alike}-*/seed-*"))
        if rate := recorded_rate(runs):
            self.sources["records of the same algorithm and environment"] = None
        return rate

    def _measured(self, config: Config) -> float:
        self.sources["an iteration or two that were measured now"] = None
        return measured_rate(config)

    def __str__(self) -> str:
        return " and ".join(self.sources)


def recorded_rate(runs: Iterable[Path]) -> float | None:
    """Seconds a step of one seed by itself, by records: the seeds of a process shared its time."""
    processes: dict[tuple[object, ...], list[tuple[int, float]]] = {}
    for run in runs:
        status = read_status(run)
        if status.get("env_steps") and status.get("seconds"):
            key = (run.parent, status.get("host"), status.get("pid"))
            processes.setdefault(key, []).append((status["env_steps"], status["seconds"]))
    steps = sum(max(steps for steps, _ in seeds) for seeds in processes.values())
    seconds = sum(max(s for _, s in seeds) / lockstep(len(seeds)) for seeds in processes.values())
    return seconds / steps if steps else None


def measured_rate(config: Config) -> float:
    """Seconds a step of one seed by itself, of the second iteration (the first is slow), or of the first if it is long.
    Raises UserError for an environment that cannot be made."""
    import contextlib

    import torch

    from pgbench.runs.trainer import Trainer

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with contextlib.closing(Trainer(config, config.seed_list[:1])) as trainer:
            seconds, steps = 0.0, 0
            for _ in range(2):
                if not trainer.live.any() or seconds > MEASURE_SECONDS:
                    break
                before, begun = trainer.account(0).env_steps, time.perf_counter()
                trainer.iterate()
                seconds, steps = time.perf_counter() - begun, trainer.account(0).env_steps - before
    finally:
        torch.set_num_threads(threads)
    return seconds / steps


def lockstep(seeds: int) -> float:
    """How much longer so many seeds in lockstep take than one."""
    return (seeds + LOCKSTEP) / (1 + LOCKSTEP)


def seconds_of(steps: Sequence[int], rate: float) -> float:
    """Time of one process whose seeds have so many steps to go each."""
    return rate * max(steps) * lockstep(len(steps)) if steps else 0.0


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def idle_cores() -> int:
    """Those of them that had nothing to do in the last minute, beside one for us."""
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(0, cores() - max(1, round(busy)))


class Hint:
    """Hears how far a job of several seeds in one process is, and says once how more cores would be used: only where
    it would take a while."""

    PATIENCE, LONG = 3.0, 60.0
    """seconds until the rate is believed, and from which on a job is long"""

    def __init__(self, config: Config, command: str, say: Callable[[str], None]):
        self.config, self.command, self.say = config, command, say
        self.total = config.total_steps * len(config.seed_list)
        self.first: tuple[float, int] | None = None
        self.over = len(config.seed_list) == 1

    def __call__(self, steps: int) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = now, steps
        elapsed, made = now - self.first[0], steps - self.first[1]
        if self.over or elapsed < self.PATIENCE or not made:
            return
        self.over = True
        left, idle, seeds = (self.total - steps) * elapsed / made, idle_cores(), len(self.config.seed_list)
        if idle and left > self.LONG:
            parts = min(seeds, idle + 1)
            then = left * lockstep(-(-seeds // parts)) / lockstep(seeds)
            self.say(
                f"{seeds} seeds train in this one process for another {duration(left)}, and {idle} cores are idle; "
                f"`{self.command}` uses them, in about {duration(then)}"
            )


def ignored(keys: Iterable[str], configs: Sequence[Config]) -> list[str]:
    """A line for each config key that somebody set and that no job reads."""
    names = list(dict.fromkeys(config.algorithm.name for config in configs))
    unread = [key for key in dict.fromkeys(keys) if configs and not any(config.takes(key) for config in configs)]
    return [f"{key}: {', '.join(names)} {'does' if len(names) == 1 else 'do'} not read it" for key in unread]


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 20 s, 5 h 10 min."""
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole} s" if minutes else f"{whole} s"
