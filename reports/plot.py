"""Figures from Python: functions of a DataFrame as `load_runs` gives it, whole or filtered, to a matplotlib figure.

    from reports import load_runs, plot

    runs = load_runs("runs")
    figure = plot.learning_curves(runs[runs["algorithm"] == "trpo"], metric="kl")
    figure.savefig("kl.pdf", bbox_inches="tight")

What differs between the settings is taken from the DataFrame's columns. A figure that the data do not allow (a map of
settings that do not vary) raises UserError. `note=False` leaves the protocol below the figure out.
"""

import pandas as pd
from matplotlib.figure import Figure

from pgbench.errors import UserError
from reports import style
from reports.data import RETURN, from_frame
from reports.figures import FIGURES

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


def learning_curves(
    runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps", look: str = "paper", note: bool = True
) -> Figure:
    """Mean over seeds of a metric with its 95% interval, against `env_steps` or `seconds`."""
    return _draw("learning_curves", runs, metric, x, look, note)


def seeds(
    runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps", look: str = "paper", note: bool = True
) -> Figure:
    """Every seed for itself, a panel per job."""
    return _draw("seeds", runs, metric, x, look, note)


def final_return(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """Every seed's return at the end of training, mean and IQM with 95% intervals."""
    return _draw("final_return", runs, look=look, note=note)


def ranking(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """Each setting's loss against the best of its environment."""
    return _draw("ranking", runs, look=look, note=note)


def steps_to_threshold(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """When each seed first reaches Gymnasium's threshold."""
    return _draw("steps_to_threshold", runs, look=look, note=note)


def sensitivity(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """Final return against the one setting that varies and is no step size."""
    return _draw("sensitivity", runs, look=look, note=note)


def step_size(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """Final return against the step size: learning_rate or delta."""
    from reports.figures import ARGUMENTS

    return _figure(ARGUMENTS["step_size"], "step_size", runs, RETURN, "env_steps", look, note)


def heat_map(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """Final return over the two settings that vary."""
    return _draw("heat_map", runs, look=look, note=note)


def importance(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """Parallel coordinates and the share of variance each of three or more settings explains."""
    return _draw("importance", runs, look=look, note=note)


def diagnostics(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """KL, entropy, the critic's fit and other recorded metrics over training."""
    return _draw("diagnostics", runs, look=look, note=note)


def aggregate_scores(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """IQM, mean, median and optimality gap over tasks, with 95% intervals."""
    return _draw("aggregate_scores", runs, look=look, note=note)


def performance_profiles(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """The share of runs above each normalised score."""
    return _draw("performance_profiles", runs, look=look, note=note)


def improvement(runs: pd.DataFrame, look: str = "paper", note: bool = True) -> Figure:
    """The probability that a run of one method ends above a run of another, over tasks."""
    return _draw("improvement", runs, look=look, note=note)


def _draw(
    name: str, runs: pd.DataFrame, metric: str = RETURN, x: str = "env_steps", look: str = "paper", note: bool = True
) -> Figure:
    return _figure(FIGURES[name], name, runs, metric, x, look, note)


def _figure(draw, name: str, runs: pd.DataFrame, metric: str, x: str, look: str, note: bool) -> Figure:  # type: ignore[no-untyped-def]
    if look not in style.LOOKS:
        raise UserError(f"no look '{look}'; there are {', '.join(style.LOOKS)}")
    with style.applied(style.LOOKS[look]):
        drawing = draw(from_frame(runs, metric, x))
        if drawing is None:
            raise UserError(f"{name}: these runs hold nothing for it (what each figure needs: docs/howto/reports.md)")
        if note and drawing.note:
            style.footnote(drawing.figure, drawing.note)
    figure: Figure = drawing.figure
    return figure
