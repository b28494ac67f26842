"""One door for algorithms, networks, wrappers, weights and trackers, ours and other people's: `module:name`."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from pgbench.errors import UserError


def load(spec: str, key: str) -> Any:
    """What `module:name` names. Raises UserError, which names the config key, where there is no such thing.

    The module is imported as Python does: from the working directory, an installed package, PYTHONPATH; or from the
    directory that holds a `--config-dir`.
    """
    name = spec.partition(":")[2]
    module = load_module(spec, key)
    try:
        return getattr(module, name)
    except AttributeError:
        public = [one for one in vars(module) if not one.startswith("_")]
        raise UserError(f"{key}: '{module.__name__}' has no '{name}', it has {', '.join(public)}") from None


def load_module(spec: str, key: str) -> ModuleType:
    """The module of `module:name`. Raises UserError."""
    module, colon, name = spec.partition(":")
    if not (module and colon and name):
        raise UserError(f"{key}: got '{spec}', write module:name")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in (module, module.partition(".")[0]):
            raise UserError(f"{key}: '{module}' needs '{error.name}', which is not installed") from None
        raise UserError(
            f"{key}: no module '{module}' in the working directory, on PYTHONPATH, or beside a --config-dir"
        ) from None
    except Exception as error:  # its own code fails
        reason = " ".join(str(error).split())
        raise UserError(f"{key}: importing '{module}' fails: {type(error).__name__}: {reason}") from error


def look_beside(config_dirs: Iterable[str]) -> None:
    """Lets modules be imported that lie beside a directory of configs, `ppo/ppo.py` beside `ppo/conf`, and those in the
    working directory, where an installed command does not look by itself."""
    for directory in (os.getcwd(), *(str(Path(one).resolve().parent) for one in config_dirs)):
        if directory not in sys.path:
            sys.path.append(directory)


def source(module: str) -> bytes:
    """The source file of a module, found without importing it; empty where there is none."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    path = Path(found.origin) if found and found.origin else None
    return path.read_bytes() if path and path.suffix == ".py" and path.exists() else b""
