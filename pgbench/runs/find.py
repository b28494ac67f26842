"""Which runs lie below some directories: the one answer that every command gives."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pgbench.errors import UserError
from pgbench.runs.records import CONFIG, STATUS

SEED = re.compile(r"seed-(\d+)")


def find_runs(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The runs (directories `seed-<k>` with a config.yaml or status.json) below one directory or several, links
    followed, each once and by its real path, in order. Raises UserError where a directory does not exist or holds none.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise UserError(f"{path}: no such directory")
        runs = sorted(_below(path, set()), key=_order)
        if not runs:
            raise UserError(f"{path}: no runs below it; give a run, a job or an output_dir")
        found.update(dict.fromkeys(runs))
    return list(found)


def seed_of(run: Path) -> int:
    """The seed in a run's directory name."""
    match = SEED.fullmatch(run.name)
    assert match
    return int(match[1])


def _below(path: Path, seen: set[Path]) -> Iterator[Path]:
    real = path.resolve()
    if real in seen:
        return
    seen.add(real)
    if SEED.fullmatch(real.name):
        if any((real / name).exists() for name in (CONFIG, STATUS)):
            yield real
        return
    try:
        with os.scandir(real) as entries:
            below = [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError as error:
        raise UserError(f"{real}: cannot be read: {error.strerror}") from None
    for child in below:
        yield from _below(child, seen)


def _order(run: Path) -> tuple[str, int]:
    return str(run.parent), seed_of(run)
