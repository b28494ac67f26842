"""Files written whole or not at all."""

import os
from pathlib import Path


def write_atomic(path: Path, data: bytes, durable: bool = False) -> None:
    """Writes a file whole or not at all: a reader sees the old content or the new. `durable` survives a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(part, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(part, path)
    if durable:
        sync_dir(path.parent)


def sync_dir(path: Path) -> None:
    """Makes renames and new files in a directory survive a power cut."""
    if os.name == "nt":  # cannot open a directory
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
