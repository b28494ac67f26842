"""One writer a run: a flock on its `lock` file, which the kernel drops with the process that holds it.

The file says who holds it (pid, host, start time). On a shared directory flock must reach all machines: NFS and Lustre
(mounted with flock) do.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"


class Held(Exception):
    """Another process writes this run; the message says which."""


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Holds a run's lock. Raises Held at once if another process does."""
    directory.mkdir(parents=True, exist_ok=True)
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(_describe(os.pread(fd, 1000, 0))) from None
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time()}
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(fd)


def holder(directory: Path) -> str | None:
    """Who writes this run now, in words; None if nobody does."""
    try:
        fd = os.open(directory / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _describe(os.pread(fd, 1000, 0))
    finally:
        os.close(fd)


def _describe(content: bytes) -> str:
    try:
        owner = json.loads(content)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["started"]))
        return f"process {owner['pid']} on {owner['host']} since {since}"
    except (ValueError, KeyError, TypeError):  # it has just taken the lock and not written yet
        return "another process"
