"""Checkpoints that hold tensors and builtins only, so that loading a stranger's can execute nothing."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgbench.errors import UserError
from pgbench.records import CHECKPOINT, write_atomic

FORMAT = 1


def save_checkpoint(directory: Path, content: dict[str, Any]) -> None:
    """Writes checkpoint.pt whole or not at all, also through a power cut. `content`: builtins, tensors, arrays."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **_pack(content)}, buffer)
    write_atomic(directory / CHECKPOINT, buffer.getvalue(), durable=True)


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """The content of checkpoint.pt, or None where there is none. Raises UserError if it cannot be used."""
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    try:
        content = torch.load(path, weights_only=True)
        version = content.pop("format")
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a readable checkpoint ({reason}); delete it to start the run anew") from None
    if version != FORMAT:
        raise UserError(
            f"{path}: written by another version of pgbench (format {version}, here {FORMAT}); use another output_dir"
        )
    unpacked: dict[str, Any] = _unpack(content)
    return unpacked


def _pack(value: Any) -> Any:
    """Arrays become {"numpy": tensor}; torch's safe loader takes tensors and builtins."""
    if isinstance(value, np.ndarray):
        return {"numpy": torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, dict):
        return {key: _pack(item) for key, item in value.items()}
    return [_pack(item) for item in value] if isinstance(value, list | tuple) else value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            value["numpy"].numpy() if value.keys() == {"numpy"} else {key: _unpack(item) for key, item in value.items()}
        )
    return [_unpack(item) for item in value] if isinstance(value, list) else value
