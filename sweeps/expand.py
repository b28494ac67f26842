"""A sweep is data: blocks of overrides, expanded to one mapping of overrides a job.

    description: what the sweep shows
    seeds: 10                                   any key of a job, for all jobs, or of the sweep (n_jobs)
    jobs:                                       the union of its blocks
      - set: {env: cartpole}                    one value each
        grid: {algorithm: [vpg, npg]}           every combination
        zip: {hyperparameters.n_envs: [4, 16], hyperparameters.n_steps: [500, 125]}     side by side

A grid or zip value beats `set`, which beats the sweep's own keys; the command line beats all.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from pgbench.composition import choices
from pgbench.config import CONF
from pgbench.errors import UserError, nearest
from pgbench.terminal import path_of
from sweeps.options import OPTIONS, check_key

Overrides = dict[str, Any]
BLOCK = ("set", "grid", "zip")


def load(name: str, config_dirs: Sequence[str] = ()) -> dict[str, Any]:
    """The sweep of that name in conf/sweep or sweep/ of one's own directories, or in that YAML file. Raises UserError
    where there is none."""
    from omegaconf import OmegaConf

    is_path = name.endswith((".yaml", ".yml")) or "/" in name
    path = path_of(name) if is_path else _file(name, config_dirs)
    try:
        loaded = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")), resolve=False)
    except FileNotFoundError:
        if is_path:
            raise UserError(f"sweep: no such file {path}") from None
        known = choices("sweep", config_dirs)
        allowed = f"{', '.join(known)} or the path of a YAML file"
        raise UserError(f"sweep: got '{name}', allowed is {allowed}{nearest(name, known)}") from None
    except Exception as error:  # unreadable, not UTF-8, not YAML: one line each
        raise UserError(f"sweep: cannot read {path}: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"sweep: {path} is not a mapping of keys")
    return {str(key): value for key, value in loaded.items()}


def _file(name: str, config_dirs: Sequence[str]) -> Path:
    places = [*map(Path, config_dirs), CONF]
    files = [place / "sweep" / f"{name}.yaml" for place in places]
    return next((file for file in files if file.exists()), files[-1])


def descriptions(config_dirs: Sequence[str] = ()) -> dict[str, str]:
    """Each sweep that has a name, with its description."""
    import yaml

    names = choices("sweep", config_dirs)
    found = {name: yaml.safe_load(_file(name, config_dirs).read_text(encoding="utf-8")) for name in names}
    return {name: str(content.get("description", "")) for name, content in found.items()}


def expand(sweep: Mapping[str, Any], command_line: Mapping[str, Sequence[Any]] | None = None) -> list[Overrides]:
    """The overrides of each job of a sweep, in order, without repeats. Raises UserError."""
    common = {key: value for key, value in sweep.items() if key not in ("description", "jobs")}
    for key in common:
        check_key(key)
    lines = list(_grid(command_line or {}))
    found: dict[str, Overrides] = {}
    for number, block in enumerate(_blocks(sweep)):
        try:
            for overrides in _block(block):
                for line in lines:
                    job = {**common, **overrides, **line}
                    found.setdefault(repr(sorted(job.items())), job)
        except UserError as error:
            raise UserError(f"jobs[{number}]: {error}") from None
    return list(found.values())


def _blocks(sweep: Mapping[str, Any]) -> list[Any]:
    blocks = sweep.get("jobs", [{}])
    if not isinstance(blocks, list) or not blocks:
        raise UserError(f"jobs: got {blocks!r}, allowed is a list of blocks, each with {', '.join(BLOCK)}")
    return blocks


def _block(block: Any) -> Iterator[Overrides]:
    if not isinstance(block, Mapping) or not all(isinstance(part or {}, Mapping) for part in block.values()):
        raise UserError(f"got {block!r}, allowed is a mapping with {', '.join(BLOCK)}, each a mapping of keys")
    for part in block:
        if part not in BLOCK:
            raise UserError(
                f"{part}: no such part of a block, allowed is {', '.join(BLOCK)}{nearest(part, list(BLOCK))}"
            )
    fixed, grid, zipped = ({str(key): value for key, value in (block.get(part) or {}).items()} for part in BLOCK)
    for key in (*fixed, *grid, *zipped):
        if key in OPTIONS and key != "output_dir":
            raise UserError(f"{key}: is of the whole sweep; write it beside `jobs`")
        check_key(key)
    for key, values in (*grid.items(), *zipped.items()):
        if not isinstance(values, list) or not values:
            raise UserError(f"{key}: got {values!r}, allowed is a list of values")
    lengths = {key: len(values) for key, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise UserError(f"zip: the lists must be of one length, but {counts}")
    rows = [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
    for choice in _grid(grid):
        for row in rows:
            yield {**fixed, **choice, **row}


def _grid(values: Mapping[str, Sequence[Any]]) -> Iterator[Overrides]:
    for combination in product(*values.values()):
        yield dict(zip(values, combination, strict=True))
