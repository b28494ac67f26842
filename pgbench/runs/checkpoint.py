"""checkpoint.pt: what a run needs to go on bit for bit."""

from pathlib import Path
from typing import Any

from pgbench.runs.records import CHECKPOINT
from pgbench.tensors import load_tensors, save_tensors

FORMAT = 2


def save_checkpoint(directory: Path, content: dict[str, Any]) -> None:
    """Writes checkpoint.pt whole or not at all, also through a power cut. `content`: builtins, tensors, arrays."""
    save_tensors(directory / CHECKPOINT, content, FORMAT)


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """The content of checkpoint.pt, or None where there is none. Raises UserError if it cannot be used."""
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    return load_tensors(path, FORMAT, "delete it to start the run anew, or use another output_dir")
