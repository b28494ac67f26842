"""What is searched: one Dimension a key, written as in Hydra.

hyperparameters.delta: tag(log, interval(0.0001, 0.1))      a float, uniform in its logarithm
hyperparameters.gae_lambda: interval(0.9, 1.0)              a float
hyperparameters.critic_steps: int(interval(5, 80))          an integer from 5 to 80
hyperparameters.n_steps: tag(log, int(interval(64, 512)))   an integer, uniform in its logarithm
hyperparameters.n_envs: range(4, 20, 4)                     4, 8, 12, 16: as in Hydra's grids, 20 is excluded
hyperparameters.activation: choice(tanh, relu)              or a YAML list; the values may be lists
"""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pgbench.config import Config
from pgbench.errors import UserError
from sweeps.options import check_key

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Params = dict[str, Any]
"""A point of a space: key -> value, as a job takes them."""


@dataclass(frozen=True)
class Dimension:
    key: str
    kind: Literal["float", "int", "choice"]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    """distance of the values from `low` on; None is 1 for integers, and any value for floats"""
    choices: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The key without its group, for people."""
        return self.key.rpartition(".")[2]

    @property
    def values(self) -> int:
        """How many values there are; 0 where they are not countable."""
        if self.kind == "choice":
            return len(self.choices)
        return round((self.high - self.low) / (self.step or 1)) + 1 if self.kind == "int" or self.step else 0

    def at(self, u: float) -> Any:
        """The value at a share u in [0, 1) of the dimension: equal shares of u are equally likely values."""
        if self.kind == "choice":
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.values and not self.log:
            place = min(int(u * self.values), self.values - 1)
            return self._number(self.low + place * (self.step or 1))
        low, high = (self.low - 0.5, self.high + 0.5) if self.kind == "int" else (self.low, self.high)
        value = low * (high / low) ** u if self.log else low + u * (high - low)
        return self._number(min(max(value, self.low), self.high))

    def grid(self, count: int) -> list[Any]:
        """At most `count` values, evenly spread, with both ends (one value: the middle)."""
        if self.kind == "choice":
            return list(self.choices)
        count = min(count, self.values or count)
        shares = [i / (count - 1) for i in range(count)] if count > 1 else [0.5]
        low, high = self.low, self.high
        values = [low * (high / low) ** u if self.log else low + u * (high - low) for u in shares]
        if self.step:
            values = [self.low + round((value - self.low) / self.step) * self.step for value in values]
        return list(dict.fromkeys(map(self._number, values)))

    def distribution(self) -> "BaseDistribution":
        """As Optuna takes it. Lists among choices are JSON there, since Optuna keeps scalars."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "choice":
            return CategoricalDistribution([encode(choice) for choice in self.choices])
        if self.kind == "int":
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def decode(self, value: Any) -> Any:
        """A value as Optuna keeps it -> as a job takes it."""
        if self.kind == "choice":
            return next(choice for choice in self.choices if encode(choice) == value)
        return self._number(value)

    def _number(self, value: float) -> int | float:
        if self.kind == "int":
            return round(value)
        return float(f"{value:.12g}") if self.step else float(value)

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "choices": list(self.choices)}


def encode(choice: Any) -> Any:
    """A choice as Optuna keeps it: lists and mappings become JSON."""
    return json.dumps(choice) if isinstance(choice, list | tuple | dict) else choice


def parse_space(given: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """The dimensions of a file's `space`. Raises UserError that names key, value and what is allowed."""
    return tuple(_dimension(str(key), value) for key, value in given.items())


def relevant(space: tuple[Dimension, ...], jobs: list[Config]) -> tuple[Dimension, ...]:
    """Without the dimensions that none of these jobs reads. `jobs`: all choices that decide what is read."""
    return tuple(dimension for dimension in space if any(job.takes(dimension.key) for job in jobs))


def deciding(space: tuple[Dimension, ...]) -> list[Params]:
    """Every combination of the searched choices that decide which other keys are read."""
    keys = [d for d in space if d.kind == "choice" and (d.key.startswith("algorithm.") or d.name == "critic_target")]
    return [dict(zip([d.key for d in keys], row, strict=True)) for row in itertools.product(*(d.choices for d in keys))]


def _dimension(key: str, value: Any) -> Dimension:
    where = f"search.space.{key}"
    check_key(key)
    if not key.startswith(("hyperparameters.", "algorithm.")) or key in ("hyperparameters.name", "algorithm.name"):
        raise UserError(f"{where}: cannot be searched, allowed are keys of hyperparameters and of algorithm")
    try:
        found = _choice(key, value) if isinstance(value, list) else _hydra(key, str(value))
    except (UserError, ValueError) as error:
        raise UserError(f"{where}: got {value!r}, {error}") from None
    if found.kind != "choice" and not (math.isfinite(found.low) and math.isfinite(found.high)):
        raise UserError(f"{where}: got {value!r}, allowed are finite bounds")
    if found.kind != "choice" and found.low >= found.high:
        raise UserError(f"{where}: got {value!r}, allowed is a lower bound below the upper one")
    if found.log and found.low <= 0:
        raise UserError(f"{where}: got {value!r}, a logarithm needs a lower bound above 0")
    return found


def _choice(key: str, values: list[Any]) -> Dimension:
    if len(values) < 2 or len({json.dumps(value) for value in values}) < len(values):
        raise UserError("allowed are at least two different values")
    return Dimension(key, "choice", choices=tuple(values))


def _hydra(key: str, text: str) -> Dimension:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    allowed = (
        "allowed is interval(low, high), int(interval(low, high)), range(start, stop, step), choice(a, b) or a list"
    )
    try:
        override = OverridesParser.create().parse_override(f"{key}={text}")
        value = override.value()
    except HydraException:
        raise UserError(allowed) from None
    tags = set(getattr(value, "tags", ())) - {"log"}
    if tags or getattr(value, "shuffle", False):
        raise UserError(f"{allowed}; the only tag is log")
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, ChoiceSweep):
        if log:
            raise UserError("choices have no logarithm")
        return _choice(key, list(override.sweep_iterator()))
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        kind: Literal["int", "float"] = "int" if isinstance(value.start, int) else "float"
        return Dimension(key, kind, float(value.start), float(value.end), log)
    if isinstance(value, RangeSweep):
        return _range(key, value.start, value.stop, value.step, log)
    raise UserError(allowed)


def _range(key: str, start: Any, stop: Any, step: Any, log: bool) -> Dimension:
    start = 0 if start is None else start
    whole = all(isinstance(number, int) for number in (start, stop, step))
    count = math.ceil((stop - start) / step - 1e-9)
    if step <= 0 or count < 2:
        raise UserError("allowed is a positive step and at least two values (as in Hydra, stop is excluded)")
    if log:
        raise UserError("a range has even steps; for a logarithm write tag(log, int(interval(low, high)))")
    high = start + (count - 1) * step
    return Dimension(key, "int" if whole else "float", float(start), float(f"{high:.12g}"), step=float(step))
