"""What a sweep file may say below `search:`, each key described once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pgbench.config import PositiveInt
from pgbench.errors import UserError, nearest

# Seeds 0, 1, ... are for reporting: the comparison that follows a search has been seen by no choice in it.
FIRST_TUNING_SEED, FIRST_FRESH_SEED = 1000, 2000
WILCOXON_SEEDS = 5  # with fewer pairs of one sign the one-sided test cannot go below p = 0.05

_strict = ConfigDict(extra="forbid", use_attribute_docstrings=True)
Seeds = PositiveInt | tuple[Annotated[int, Field(ge=0)], ...]


def _listed(seeds: Seeds, first: int) -> tuple[int, ...]:
    return tuple(range(first, first + seeds)) if isinstance(seeds, int) else seeds


@dataclass(frozen=True, config=_strict)
class Confirm:
    best: PositiveInt = 3
    """how many of the best trials are trained again, beside the defaults"""
    seeds: Seeds = 10
    """fresh seeds: a count (2000, 2001, ...) or a list; none may be a tuning seed, nor one a comparison will report"""

    @property
    def seed_list(self) -> tuple[int, ...]:
        return _listed(self.seeds, FIRST_FRESH_SEED)


@dataclass(frozen=True, config=_strict)
class Search:
    space: dict[str, Any]
    """what is searched: a key of a job -> interval(low, high), range(start, stop, step), choice(a, b) or a list"""
    trials: PositiveInt = 40
    """settings to try, for each job of the sweep"""
    seeds: Seeds = 3
    """tuning seeds of a trial: a count (1000, 1001, ...) or a list"""
    objective: Literal["final_return", "area", "steps_to_threshold"] = "final_return"
    """return at the end, mean return along training, or environment steps to a return (fewer are better)"""
    returns: Literal["training", "evaluations"] = "training"
    """whose: of the last 100 training episodes, or of the evaluations that `evaluation.every` makes in each run"""
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """return that steps_to_threshold waits for; null is Gymnasium's reward_threshold"""
    statistic: Literal["mean", "iqm"] = "mean"
    """over a trial's runs: mean, or mean of the middle half"""
    tasks: dict[str, tuple[float, float]] | None = None
    """several environments a trial: env -> [return that scores 0, return that scores 1]; null is the job's own"""
    sampler: Literal["tpe", "random", "grid", "qmc", "gp"] = "tpe"
    """who proposes: tree-structured Parzen estimator, random, grid, Sobol sequence or Gaussian process"""
    pruner: Literal["none", "median", "halving", "wilcoxon"] = "none"
    """who stops trials early: along training (median, halving) or between a trial's seeds (wilcoxon)"""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """share of training that median and halving let every trial have"""
    batch: PositiveInt | None = None
    """trials proposed at a time; the study is then the same on any number of processes. null: one whenever one ends"""
    seed: Annotated[int, Field(ge=0)] = 0
    """seed of the sampler"""
    confirm: Confirm = field(default_factory=Confirm)
    """what is trained on fresh seeds afterwards"""

    @property
    def seed_list(self) -> tuple[int, ...]:
        return _listed(self.seeds, FIRST_TUNING_SEED)

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        return "minimize" if self.objective == "steps_to_threshold" else "maximize"


KEYS = {
    **{name: each.description or "" for name, each in Search.__pydantic_fields__.items() if name != "confirm"},  # type: ignore[attr-defined]
    **{f"confirm.{name}": each.description or "" for name, each in Confirm.__pydantic_fields__.items()},  # type: ignore[attr-defined]
}
"""Every key below `search`, with its description."""


def read(given: Any, command_line: Mapping[str, Sequence[Any]]) -> Search:
    """The checked search of a sweep file. `command_line`: `search.KEY` -> its values. Raises UserError."""
    if not isinstance(given, Mapping):
        raise UserError(f"search: got {given!r}, allowed is a mapping with {', '.join(KEYS)}")
    values: dict[str, Any] = dict(given)
    for key, several in command_line.items():
        head, _, rest = key.removeprefix("search.").partition(".")
        if len(several) > 1:
            raise UserError(f"{key}: got {len(several)} values, allowed is one: a search is one sweep")
        below = values.get(head) or {}
        values[head] = {**below, rest: several[0]} if rest and isinstance(below, Mapping) else several[0]
    try:
        search: Search = TypeAdapter(Search).validate_python(values)
    except ValidationError as error:
        raise UserError(_explain(error)) from None
    _check(search)
    return search


def _check(search: Search) -> None:
    tuning, fresh = search.seed_list, search.confirm.seed_list
    for key, seeds in (("search.seeds", tuning), ("search.confirm.seeds", fresh)):
        if not seeds or len(set(seeds)) != len(seeds):
            raise UserError(f"{key}: got {list(seeds)}, allowed is a count or a list of different seeds")
    if both := sorted(set(tuning) & set(fresh)):
        raise UserError(f"search.confirm.seeds: {both} are tuning seeds too; a setting is confirmed on fresh ones")
    if not search.space:
        raise UserError("search.space: empty; name at least one key, e.g. hyperparameters.delta")
    if search.pruner == "wilcoxon" and len(tuning) * len(search.tasks or [0]) < WILCOXON_SEEDS:
        raise UserError(f"search.pruner: wilcoxon compares runs one by one and needs {WILCOXON_SEEDS} of them a trial")
    for env, (low, high) in (search.tasks or {}).items():
        if low == high:
            raise UserError(f"search.tasks.{env}: got [{low}, {high}], allowed is two different returns")


def _explain(error: ValidationError) -> str:
    wrong = error.errors()[0]
    where = ".".join(map(str, wrong["loc"]))
    key = ".".join(map(str, wrong["loc"][: 2 if wrong["loc"][0] in ("confirm", "space", "tasks") else 1]))
    if wrong["type"] == "unexpected_keyword_argument":
        return f"search.{where}: no such key{nearest(where, list(KEYS))}"
    if wrong["type"] == "missing" and isinstance(wrong["loc"][-1], str):  # else one of two returns is
        return f"search.{where}: missing"
    what = wrong["msg"].replace("Input should be", "allowed is").replace("greater than or equal to", "at least")
    what = what.replace("Field required", "allowed is two values")
    allowed = re.findall(r"'(\w+)'", what)
    return f"search.{key}: got {wrong['input']!r}, {what}{nearest(str(wrong['input']), allowed)}"
