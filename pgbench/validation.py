"""Checking a config: plain values against the schema (pgbench/config.py) and an algorithm's own.

Every mistake is told in one line, with the key, the value and what is allowed.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pgbench.config import ADVANTAGES, OURS, SPEC, STRICT, Config, Hyperparameters, defaults, to_plain
from pgbench.errors import UserError, nearest
from pgbench.plugins import load_module


def keys(schema: Any = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every config key with its description, e.g. `("hyperparameters.delta", "KL bound ...")`."""
    for name, one in schema.__pydantic_fields__.items():
        if dataclasses.is_dataclass(one.annotation):
            yield from keys(one.annotation, f"{prefix}{name}.")
        elif name != "own":
            yield prefix + name, one.description or ""


def own_keys(update: str) -> dict[str, str]:
    """The hyperparameters that an algorithm from outside (module:name) adds, each with its description."""
    schema = own_schema(update)
    if schema is None:
        return {}
    described = TypeAdapter(schema).json_schema()["properties"]
    return {f"hyperparameters.{name}": one.get("description", "") for name, one in described.items()}


def own_defaults(update: str) -> dict[str, Any]:
    """The defaults of these hyperparameters, of those that have one."""
    return {f"hyperparameters.{name}": value for name, value in defaults(own_schema(update))}


def own_schema(update: str) -> Any:
    """The dataclass `Hyperparameters` of a module; None for ours or where there is none. Raises UserError."""
    if update.startswith(OURS):
        return None
    module = load_module(update, "algorithm.update")
    schema = getattr(module, "Hyperparameters", None)
    if schema in (None, Hyperparameters):
        return None
    if not dataclasses.is_dataclass(schema):
        raise UserError(f"algorithm.update: {module.__name__}.Hyperparameters must be a dataclass")
    checked: Any = schema
    typed = inspect.get_annotations(checked)
    untyped = [
        name
        for name, value in vars(schema).items()
        if not name.startswith("_")
        and name not in typed
        and not callable(value)
        and not isinstance(value, property | classmethod | staticmethod | cached_property)
    ]
    if untyped:
        raise UserError(
            f"algorithm.update: {module.__name__}.Hyperparameters.{untyped[0]} has no type, so that it would be no "
            f"hyperparameter: write `{untyped[0]}: {type(vars(schema)[untyped[0]]).__name__} = ...`"
        )
    checked.__pydantic_config__ = STRICT  # as ours are checked and described
    return checked


def validate(values: Mapping[str, Any]) -> Config:
    """The checked config of plain values. Raises UserError that names key, value and what is allowed."""
    try:
        config = TypeAdapter(Config).validate_python(_with_own(values))
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"][0] != "seeds"]
        raise UserError("; ".join(map(_explain, wrong[:3])) or _explain_seeds(values["seeds"])) from None
    algorithm = config.algorithm
    if isinstance(config.seeds, bool) or len(set(config.seed_list)) != len(config.seed_list) or not config.seed_list:
        raise UserError(_explain_seeds(values["seeds"]))
    hp = config.hyperparameters
    if hp.n_envs * hp.n_steps < 2 and algorithm.standardize and algorithm.collect == "steps":
        raise UserError(
            "hyperparameters.n_steps: a batch of one step cannot be standardised; set more n_envs or n_steps, or "
            "algorithm.standardize=false"
        )
    for name in algorithm.reads:
        if name not in hp.names():
            raise UserError(f"algorithm.reads: no hyperparameter is called '{name}'{nearest(name, hp.names())}")
    for wrapper in config.env.wrappers:
        if not re.fullmatch(SPEC, str(wrapper.get("wrapper"))):
            raise UserError(f"env.wrappers: got {wrapper!r}, write {{wrapper: module:name, keyword: value, ...}}")
    if algorithm.advantage == "trajectory_return" and algorithm.collect != "episodes":
        raise UserError(
            "algorithm.advantage: 'trajectory_return' needs complete episodes: set algorithm.collect=episodes"
        )
    if algorithm.advantage in ADVANTAGES and algorithm.baseline != "learned":
        raise UserError(
            f"algorithm.baseline: got '{algorithm.baseline}', but algorithm.advantage={algorithm.advantage} subtracts "
            "the critic's value: set algorithm.baseline=learned"
        )
    return config


def _with_own(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with an algorithm's own hyperparameters checked and apart."""
    algorithm, given = values.get("algorithm"), values.get("hyperparameters")
    if not isinstance(algorithm, Mapping) or not isinstance(given, Mapping) or ":" not in str(algorithm.get("update")):
        return values
    schema = own_schema(str(algorithm["update"]))
    if schema is None:
        return values
    known = Hyperparameters.__dataclass_fields__
    extra = {**to_plain(given.get("own") or {}), **{key: x for key, x in given.items() if key not in known}}
    try:
        own = TypeAdapter(schema).validate_python(extra)
    except ValidationError as error:
        names = [f"hyperparameters.{one.name}" for one in dataclasses.fields(schema)]
        raise UserError("; ".join(_explain(one, "hyperparameters.", names) for one in error.errors()[:3])) from None
    return {**values, "hyperparameters": {**{key: x for key, x in given.items() if key in known}, "own": own}}


def _explain_seeds(seeds: Any) -> str:
    return f"seeds: got {seeds!r}, allowed is a count of at least 1 or a list of different numbers of at least 0"


def _explain(error: Any, prefix: str = "", own: Sequence[str] = ()) -> str:
    key = prefix + ".".join(map(str, error["loc"]))
    if error["type"] == "unexpected_keyword_argument":
        return f"{key}: no such key{nearest(key, [*own, *(name for name, _ in keys())])}"
    if error["type"] == "missing":
        return f"{key}: missing"
    message = error["msg"].replace("Input should be", "allowed is").replace("greater than or equal to", "at least")
    message = message.partition(", unable to ")[0].replace("valid tuple", "list")
    allowed = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    return f"{key}: got {error['input']!r}, {message}{nearest(str(error['input']), allowed)}"
