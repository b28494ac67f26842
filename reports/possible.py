"""What a quantity can be: no interval of it is drawn beyond."""

from collections.abc import Mapping
from typing import Any

from reports.normalization import Bounds
from reports.statistics import UNBOUNDED, Interval

POSITIVE = Interval(0.0, float("inf"))
METRICS = {
    "episode_length": POSITIVE,
    "kl": POSITIVE,
    "gradient_norm": POSITIVE,
    "step_norm": POSITIVE,
    "cg_residual": POSITIVE,
    "natural_norm": POSITIVE,
    "line_search_steps": POSITIVE,
    "line_search_accepted": Interval(0.0, 1.0),
    "value_loss": POSITIVE,
    "explained_variance": Interval(-float("inf"), 1.0),
    "seconds": POSITIVE,
}
"""By their definitions (`pgbench.runs.records.METRICS`); a Gaussian's entropy can be any number."""


def changes(config: Mapping[str, Any]) -> list[str]:
    """The keys by which a job changes its task, and so the returns it can have."""
    return [key for key in config if key.startswith("env.kwargs.") or (key == "env.wrappers" and config[key])]


def returns(config: Mapping[str, Any], bounds: Bounds | None) -> Interval:
    """The returns an episode can have: those of the task's bounds, unless a job changes the task."""
    return UNBOUNDED if bounds is None or changes(config) else Interval(bounds.least, bounds.most)
