"""Hands figures and tables to Weights & Biases, by a command of its own: reports never import wandb."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def share(figures: Path, directories: Sequence[str | Path]) -> int:
    """`python -m sweeps.publish --figures FIGURES DIR...` in another process; gives its exit status."""
    command = [sys.executable, "-m", "sweeps.publish", "--figures", str(figures), *map(str, directories)]
    return subprocess.run(command, check=False).returncode
