"""Figures from Python: functions of a DataFrame as `load_runs` gives it, whole or filtered, to a matplotlib figure.

    from reports import load_runs, plot

    runs = load_runs("runs")
    figure = plot.learning_curves(runs[runs["algorithm"] == "trpo"], metric="kl")
    figure.savefig("kl.pdf", bbox_inches="tight")

What differs between the settings is taken from the DataFrame's columns. A figure that the data do not allow (a map of
settings that do not vary) raises UserError. `note=False` leaves the protocol below the figure out.
"""

from typing import Protocol

import pandas as pd
from matplotlib.figure import Figure

from pgbench.errors import UserError
from reports import style
from reports.assemble import from_frame
from reports.data import RETURN
from reports.figures import ALL

__all__ = [
    "aggregate_scores",
    "diagnostics",
    "final_return",
    "heat_map",
    "importance",
    "improvement",
    "learning_curves",
    "performance_profiles",
    "ranking",
    "seeds",
    "sensitivity",
    "step_size",
    "steps_to_threshold",
]


class Plot(Protocol):
    """A figure of returns: of these runs, in this look, with or without the protocol below it."""

    def __call__(self, runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure: ...


def learning_curves(
    runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps", look: str = "paper", note: bool = True
) -> Figure:
    """Mean over seeds of a metric with its 95% interval, against `env_steps` or `seconds`."""
    return _figure("learning_curves", runs, metric, x, look, note)


def seeds(
    runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps", look: str = "paper", note: bool = True
) -> Figure:
    """Every seed for itself, a panel per job."""
    return _figure("seeds", runs, metric, x, look, note)


def _plot(name: str, doc: str) -> Plot:
    def plot(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
        return _figure(name, runs, look=look, note=note)

    plot.__name__, plot.__qualname__, plot.__doc__ = name, name, doc
    return plot


final_return = _plot("final_return", "Every seed's return at the end of training, mean and IQM with 95% intervals.")
ranking = _plot("ranking", "Each setting's loss against the best of its environment.")
steps_to_threshold = _plot("steps_to_threshold", "When each seed first reaches Gymnasium's threshold.")
sensitivity = _plot("sensitivity", "Final return against the one setting that varies and is no step size.")
step_size = _plot("step_size", "Final return against the step size: learning_rate or delta.")
heat_map = _plot("heat_map", "Final return over the two settings that vary.")
importance = _plot(
    "importance", "Parallel coordinates and the share of variance each of three or more settings explains."
)
diagnostics = _plot("diagnostics", "KL, entropy, the critic's fit and other recorded metrics over training.")
aggregate_scores = _plot("aggregate_scores", "IQM, mean, median and optimality gap over tasks, with 95% intervals.")
performance_profiles = _plot("performance_profiles", "The share of runs above each normalised score.")
improvement = _plot("improvement", "The probability that a run of one method ends above a run of another, over tasks.")


def _figure(
    name: str, runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps", look: str = "paper", note: bool = True
) -> Figure:
    if look not in style.LOOKS:
        raise UserError(f"no look '{look}'; there are {', '.join(style.LOOKS)}")
    with style.applied(style.LOOKS[look]):
        drawing = ALL[name](from_frame(runs, metric, x))
        if drawing is None:
            raise UserError(f"{name}: these runs hold nothing for it (what each figure needs: docs/howto/reports.md)")
        if note and drawing.note:
            style.footnote(drawing.figure, drawing.note)
    return drawing.figure
