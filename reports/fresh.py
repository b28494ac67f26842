"""Whether a report is still what the records would give: then a large one is not drawn again."""

import contextlib
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pgbench.runs.find import Directories, find_runs, roots
from reports.curves import CACHE
from reports.manifest import LIBRARIES
from reports.search import TABLE

DRAWN = "drawn.json"
KEPT = 20


def fingerprint(directories: Directories, command: str, read: Sequence[str] = ()) -> str:
    """A digest of all files of all runs (name, size, time of change), of the command, of what it has `read` beside
    them, and of the code that draws."""
    from importlib.metadata import version

    digest = sha256(json.dumps([command, list(read), [version(name) for name in LIBRARIES]]).encode())
    here = Path(__file__).parent
    for table in [root / TABLE for root in roots(directories)]:
        if table.exists():
            digest.update(table.read_bytes())
    for folder in [*find_runs(directories), here, here / "figures", here / "web"]:
        with os.scandir(folder) as entries:
            files = sorted((e.name, s.st_size, s.st_mtime_ns) for e in entries if e.is_file() and (s := e.stat()))
        digest.update(f"{folder} {files}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def recall(directories: Directories, out: Path, mark: str) -> list[str] | None:
    """What the report in `out` says, if it was drawn of just this and all its files are there; else None."""
    entry = _read(directories).get(str(out.resolve()))
    if not isinstance(entry, dict) or entry.get("fingerprint") != mark:
        return None
    if not all((out / name).is_file() for name in entry["files"]):
        return None
    return list(entry["lines"])


def remember(directories: Directories, out: Path, mark: str, lines: list[str], files: list[str]) -> None:
    """Notes what was drawn, beside the cache of the records; nowhere for the few runs that need none."""
    folder = roots(directories)[0] / CACHE
    if not folder.is_dir():
        return
    drawn = _read(directories)
    drawn.pop(str(out.resolve()), None)
    drawn[str(out.resolve())] = {"fingerprint": mark, "lines": lines, "files": files}
    part = folder / f".drawn.{os.getpid()}"
    with contextlib.suppress(OSError):
        part.write_text(json.dumps(dict(list(drawn.items())[-KEPT:])), encoding="utf-8")
        os.replace(part, folder / DRAWN)


def _read(directories: Directories) -> dict[str, Any]:
    try:
        drawn = json.loads((roots(directories)[0] / CACHE / DRAWN).read_text(encoding="utf-8"))
        return drawn if isinstance(drawn, dict) else {}
    except (OSError, ValueError):
        return {}
