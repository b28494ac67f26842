"""Where a figure comes from: the runs used and left out, the command, the code and the versions."""

import json
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pgbench
from reports.data import Data

LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "seaborn")


def manifest(data: Data, command: str, **figure: Any) -> dict[str, Any]:
    """What `<figure>.json` holds. No time and no place of the output: equal records and command give equal manifests.

    `used`: seeds by job; `left_out`: seed and reason by job; `written_by`: what wrote the records, with its number of
    processes.
    """
    return {
        **figure,
        "command": command,
        "metric": data.metric,
        "runs": sum(group.n for group in data.groups),
        "used": {group.job: ranges(seed.seed for seed in group.counted) for group in data.groups if group.n},
        "left_out": {group.job: {str(s): why for s, why in group.left_out} for group in data.groups if group.left_out},
        "not_read": list(data.problems),
        **({"searches": [study.name for study in data.searches]} if data.searches else {}),
        "written_by": writers(data),
        "drawn_by": {
            "pgbench": pgbench.__version__,
            **_code(),
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    }


def ranges(numbers: Iterable[int]) -> str:
    """0, 1, 2, 5 as "0-2,5"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{low}-{high}" if low < high else f"{low}" for low, high in parts)


def writers(data: Data) -> list[dict[str, Any]]:
    """What the processes that wrote the records tell of themselves: each different account, and of how many."""
    if "provenance" not in data.seeds:
        return []
    found: Counter[str] = Counter()
    for accounts in data.seeds["provenance"]:
        for account in accounts:
            same = {key: value for key, value in account.items() if key not in ("time", "env_steps")}
            found[json.dumps(same, sort_keys=True, default=str)] += 1
    return [{"processes": count, **json.loads(text)} for text, count in found.most_common()]


def embedded(account: dict[str, Any]) -> str:
    """The manifest as a file's metadata: without the lists of runs, with the digest of the whole."""
    short = {key: value for key, value in account.items() if key not in ("used", "left_out", "not_read", "written_by")}
    return json.dumps({**short, "manifest_sha256": sha256(encode(account)).hexdigest()}, ensure_ascii=True)


def encode(account: Any) -> bytes:
    """As JSON, readable and always the same."""
    return (json.dumps(account, indent=1, ensure_ascii=False, default=str) + "\n").encode(errors="surrogateescape")


@cache
def _code() -> dict[str, Any]:
    """Commit of this code and whether the files differ from it; nothing where it is not in a repository."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"git_commit": commit, "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str | None:
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, encoding="utf-8", errors="replace", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def command_line(arguments: Sequence[str]) -> str:
    """The command as it can be typed again, without where the output goes."""
    import shlex

    kept, skip = [], False
    for argument in arguments:
        if skip or argument.startswith("--out="):
            skip = False
            continue
        if argument == "--out":
            skip = True
            continue
        kept.append(argument)
    return shlex.join(["python", "-m", "reports", *kept])
