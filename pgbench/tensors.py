"""Files of tensors, arrays and builtins, so that loading a stranger's can execute nothing."""

import io
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch

from pgbench.errors import UserError
from pgbench.files import write_atomic


def save_tensors(path: Path, content: dict[str, Any], version: int, durable: bool = True) -> None:
    """Writes a file whole or not at all; `durable`: also through a power cut. `content`: builtins, tensors, arrays."""
    buffer = io.BytesIO()
    torch.save({"format": version, **_pack(content)}, buffer)
    write_atomic(path, buffer.getvalue(), durable)


def load_tensors(path: Path, version: int, remedy: str) -> dict[str, Any]:
    """What `save_tensors` wrote. Raises UserError, which ends in `remedy`, if it cannot be used."""
    try:
        with ZipFile(path) as archive:  # torch does not compare the checksums that it writes
            intact = archive.testzip() is None
        content = torch.load(path, weights_only=True) if intact else {}
        found = content.pop("format")
    except Exception as error:
        # Of a damaged file torch says whatever it stumbled over.
        reason = "damaged, or not written by pgbench"
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            reason = str(error.strerror)
        raise UserError(f"{path}: not readable ({reason}); {remedy}") from None
    if found != version:
        raise UserError(f"{path}: written by another version of pgbench (format {found}, here {version}); {remedy}")
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
