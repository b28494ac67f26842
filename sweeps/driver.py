"""The loop that runs a sweep: keeps the slots busy, takes what has ended, decides what follows."""

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from pgbench.runs.lock import Held, lock
from pgbench.runs.records import is_over, read_status, seed_dir
from sweeps.backends import Backend
from sweeps.options import Options
from sweeps.plan import Unit, shrink, spread
from sweeps.progress import Progress
from sweeps.state import Outcome, after, record_failure, withdrawn
from sweeps.supervise import GRACE

POLL = 0.5  # seconds between two looks at the runs
STOP_SECONDS = GRACE + 5.0  # seconds all that runs has to end once it was asked to
HELD_SECONDS = 2.0  # seconds before another try at what another process trains
WORTH = 5.0  # seconds that spreading a unit must save: it costs a checkpoint, a resume, perhaps a process's imports


class Stop:
    """Why the sweep stops: a signal's number, or too many failures."""

    signal: int | None = None
    failures = False

    def __bool__(self) -> bool:
        return self.signal is not None or self.failures

    def receive(self, number: int, frame: object) -> None:
        """A signal's handler: the first asks to stop, the second stops at once."""
        if self.signal is not None:
            raise SystemExit(128 + number)
        self.signal = number


class Source(Protocol):
    """Where units come from that depend on how others ended."""

    def more(self, free: int) -> list[Unit] | None:
        """Units for `free` slots (none if it is below 1, or others must end before); None: there will be no more."""

    def ended(self, unit: Unit) -> None:
        """Seeds of a job are over: done, diverged, withdrawn or given up; a whole unit, or those of it that do not go
        on with the others."""


@dataclass
class Flight:
    """A unit that runs."""

    unit: Unit
    steps: int
    """environment steps when it was started, summed over its seeds"""
    begun: float = field(default_factory=time.monotonic)
    parts: int = 1
    """processes its seeds are to be spread over"""

    def seconds_left(self) -> float:
        """As its rate since it was started promises; 0 where there is none yet."""
        steps, total = _steps(self.unit), self.unit.config.total_steps * len(self.unit.seeds)
        seconds_a_step = (time.monotonic() - self.begun) / max(1, steps - self.steps)
        return (total - steps) * seconds_a_step if steps > self.steps else 0.0


def drive(
    units: Iterable[Unit],
    backend: Backend,
    options: Options,
    show: Progress,
    stop: Stop,
    source: Source | None = None,
) -> int:
    """Runs the units, and those of `source`, to their end, or until `stop`. Gives the number of runs that failed."""
    queue, flight, failed = deque(units), dict[Future[Outcome], Flight](), 0
    held: deque[tuple[float, Unit]] = deque()
    limit = 1 if options.on_error == "stop" else options.max_failures
    given_up, open_source = math.inf, source is not None
    while (flight and time.monotonic() < given_up) or ((queue or held or open_source) and not stop):
        if source and not stop:
            more = source.more(backend.slots - len(flight) - len(queue))
            open_source = more is not None
            queue.extend(more or [])
        while held and held[0][0] <= time.monotonic():
            queue.append(held.popleft()[1])
        while queue and len(flight) < backend.slots and not stop:
            unit = queue.popleft()
            flight[backend.submit(unit)] = Flight(unit, _steps(unit))
            show.started(unit)
        if not (queue or stop or options.seeds_per_process):
            _fill(flight, backend)
        if not flight:
            time.sleep(0.01 if open_source else POLL)
        for future in wait(flight, POLL, "FIRST_COMPLETED").done:
            ended, outcome = flight.pop(future), _outcome(future)
            unit, spreads = ended.unit, outcome["end"] == "stopped" and ended.parts > 1
            follow = _follow(unit, outcome, options.retries, ended.parts if spreads else 1)
            if outcome["end"] == "held":
                held.extend((time.monotonic() + HELD_SECONDS, each) for each in follow)
                show.held(unit, outcome["held"])
            elif follow and not stop:
                queue.extendleft(reversed(follow))
                if spreads:
                    show.spread(unit, len(follow))
                else:
                    show.again(unit, outcome, follow)
            elif outcome["end"] in ("failed", "died"):
                _give_up(unit, outcome)
                show.failed(unit, outcome)
                failed += outcome.get("seeds", len(unit.seeds))
                stop.failures |= limit is not None and failed >= limit
                if source and outcome.get("mistake") and "seeds" not in outcome:
                    stop.failures = True  # what a user has to mend would fail every unit to come
            else:
                show.ended(unit)
            over = set(unit.seeds).difference(*(each.seeds for each in follow))
            if source and over and not stop:
                source.ended(replace(unit, seeds=tuple(sorted(over))))
        if stop:
            backend.stop()
            given_up = min(given_up, time.monotonic() + STOP_SECONDS)
        show.update()
    return failed


def _fill(flight: Mapping[Future[Outcome], Flight], backend: Backend) -> None:
    """Asks units with several seeds to end early where spreading these over idle processes saves time."""
    idle = backend.slots - sum(each.parts for each in flight.values())
    if idle < 1:
        return
    whole = [(each.seconds_left(), future) for future, each in flight.items() if each.parts == 1]
    for seconds, future in sorted(whole, key=lambda one: -one[0]):
        seeds = len(_open(flight[future].unit))
        parts = min(seeds, idle + 1)
        if parts > 1 and seconds * (1 - shrink(seeds, parts)) > WORTH:
            flight[future].parts = parts
            backend.release(future)
            idle -= parts - 1


def _follow(unit: Unit, outcome: Outcome, retries: int, parts: int) -> list[Unit]:
    """The units that go on with the seeds of one that ended; none if all of them are over."""
    if withdrawn(unit):
        return []
    return spread(unit, _open(unit), parts) if parts > 1 else after(unit, outcome, retries, _steps(unit))


def _outcome(future: Future[Outcome]) -> Outcome:
    error = future.exception()
    return {"end": "died", "message": f"{type(error).__name__}: {error}"} if error else future.result()


def _steps(unit: Unit) -> int:
    """How far a unit has got, environment steps summed over its seeds."""
    return sum(read_status(seed_dir(unit.config.job_dir, seed)).get("env_steps", 0) for seed in unit.seeds)


def _open(unit: Unit) -> list[int]:
    """Its seeds that are not over."""
    config = unit.config
    return [s for s in unit.seeds if not is_over(read_status(seed_dir(config.job_dir, s)), config.total_steps)]


def _give_up(unit: Unit, outcome: Outcome) -> None:
    """Records a failure that the worker could not; runs that another process has taken over are left alone."""
    for seed in unit.seeds:
        with suppress(Held, OSError), lock(seed_dir(unit.config.job_dir, seed)):
            record_failure(unit, [seed], outcome["message"], outcome.get("details", ""))
