"""One process per unit at a time, watched: told to stop, killed when hung, its death explained, its successor started.

joblib's own pool ends every worker when one dies, and cannot say whose work killed it. So each slot is a loky pool of
one process: a death is known at once, is this unit's, and leaves the other slots alone.
"""

import os
import re
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, wait
from contextlib import suppress
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from pgbench.runs.records import read_status, seed_dir
from sweeps.plan import Unit
from sweeps.state import Outcome, withdrawn
from sweeps.worker import prepare, start, train

POLL = 0.2  # seconds between two looks at a running unit
GRACE = 15.0  # seconds an asked process has to checkpoint before it is killed
STATUS_SECONDS = 1.0  # pgbench writes status.json at most this often
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Slot:
    """A place for one training process; it is started when needed and kept warm between units."""

    def __init__(self, trainer: str):
        self.trainer = trainer
        self.pool: ProcessPoolExecutor | None = None

    def open(self) -> None:
        if self.pool is None:
            fd, path = tempfile.mkstemp(prefix="sweeps-", suffix=".log")  # the process unlinks it
            self.log = open(fd, "rb+")  # noqa: SIM115
            self.pool = ProcessPoolExecutor(1, env=ONE_THREAD, initializer=start, initargs=(os.getpid(), path))
            self.pid: int = self.pool.submit(prepare, self.trainer).result()
        self.log.truncate(0)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(kill_workers=True)
            self.log.close()
            self.pool = None

    def kill(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def output(self, limit: int = 20_000) -> str:
        """The end of what the process printed."""
        self.log.seek(max(0, os.fstat(self.log.fileno()).st_size - limit))
        return self.log.read().decode(errors="replace")


class Watch:
    """Whether a unit's iterations still advance."""

    def __init__(self, unit: Unit):
        self.directories = [seed_dir(unit.config.job_dir, seed) for seed in unit.seeds]
        self.deadline = unit.config.deadline_seconds
        self.seen: list[Any] = []
        self.since = time.monotonic()

    def hung(self) -> bool:
        if self.deadline is None:
            return False
        seen = [read_status(directory).get("iteration") for directory in self.directories]
        if seen != self.seen:
            self.seen, self.since = seen, time.monotonic()
        return time.monotonic() - self.since > self.deadline + STATUS_SECONDS


def supervise(unit: Unit, slot: Slot, stopped: Callable[[], bool]) -> Outcome:
    """Trains a unit in the slot's process and says how that ended; never raises for what the process does."""
    if stopped() or withdrawn(unit):
        return {"end": "stopped"}
    asked = hung = alive = False
    try:
        slot.open()
        assert slot.pool is not None
        future, watch = slot.pool.submit(train, unit, slot.trainer), Watch(unit)
        while not wait([future], POLL).done:
            if not asked and (stopped() or withdrawn(unit) or (hung := watch.hung())):
                asked, patience = True, time.monotonic() + GRACE
                if hung:
                    slot.kill(signal.SIGABRT)  # it prints where it is
            if asked and time.monotonic() > patience:
                slot.kill(getattr(signal, "SIGKILL", signal.SIGTERM))
            elif asked and not hung:
                slot.kill(signal.SIGTERM)  # each time: one that comes before the unit has begun is lost
        outcome: Outcome = future.result()
        alive = outcome["end"] in ("finished", "held") or (asked and outcome["end"] == "stopped")
    except BrokenExecutor as error:
        outcome = {"end": "died", "message": _cause(str(error)), "details": slot.output()}
        if hung:
            message = f"no new iteration within {watch.deadline:g} seconds (deadline_seconds); its process was ended"
            outcome = {**outcome, "end": "failed", "message": message}
        elif asked:
            outcome = {"end": "stopped"}
    except Exception as error:  # the trainer cannot be imported, a unit cannot be sent
        message = traceback.format_exception_only(error)[-1].strip()
        details = "".join(traceback.format_exception(error))
        outcome = {"end": "failed", "message": message, "details": details}
    if not alive and not outcome.get("mistake"):
        slot.close()  # what failed may have left anything behind
    return outcome


def _cause(error: str) -> str:
    found = re.search(r"exit codes of the workers are \{(\w+)\((-?\d+)\)\}", error)
    if not found:
        return "its process died"
    name, code = found.groups()
    if name == "EXIT":
        return f"its process exited with status {code}"
    return f"its process was killed by {name}" + (" (kill -9, or out of memory)" if name == "SIGKILL" else "")
