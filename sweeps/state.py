"""The state machine of a run, whole.

    pending ──> running ──> done         kept: not trained again, unless more steps are asked for
                 ^ │ │ └──> diverged     kept: a result, not a failure
                 │ │ └────> failed ──┐
                 │ └── process gone  │   the same command trains it again, from its last checkpoint
                 └───────────────────┘

pgbench writes pending, running, done, diverged and, for an exception, failed. A sweep writes failed for a run that it
gave up: whose process died again and again, or that was hung.

A unit (seeds in lockstep) ends in one of ENDS, and `after` says what follows. A failure of several seeds in lockstep
is tried once more seed by seed, so that one bad seed costs no other; a process that is lost is replaced, until its unit
gets no further by that.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pgbench.files import write_atomic
from pgbench.runs.lock import Held, lock
from pgbench.runs.records import ERROR, STATUS, read_status, seed_dir, write_status
from sweeps.plan import Unit

ENDS = {
    "finished": "each seed is done or diverged",
    "held": "another process trains some seeds; the others are done or diverged",
    "stopped": "checkpointed because it was asked to stop",
    "died": "its process is gone: killed, crashed, out of memory",
    "failed": "an exception, or no new iteration within the deadline",
}
Outcome = Mapping[str, Any]
"""How a unit ended, in builtins: `end` of ENDS, `message`, `details` (traceback, output), `held` (seed -> by whom),
`mistake` (one a user can mend)."""


WITHDRAWN = "withdrawn"
"""A file beside a run's records: a search has seen enough of this run, and it is not to go on."""


def withdraw(runs: Iterable[Path]) -> None:
    """Asks whoever trains these runs, on whatever machine, to checkpoint and leave them."""
    for directory in runs:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / WITHDRAWN).touch()


def withdrawn(unit: Unit) -> bool:
    """Whether a unit's runs are not to go on."""
    return any((seed_dir(unit.config.job_dir, seed) / WITHDRAWN).exists() for seed in unit.seeds)


def mark_pending(units: Iterable[Unit]) -> None:
    """Gives runs that have no status yet the first one, so that others see what is to come."""
    for unit in units:
        for seed in unit.seeds:
            directory = seed_dir(unit.config.job_dir, seed)
            directory.mkdir(parents=True, exist_ok=True)
            if not (directory / STATUS).exists():
                with suppress(Held), lock(directory):  # held: it has just begun
                    if not (directory / STATUS).exists():
                        write_status(directory, "pending", total_steps=unit.config.total_steps)


def after(unit: Unit, outcome: Outcome, retries: int, steps: int) -> list[Unit]:
    """The units to run because this one ended so; none if it is over. `steps`: its env steps so far, all seeds."""
    end = outcome["end"]
    if end == "finished":
        return []
    if end == "held":
        return [replace(unit, seeds=tuple(outcome["held"]))]
    if end in ("died", "stopped"):
        deaths = 1 if steps > unit.steps else unit.deaths + 1
        if deaths <= retries:
            return [replace(unit, deaths=deaths, steps=max(steps, unit.steps))]
    if len(unit.seeds) > 1 and not outcome.get("mistake"):
        return [Unit(unit.config, (seed,)) for seed in unit.seeds]
    return []


def record_failure(unit: Unit, seeds: Iterable[int], message: str, details: str) -> None:
    """Marks runs failed that nothing else has settled, with `details` in their error.txt."""
    for seed in seeds:
        directory = seed_dir(unit.config.job_dir, seed)
        directory.mkdir(parents=True, exist_ok=True)
        status = read_status(directory)
        if status.pop("status") in ("pending", "running"):
            write_atomic(
                directory / ERROR, f"{message}\n\n{details}".rstrip().encode(errors="backslashreplace") + b"\n"
            )
            write_status(directory, "failed", **{**status, "message": message})
