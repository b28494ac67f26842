"""Records of real training, made once per session, and a stand-in server."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))  # for server.py

from server import Server  # noqa: E402

KEY = "0123456789abcdef0123456789abcdef01234567"
SECRET = "a-secret-that-must-not-be-anywhere"
# What a shell may hold: each would reach into runs if wandb read it.
HOSTILE = {
    "WANDB_RUN_ID": "stolen",
    "WANDB_RUN_GROUP": "stolen",
    "WANDB_NAME": "stolen",
    "WANDB_TAGS": "x" * 90,
    "WANDB_PROJECT": "stolen",
    "WANDB_RESUME": "never",
    "WANDB_SERVICE": "3-1-unix-/nowhere",
    "WANDB_DIR": "/proc/nowhere",
    "WANDB_INIT_TIMEOUT": "-1",
    "WANDB_CONSOLE": "bogus",
}
SMALL = [
    "hyperparameters.n_envs=4",
    "hyperparameters.n_steps=32",
    "hyperparameters.hidden=[16]",
    "hyperparameters.critic_hidden=[16]",
    "hyperparameters.critic_steps=3",
    "env=cartpole",
]


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without W&B's variables and credentials, with a secret, and these changes."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return {**base, "HOME": "/nonexistent", "NETRC": "/nonexistent/netrc", "A_SECRET": SECRET, **changes}


def command(*arguments: object, check: bool = True, **changes: str) -> subprocess.CompletedProcess[str]:
    """`python -m ARGUMENTS` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert not check or done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two algorithms, three seeds each, in worker processes, followed offline in a shell full of traps."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with open(shared / "swept.lock", "w") as lock:  # made once for all workers of pytest-xdist
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory = shared / "swept" / "delta"
        if not directory.exists():
            sweep(directory)
    return directory


def sweep(directory: Path) -> None:
    grid = ["algorithm=trpo,vpg", "seeds=3", "total_steps=2000", "n_jobs=2", f"output_dir={directory}"]
    tracking = ["tracking=wandb", "tracking.mode=offline", f"tracking.tags=[extra,'',{'x' * 80}]"]
    command("sweeps", *grid, *SMALL, *tracking, **HOSTILE, WANDB_API_KEY=KEY)


@pytest.fixture
def untracked(swept: Path, tmp_path: Path) -> Path:
    """The three runs of one of its jobs as if they had been made with tracking off."""
    directory = tmp_path / "delta"
    job = min(swept.glob("trpo-*"))
    shutil.copytree(job, directory / job.name, ignore=shutil.ignore_patterns("wandb", "tracking.*"))
    return directory


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
    assert server.errors == []
