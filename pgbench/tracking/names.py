"""How runs are called where people see them."""

from collections.abc import Iterable, Mapping
from typing import Any

TAG_LENGTH = 64  # W&B takes tags of 1 to 64 characters


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config by dotted names."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def algorithm(config: Mapping[str, Any]) -> str:
    return _name(config.get("algorithm"), "name")


def env(config: Mapping[str, Any]) -> str:
    return _name(config.get("env"), "id")


def _name(part: Any, key: str) -> str:
    return str(part.get(key, "") if isinstance(part, Mapping) else part or "")


def run_name(config: Mapping[str, Any], others: Iterable[Mapping[str, Any]], seed: int | None) -> str:
    """`trpo CartPole-v1 delta=0.01 seed 0`: what tells this job from `others` of its algorithm and environment.

    Without a seed, the name of the job as a whole.
    """
    rivals = [flat(_deciding(one)) for one in others if (algorithm(one), env(one)) == (algorithm(config), env(config))]
    mine = flat(_deciding(config))
    named = ("algorithm.name", "algorithm", "env.id", "env")
    parts = [
        f"{key.removesuffix('.name').rpartition('.')[2]}={_show(value)}"
        for key, value in mine.items()
        if key not in named and any(key in rival and rival[key] != value for rival in rivals)
    ]
    return " ".join([algorithm(config), env(config), *parts, *([] if seed is None else [f"seed {seed}"])])


def _deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that tells jobs apart."""
    return {key: value for key, value in config.items() if key not in ("seed", "job", "provenance", "format")}


def _show(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "-".join(map(_show, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def tags(wanted: Iterable[Any]) -> tuple[str, ...]:
    """What a tracker takes of the tags wanted: not empty, cut to 64 characters, each once."""
    return tuple(dict.fromkeys(str(tag).strip()[:TAG_LENGTH].strip() for tag in wanted if str(tag or "").strip()))
