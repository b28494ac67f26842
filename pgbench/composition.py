"""From what a person types to a checked config: one reading of `key=value` for training, multirun and sweeps.

Hydra's grammar and its composition of groups; the schema (pgbench/config.py) does the checking. Directories of one's
own configs come by `--config-dir`; modules that lie beside them can be named by `module:name`.
"""

import importlib.util
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pgbench.config import CONF, GROUPS, OURS, Config, merge, to_plain
from pgbench.errors import UserError, nearest
from pgbench.plugins import look_beside
from pgbench.terminal import typed
from pgbench.validation import keys, own_keys, validate

FREE = ("env.kwargs.", "hyperparameters.network_kwargs.", "hyperparameters.critic_network_kwargs.")
"""Keys below these are anybody's."""
_hydra = threading.Lock()


def choices(group: str, config_dirs: Iterable[str] = ()) -> list[str]:
    """The names a config group offers, ours and those of one's own directories."""
    places = [CONF, *map(Path, config_dirs)]
    return sorted({path.stem for place in places for path in (place / group).glob("*.yaml")})


def split(arguments: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """A command line's overrides, directories of --config-dir, and other flags. Raises UserError."""
    overrides: list[str] = []
    config_dirs: list[str] = []
    flags: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            if not equals and not rest:
                raise UserError("--config-dir: give a directory")
            config_dirs.append(value if equals else rest.pop(0))
        elif name == "hydra.searchpath":
            config_dirs += map(_place, parse([argument])[0].value())
        else:
            (flags if argument.startswith("-") else overrides).append(argument)
    return overrides, config_dirs, flags


def _place(path: Any) -> str:
    """A directory of Hydra's search path, file:// or pkg://. Raises UserError."""
    scheme, separator, rest = str(path).partition("://")
    if scheme == "pkg" and separator:
        found = importlib.util.find_spec(rest)
        if not found or not found.submodule_search_locations:
            raise UserError(f"hydra.searchpath: no package '{rest}'")
        return str(found.submodule_search_locations[0])
    return rest if separator else str(path)


def parse(overrides: Sequence[str]) -> list[Any]:
    """Hydra's reading of `key=value` texts (hydra.core.override_parser.types.Override). Raises UserError."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        return list(OverridesParser.create().parse_overrides(list(map(readable, overrides))))
    except OverrideParseException as error:
        hint = "; put quotes around special characters: key='...'" if "=" in str(error.override) else ""
        raise UserError(f"cannot read '{error.override}': write key=value{hint}") from None


def readable(text: str) -> str:
    """An override in quotes where Hydra's alphabet lacks one of its characters: `~`, `#`, other scripts."""
    text = typed(text)
    key, _, value = text.partition("=")
    plain = r"(\$\{[^{}'\"]*\}|[^'\"\\\[\]{}(),])+"
    lacking = r"[^\w\s/\\+.$%*@?|:{}-]|[^\x00-\x7f]"
    return f"{key}='{value}'" if re.fullmatch(plain, value) and re.search(lacking, value) else text


def values(override: Any, config_dirs: Sequence[str] = ()) -> list[Any]:
    """What an override gives its key: several values where it is a sweep, `a,b`. Raises UserError."""
    if not override.is_sweep_override():
        return [override.value()]
    key, given = override.key_or_group, override.value()
    if hasattr(given, "filter"):  # glob(*)
        found = given.filter(choices(key, config_dirs)) if key in GROUPS else []
        if not found:
            raise UserError(f"{key}: no choice is like {override.input_line.partition('=')[2]}")
        return list(found)
    if not override.is_discrete_sweep():
        raise UserError(f"{key}: an interval is no list of values; write choice(a, b) or range(start, stop, step)")
    return [override._convert_value(value) for value in override.sweep_iterator()]


def check(overrides: Sequence[Any], config_dirs: Sequence[str] = ()) -> None:
    """Raises UserError for a key or group choice that does not exist, with the nearest one that does."""
    for directory in config_dirs:
        if not Path(directory).is_dir():
            raise UserError(f"--config-dir: no directory '{directory}'")
    look_beside(config_dirs)
    own = _own(overrides, config_dirs)
    allowed = [*GROUPS, *(name for name, _ in keys()), *own]
    for override in overrides:
        key = override.key_or_group
        if key.split(".")[0].split("/")[0] == "hydra" or key.startswith(FREE):
            continue
        if key in GROUPS:
            known = choices(key, config_dirs)
            for value in map(str, values(override, config_dirs)):
                _check_name(key, value, config_dirs)
                if value not in known:
                    raise UserError(
                        f"{key}: got '{value}', allowed is {', '.join(known)}{nearest(value, known)}"
                        + (" or any Gymnasium id by env.id=" if key == "env" else "")
                    )
        elif key not in allowed:
            raise UserError(f"{key}: no such key{nearest(key, allowed)} (python -m pgbench --help lists them)")


def _check_name(group: str, name: str, config_dirs: Sequence[str]) -> None:
    """Raises UserError for a file of one's own with the name of one of ours: Hydra would read ours in its place."""
    ours = CONF / group / f"{name}.yaml"
    for directory in map(Path, config_dirs):
        theirs = directory / group / f"{name}.yaml"
        if ours.exists() and theirs.exists() and not theirs.samefile(ours):
            raise UserError(f"{group}: {theirs} has the name of one of ours, which would be read; give it another")


def _own(overrides: Sequence[Any], config_dirs: Sequence[str]) -> dict[str, str]:
    """The hyperparameters that the algorithms from outside add which the overrides choose, with descriptions."""
    found: dict[str, str] = {}
    for override in overrides:
        if override.key_or_group == "algorithm.update":
            specs = values(override, config_dirs)
        elif override.key_or_group == "algorithm":
            specs = [_update_of(str(value), config_dirs) for value in values(override, config_dirs)]
        else:
            continue
        for spec in specs:
            if isinstance(spec, str) and ":" in spec and not spec.startswith(OURS):
                found |= own_keys(spec)
    return found


def own_algorithms(config_dirs: Sequence[str]) -> dict[str, str]:
    """The algorithms of one's own directories that come from outside, name -> `module:name`."""
    look_beside(config_dirs)
    names = {path.stem for place in config_dirs for path in (Path(place) / "algorithm").glob("*.yaml")}
    found = {name: _update_of(name, config_dirs) for name in sorted(names)}
    return {name: spec for name, spec in found.items() if isinstance(spec, str) and not spec.startswith(OURS)}


def _update_of(choice: str, config_dirs: Sequence[str]) -> Any:
    for directory in config_dirs:
        path = Path(directory) / "algorithm" / f"{choice}.yaml"
        if path.exists():
            try:
                content = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise UserError(f"--config-dir: cannot read {path}: {' '.join(str(error).split())}") from None
            return content.get("update") if isinstance(content, Mapping) else None
    return None


def for_hydra(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> list[str]:
    """The overrides as Hydra must hear them: what no YAML of ours holds is added, whether or not `+` says so."""
    parsed = parse(overrides)
    own = _own(parsed, config_dirs)
    added = []
    for text, override in zip(map(readable, overrides), parsed, strict=True):
        mapping = not override.is_sweep_override() and isinstance(override.value(), dict)  # Hydra extends no empty one
        new = override.key_or_group.startswith(FREE) or override.key_or_group in own or mapping
        added.append(f"++{text.lstrip('+')}" if new and not override.is_delete() else text)
    return added


def compose(overrides: Sequence[str] = (), config_dirs: Sequence[str] = ()) -> Config:
    """The config of a job from `key=value` overrides, as the command line takes them. Raises UserError."""
    return validate(interpolated(compose_plain(overrides, config_dirs)))


def interpolated(values: dict[str, Any]) -> dict[str, Any]:
    """A config's plain values with each `${...}` of them replaced by what it stands for. Raises UserError."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if "${" not in repr(values):  # thousands of jobs of a sweep have none
        return values
    try:
        found: Any = OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(" ".join(str(error).split())) from None
    return dict(found)


def compose_plain(overrides: Sequence[str] = (), config_dirs: Sequence[str] = ()) -> dict[str, Any]:
    """What Hydra composes, before any `${...}` is replaced and anything is validated. Raises UserError."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    parsed = parse(overrides)
    check(parsed, config_dirs)
    for override in parsed:
        if override.is_sweep_override():
            raise UserError(f"{override.key_or_group}: several values; use python -m sweeps, or -m")
    search = [searchpath(config_dirs)] if config_dirs else []
    try:
        with _our_own_hydra(), initialize_config_dir(str(CONF), version_base="1.3"):
            text = [*for_hydra(overrides, config_dirs), *search]
            composed = OmegaConf.to_container(hydra_compose("config", text), resolve=False)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(" ".join(str(error).split())) from None
    assert isinstance(composed, dict)
    return {str(key): value for key, value in composed.items()}


@contextmanager
def _our_own_hydra() -> Iterator[None]:
    """There is one Hydra a process: the one of an application that we run in is put aside meanwhile."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton

    with _hydra:
        theirs = Singleton.get_state()
        GlobalHydra.instance().clear()
        try:
            yield
        finally:
            Singleton.set_state(theirs)


def searchpath(config_dirs: Sequence[str]) -> str:
    """The override by which Hydra finds one's own directories."""
    paths = [str(Path(one).resolve()).replace("\\", "\\\\").replace("'", "\\'") for one in config_dirs]
    return "hydra.searchpath=[" + ",".join(f"'file://{path}'" for path in paths) + "]"


def with_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """A config with some single keys changed, by `key=value` as the command line takes them. Raises UserError."""
    parsed = parse(overrides)
    check(parsed)
    changed: dict[str, Any] = to_plain(config)
    for override in parsed:
        if override.key_or_group in GROUPS or override.is_sweep_override():
            raise UserError(f"{override.key_or_group}: a run's record fixes the groups; give single keys and values")
        *path, last = override.key_or_group.split(".")
        change: Any = {last: override.value()}
        for key in reversed(path):
            change = {key: change}
        changed = merge(changed, change)
    return validate(interpolated(changed))
