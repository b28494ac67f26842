"""Nothing fails at import where Linux's own is missing: flock, prctl, /proc, some signals and system calls."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT = """
import os, signal, sys
import asyncio, joblib, numpy, pandas, torch, gymnasium, matplotlib.pyplot, optuna  # theirs is not the question
for module in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"):
    sys.modules[module] = None
for name in ("uname", "killpg", "nice", "getloadavg", "sched_getaffinity", "pread", "pwrite", "getppid", "geteuid"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1"):
    delattr(signal, name)
"""
IMPORT = """
import importlib, pathlib
for package in ("pgbench", "sweeps", "reports"):
    for path in sorted(pathlib.Path(package).rglob("*.py")):
        if path.name != "__main__.py":
            importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        else:
            importlib.import_module(f"{package}.__main__")
"""
TRAIN = """
import sys
from pgbench.commands.train import main
small = ["hyperparameters.n_envs=2", "hyperparameters.n_steps=20", "algorithm=npg", "env=cartpole", "seeds=1"]
for steps in (80, 160):
    assert main([*small, f"total_steps={steps}", f"output_dir={sys.argv[1]}"]) == 0
"""


def without(code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", WITHOUT + code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)


def test_everything_imports() -> None:
    done = without(IMPORT)
    assert done.returncode == 0, done.stderr.decode()


def test_a_job_trains_and_goes_on(tmp_path: Path) -> None:
    done = without(TRAIN, str(tmp_path))
    assert done.returncode == 0, done.stderr.decode()
    (table,) = tmp_path.glob("*/seed-0/metrics.csv")
    assert len(table.read_text(encoding="utf-8").splitlines()) == 5


def test_these_are_missed_elsewhere_too() -> None:
    done = without("import fcntl")
    assert b"ModuleNotFoundError" in done.stderr
