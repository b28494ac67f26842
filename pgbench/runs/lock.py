"""One writer a run: a flock on its `lock` file, which the kernel drops with the process that holds it.

The file says who holds it (pid, host, start time). On a shared directory flock must reach all machines: NFS and Lustre
(mounted with flock) do.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgbench.runs.flock import held, take

LOCK = "lock"


class Held(Exception):
    """Another process writes this run; the message says which."""


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Holds a run's lock. Raises Held at once if another process does."""
    directory.mkdir(parents=True, exist_ok=True)
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not take(fd):
            raise Held(_describe(os.read(fd, 1000)))
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time()}
        os.ftruncate(fd, 0)
        os.write(fd, json.dumps(owner).encode())
        yield
    finally:
        os.close(fd)


def holder(directory: Path) -> str | None:
    """Who writes this run now, in words; None if nobody does. Where there are no locks, whoever wrote it last does."""
    path = directory / LOCK
    return None if held(path) is False else _describe(path.read_bytes())


def _describe(content: bytes) -> str:
    try:
        owner = json.loads(content)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["started"]))
        return f"process {owner['pid']} on {owner['host']} since {since}"
    except (ValueError, KeyError, TypeError):  # it has just taken the lock and not written yet
        return "another process"
