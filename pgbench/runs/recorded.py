"""A run's config, from its record."""

from pathlib import Path
from typing import Any

import yaml

from pgbench.composition import choices, compose
from pgbench.config import Config, merge, to_plain
from pgbench.errors import UserError
from pgbench.runs.records import CONFIG, FORMAT
from pgbench.validation import validate


def read_config(run: Path) -> Config:
    """The config that makes this run (a run's directory or its config.yaml) again; keys its algorithm does not read
    have their defaults. Raises UserError for a damaged record, or one of a newer format."""
    path = run / CONFIG if run.is_dir() else run
    try:
        held: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        version, recorded = held.get("format", 1), held["config"]
        parts = {part: recorded[part] for part in ("algorithm", "env", "hyperparameters")}
        steps = held["total_steps"] if version > 1 else recorded["total_steps"]
        if version > FORMAT:
            raise UserError(f"{path}: format {version} is newer than this pgbench reads ({FORMAT}); update pgbench")
        reads = {"algorithm": {"reads": held["reads"]}} if "reads" in held else {}
        name = parts["algorithm"]["name"]  # one of somebody's own is whole in the record
        defaults = to_plain(compose([f"algorithm={name}"] if name in choices("algorithm") else []))
        changes = {**parts, "total_steps": steps, "seeds": [held["seed"]]}
        return validate(merge(merge(defaults, changes), reads))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, AttributeError, ValueError, yaml.YAMLError):
        raise UserError(f"{path}: not the config of a run") from None
