"""The command line of a sweep: its own keys, described once, and the overrides that reach every job."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pgbench import composition
from pgbench.config import GROUPS, PositiveInt
from pgbench.errors import UserError, nearest
from pgbench.runs.forecast import cores
from pgbench.validation import keys, own_keys
from sweeps.search.schema import KEYS as SEARCH


@dataclass(frozen=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True))
class Options:
    sweep: str | None = None
    """name of a sweep below, or the path of a YAML file; without one, the overrides alone make the jobs"""
    output_dir: str = "runs"
    """directory of the records, a directory a job"""
    n_jobs: PositiveInt = field(default_factory=cores)
    """processes that train at the same time, one torch thread each (default: the cores there are)"""
    seeds_per_process: PositiveInt | None = None
    """seeds of a job in lockstep in one process; null chooses at most 5, fewer where that keeps n_jobs busy"""
    backend: Literal["loky", "dask"] = "loky"
    """where the processes run: on this machine, or on the workers of a Dask cluster"""
    address: str | None = None
    """Dask scheduler, tcp://host:port or its scheduler file; null starts n_jobs Dask workers here"""
    on_error: Literal["continue", "stop"] = "continue"
    """after a failed run: go on with the others, or stop all"""
    max_failures: PositiveInt | None = None
    """stop all once this many runs have failed; null is no limit"""
    retries: Annotated[int, Field(ge=0)] = 3
    """how often a run whose process died goes on from its checkpoint without getting any further"""


OPTIONS = {name: field.description or "" for name, field in Options.__pydantic_fields__.items()}  # type: ignore[attr-defined]


def parse(arguments: Sequence[str], config_dirs: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """A sweep's own keys as given, and each other key with its values: several where it was given as `key=a,b`.

    Raises UserError for what is no `key=value` and for an unknown key.
    """
    own: dict[str, Any] = {}
    several: dict[str, list[Any]] = {}
    for argument, override in zip(arguments, composition.parse(arguments), strict=True):
        key = override.key_or_group
        if override.is_delete() or override.package:
            raise UserError(f"cannot use '{argument}' in a sweep: write key=value")
        found = composition.values(override, config_dirs)
        if key in OPTIONS:
            if len(found) > 1:
                raise UserError(f"{key}: got {len(found)} values, allowed is one; quotes keep a comma: {key}='a,b'")
            own[key] = found[0]
        else:
            check_key(key)
            several[key] = found
    return own, several


def check(given: Mapping[str, Any]) -> Options:
    """The options of a sweep from its own keys, of its file and the command line. Raises UserError."""
    directory = {key: given[key] for key in ("output_dir",) if key in given}  # its ${...} are the job's
    others = composition.interpolated({key: value for key, value in given.items() if key not in directory})
    try:
        return TypeAdapter(Options).validate_python({**others, **directory})
    except ValidationError as error:
        wrong = error.errors()[0]
        what = wrong["msg"].replace("Input should be", "allowed is").replace("greater than or equal to", "at least")
        near = nearest(str(wrong["input"]), re.findall(r"'(\w+)'", what))
        raise UserError(f"{wrong['loc'][0]}: got {wrong['input']!r}, {what}{near}") from None


def check_key(key: str) -> None:
    """Raises UserError with the nearest key there is, unless `key` is a config key or group of a job."""
    allowed = [*GROUPS, *(name for name, _ in keys()), "env.kwargs.*", *(f"search.{name}" for name in SEARCH)]
    if key not in allowed and not key.startswith(("env.kwargs.", "hyperparameters.")):  # the job's schema knows those
        raise UserError(f"{key}: no such key{nearest(key, [*OPTIONS, *allowed])} (python -m sweeps --help lists them)")


def describe(sweeps: Mapping[str, str], config_dirs: Sequence[str] = ()) -> str:
    """The text of --help. `sweeps`: name -> description."""
    own: list[str] = []
    for name, spec in composition.own_algorithms(config_dirs).items():
        own += ["", f"== Keys of algorithm={name} ==", *(f"  {key:<40}{text}" for key, text in own_keys(spec).items())]
    defaults = Options()
    shown = {name: f"{name}={'null' if (v := getattr(defaults, name)) is None else v}" for name in OPTIONS}
    return "\n".join(
        [
            "sweeps runs many jobs: expands a sweep into runs, skips those done, trains the others in parallel.",
            "  python -m sweeps sweep=figure1 n_jobs=2 output_dir=runs",
            "  python -m sweeps sweep=comparison output_dir=runs seeds=2 hyperparameters.delta=0.01,0.02",
            "  python -m sweeps algorithm=ppo,trpo --config-dir examples/ppo/conf    with code of your own",
            "Re-run the same command to resume. Look at it meanwhile: python -m sweeps.status runs",
            "",
            "== Sweeps ==",
            *(f"  {name:<20}{text}" for name, text in sweeps.items()),
            "",
            "== Keys of a sweep (key=value, with their defaults) ==",
            *(f"  {shown[name]:<24}{text}" for name, text in OPTIONS.items()),
            "",
            "== Keys that reach every job (key=value, or key=a,b for one job each) ==",
            f"  {', '.join(GROUPS)}",
            *(f"  {name:<40}{text}" for name, text in keys() if name != "output_dir"),
            *own,
            "",
            "== Keys of a sweep file's `search:` (search.key=value; docs/howto/search.md) ==",
            *(f"  search.{name:<33}{text}" for name, text in SEARCH.items()),
        ]
    )
