"""Names that tell jobs apart: what differs between the settings of one environment, and no more."""

from collections.abc import Iterable, Mapping
from typing import Any

Config = Mapping[str, Any]

# The slides' order, from the simplest to the most constrained; how people write the names.
ALGORITHMS = {"reinforce": "REINFORCE", "vpg": "VPG", "npg": "NPG", "trpo": "TRPO"}
SYMBOLS = {
    "hyperparameters.learning_rate": "α",
    "hyperparameters.delta": "δ",
    "hyperparameters.gamma": "γ",
    "hyperparameters.gae_lambda": "λ",
}
"""The slides' letters, for axes."""
NAME, ENV, SET, STEPS = "algorithm.name", "env.id", "hyperparameters.name", "total_steps"
MISSING = "missing"
"""Stands for a key that a job's algorithm does not read."""


def algorithm_name(algorithm: str) -> str:
    """The name as people write it: REINFORCE, VPG, NPG, TRPO; another's in capitals if it is short."""
    return ALGORITHMS.get(algorithm, algorithm.upper() if len(algorithm) <= 5 else algorithm)


def key_name(key: str) -> str:
    """The last part of a key, with the slides' letter where there is one: `delta δ`."""
    short = key.rpartition(".")[2]
    return f"{short} {SYMBOLS[key]}" if key in SYMBOLS else short


def show(value: Any) -> str:
    """A value as short as it can be read: (64, 64) is 64-64, 1e-05 is 1e-05."""
    if isinstance(value, tuple):
        return "-".join(map(show, value)) or "none"
    if value is None:
        return "null"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def varying(configs: Iterable[Config]) -> list[str]:
    """The keys that have more than one value among the configs, or that some configs of one algorithm lack; in order.

    A key that only some algorithms read varies if its values do; that other algorithms lack it is no difference.
    """
    values: dict[str, set[str]] = {}
    counts: dict[Any, int] = {}
    having: dict[tuple[Any, str], int] = {}
    for config in configs:
        algorithm = config.get(NAME)
        counts[algorithm] = counts.get(algorithm, 0) + 1
        for key, value in config.items():
            values.setdefault(key, set()).add(f"{type(value).__name__} {value!r}")
            having[algorithm, key] = having.get((algorithm, key), 0) + 1
    partial = {key for (algorithm, key), count in having.items() if count < counts[algorithm]}
    return [key for key, found in values.items() if len(found) > 1 or key in partial]


def labels(configs: Mapping[str, Config]) -> dict[str, str]:
    """Each job's name among those of its environment: the algorithm and, where needed, the named set of values and the
    values that differ between its jobs. No two jobs of an environment share one: where all else fails the job's own
    name is added."""
    result: dict[str, str] = {}
    for env in dict.fromkeys(config[ENV] for config in configs.values()):
        mine = {job: config for job, config in configs.items() if config[ENV] == env}
        algorithms: dict[str, list[Config]] = {}
        for config in mine.values():
            algorithms.setdefault(config[NAME], []).append(config)
        sets = {
            name: {group: varying(c for c in rivals if c[SET] == group) for group in {c[SET] for c in rivals}}
            for name, rivals in algorithms.items()
        }
        named: dict[str, list[str]] = {}
        for job, config in mine.items():
            groups = sets[config[NAME]]
            parts = [algorithm_name(config[NAME])]
            if len(groups) > 1:
                parts.append(str(config[SET]))
            keys = groups[config[SET]]
            parts += [f"{_short(key, keys)}={show(config[key])}" for key in keys if key in config]
            named.setdefault(", ".join(parts), []).append(job)
        for label, jobs in named.items():
            result |= {job: label if len(jobs) == 1 else f"{label} ({job.rpartition('-')[2]})" for job in jobs}
            if len({result[job] for job in jobs}) < len(jobs):
                result |= {job: f"{label} ({job})" for job in jobs}
    return result


def across(configs: Iterable[Config]) -> list[str]:
    """The hyperparameters in which whole algorithms differ from each other: of keys that each of them fixes."""
    algorithms: dict[str, list[Config]] = {}
    for config in configs:
        algorithms.setdefault(config[NAME], []).append(config)
    moved = {key for rivals in algorithms.values() for key in varying(rivals)}
    keys = varying(rivals[0] for rivals in algorithms.values())
    return [key for key in keys if key.startswith("hyperparameters.") and key not in moved and key != SET]


def _short(key: str, others: Iterable[str]) -> str:
    """The last part of a key, or as much of it as tells it from the others."""
    parts = key.split(".")
    for count in range(1, len(parts)):
        tail = ".".join(parts[-count:])
        if not any(other != key and f".{other}".endswith(f".{tail}") for other in others):
            return tail
    return key


def freeze(value: Any) -> Any:
    """A value of a config as one that can be compared and hashed: lists and mappings become tuples."""
    if isinstance(value, Mapping):
        return tuple((str(key), freeze(one)) for key, one in value.items())
    return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value


def flat(config: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config by dotted names."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = freeze(value)
    return found


def order(config: Config, keys: Iterable[str]) -> tuple[Any, ...]:
    """Sorts by environment, algorithm, name of the values, then the values themselves, numbers as numbers."""
    algorithm = config[NAME]
    place = list(ALGORITHMS).index(algorithm) if algorithm in ALGORITHMS else len(ALGORITHMS)
    values = [config.get(key) for key in keys]
    numbers = [(0, value, "") if isinstance(value, int | float) else (1, 0, str(value)) for value in values]
    return str(config[ENV]), place, str(algorithm), str(config[SET]), numbers
