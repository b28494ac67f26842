"""Locks that the kernel drops with the process that holds them. Where there is no flock (Windows) all are free: nothing
then keeps two commands from one run, and a run whose process has gone looks like one that still trains.

(filelock empties the file that it locks, in which `lock` says who holds it.)
"""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def take(fd: int) -> bool:
    """Takes the lock of an open file for as long as it stays open; False if another process has it."""
    return fcntl is None or _flock(fd, fcntl.LOCK_EX)


def held(path: Path) -> bool | None:
    """Whether a process holds the lock of a file; None where that cannot be known."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return None if fcntl is None else not _flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _flock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
