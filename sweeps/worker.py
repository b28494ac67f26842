"""What runs in a training process: one unit after another, until its supervisor closes it or dies."""

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from pgbench.errors import UserError
from pgbench.runs.lock import Held, lock
from pgbench.runs.records import read_status, seed_dir
from pgbench.terminal import print_anything
from sweeps.plan import Unit
from sweeps.state import record_failure

PR_SET_PDEATHSIG = 1
stop = threading.Event()
"""Set by SIGTERM: the trainer then checkpoints and raises Interrupted."""


def start(parent: int, log: str) -> None:
    """Ties this process to its supervisor: ends with it, leaves Ctrl-C to it, prints into `log`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if sys.platform == "linux" and os.getppid() != parent:  # it died before prctl
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fd = os.open(log, os.O_WRONLY | os.O_APPEND)
    with suppress(PermissionError):  # Windows
        os.unlink(log)  # so that no kill leaves it behind
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    print_anything()
    faulthandler.enable()


def prepare(trainer: str) -> int:
    """Imports the trainer, lets SIGTERM stop it after a checkpoint, and gives this process's id."""
    importlib.import_module(trainer)
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    return os.getpid()


def train(unit: Unit, trainer: str) -> dict[str, Any]:
    """Trains those seeds that no other process trains. The outcome (sweeps/state.py), whatever happens."""
    module = importlib.import_module(trainer)
    stop.clear()  # it may have stopped the unit before
    held: dict[int, str] = {}
    free: list[int] = []
    with ExitStack() as locks:
        try:
            for seed in unit.seeds:
                try:
                    locks.enter_context(lock(seed_dir(unit.config.job_dir, seed)))
                    free.append(seed)
                except Held as error:
                    held[seed] = str(error)
            statuses = module.run_job(unit.config, free, stop=stop.is_set) if free else {}
            hurt = [seed_dir(unit.config.job_dir, seed) for seed, status in statuses.items() if status == "failed"]
            if hurt:  # the others are done; these need a person
                message = "; ".join(str(read_status(directory).get("message")) for directory in hurt)
                return {"end": "failed", "message": message, "mistake": True, "seeds": len(hurt)}
            return {"end": "held" if held else "finished", "held": held}
        except module.Interrupted:
            return {"end": "stopped"}
        except BaseException as error:
            return _failed(unit, free, error)


def _failed(unit: Unit, seeds: Sequence[int], error: BaseException) -> dict[str, Any]:
    mistake = isinstance(error, UserError)
    message = str(error) if mistake else traceback.format_exception_only(error)[-1].strip()
    try:
        record_failure(unit, seeds, message, "" if mistake else "".join(traceback.format_exception(error)))
    except OSError as second:
        message += f" (its record could not be written: {second})"
    return {"end": "failed", "message": message, "mistake": mistake}
