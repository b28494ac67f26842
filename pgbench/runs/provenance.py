"""What a run was made with, so that it can be made again."""

import json
import os
import platform
import subprocess
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gymnasium
import numpy
import torch

from pgbench.config import Config
from pgbench.runs.code import PACKAGE, code
from pgbench.runs.records import PROVENANCE


def provenance(config: Config) -> dict[str, Any]:
    """Code, git commit and whether the tree differs from it, versions, CPU, cores and the threads torch uses."""
    return {"time": time.time(), "code": code(config), **machine(), "threads": torch.get_num_threads()}


@cache
def machine() -> dict[str, Any]:
    """Package, git commit, versions, CPU and cores: what does not change while a process lives."""
    import pgbench

    return {
        "pgbench": pgbench.__version__,
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "libraries": {
            "torch": torch.__version__,  # the build that runs: its metadata leaves out which
            "gymnasium": gymnasium.__version__,
            "numpy": numpy.__version__,
            **{name: found for name in ("mujoco", "hydra-core") if (found := _version(name))},
        },
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def append_provenance(directory: Path, config: Config, **fields: Any) -> None:
    """Adds a line to a run's provenance.jsonl."""
    line = json.dumps({**provenance(config), **fields}) + "\n"
    with open(directory / PROVENANCE, "a", encoding="utf-8") as file:
        file.write(line)


def _git(*arguments: str) -> str | None:
    """Git's answer about the package's own repository; None where it lies in none, or in somebody else's."""
    root = PACKAGE.parent
    try:
        command = ["git", "-C", str(root), *arguments]
        top = subprocess.run(
            [*command[:3], "rev-parse", "--show-toplevel"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
        if Path(top.stdout.strip()).resolve() != root or not (root / "pyproject.toml").exists():
            return None
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
