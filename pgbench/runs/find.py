"""Finds the directories of runs, each once however it is reached: the one answer that every command gives."""

import os
from collections.abc import Iterable
from pathlib import Path

from pgbench.errors import UserError
from pgbench.runs.records import CONFIG, METRICS_FILE, STATUS

Directories = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
MARKS = {CONFIG, STATUS, METRICS_FILE}
"""A directory seed-<k> with one of these is a run, if perhaps a damaged one."""


def roots(directories: Directories) -> list[Path]:
    """One directory or several, as paths."""
    one = isinstance(directories, str | os.PathLike)
    return [Path(directories)] if one else [Path(root) for root in directories]  # type: ignore[arg-type, union-attr]


def find_runs(directories: Directories) -> list[Path]:
    """All `<job>/seed-<k>` at or below the directories, resolved and sorted. Raises UserError where there are none.

    Links are followed, and what they lead to is looked at once; so nested roots and links to jobs or roots change
    nothing. Hidden directories are not searched.
    """
    found: set[Path] = set()
    for root in roots(directories):
        if not root.is_dir():
            raise UserError(f"{root}: no such directory")
        runs = _walk(os.path.realpath(root))
        if not runs:
            raise UserError(
                f"{root}: no runs below it (looked for */seed-<k>/{CONFIG}); "
                f"`python -m pgbench output_dir={root}` writes some"
            )
        found.update(map(Path, runs))
    return sorted(found)


def seed_of(run: Path) -> int:
    """The seed in a run's directory name."""
    return int(run.name.removeprefix("seed-"))


def _walk(top: str) -> list[str]:
    """The runs below a real path, each real directory looked at once."""
    runs, open_, seen = [], [top], set[str]()
    while open_:
        path = open_.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            entries = list(os.scandir(path))
        except OSError:
            continue  # not ours to read
        if _is_seed(os.path.basename(path)):
            if any(entry.name in MARKS for entry in entries):
                runs.append(path)
            continue
        for entry in entries:
            if not entry.name.startswith(".") and os.path.isdir(entry.path):
                open_.append(os.path.realpath(entry.path) if entry.is_symlink() else entry.path)
    return runs


def _is_seed(name: str) -> bool:
    return name.startswith("seed-") and name.removeprefix("seed-").isdecimal()
