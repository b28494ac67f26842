"""Final return against the step size: alpha of REINFORCE and VPG, delta of NPG and TRPO."""

import numpy as np
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group, varying
from reports.figures.drawing import Drawing
from reports.load import algorithm_name
from reports.statistics import Array, bootstrap_ci, difference_of_means, mean

KEYS = {
    "reinforce": ("hyperparameters.learning_rate", "α"),
    "vpg": ("hyperparameters.learning_rate", "α"),
    "npg": ("hyperparameters.delta", "δ"),
    "trpo": ("hyperparameters.delta", "δ"),
}
NOTE = (
    "Dot: one seed's mean undiscounted return of the last 100 training episodes at the end of training. Line and bar: "
    "mean over seeds and its 95% percentile bootstrap interval. α: step size of Adam (or of gradient ascent); "
    "δ: bound on the KL divergence, nats."
)


def draw(data: Data) -> Drawing | None:
    """A panel an environment and algorithm whose jobs differ in nothing but three or more step sizes; else None."""
    panels = [
        groups for env in data.envs for algorithm in KEYS if len(groups := _comparable(data, env, algorithm)) >= 3
    ]
    if not panels:
        return None
    figure, axes = style.panels(len(panels), height=3.6, width=3.6)
    for panel, groups in zip(axes, panels, strict=True):
        _curve(panel, groups)
        style.finish(panel, f"{algorithm_name(groups[0].algorithm)}, {groups[0].env}", tuple(groups))
    limits = np.array([panel.get_ylim() for panel in axes])
    for panel in axes:
        panel.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    axes[0].set_ylabel(style.RETURN)
    style.footnote(figure, NOTE)
    return Drawing(figure, " ".join(map(_sentence, panels)))


def _comparable(data: Data, env: str, algorithm: str) -> list[Group]:
    """The algorithm's groups in the order of their step sizes, if nothing else differs between them."""
    groups = [group for group in data.of(env) if group.algorithm == algorithm and group.n]
    key, _ = KEYS[algorithm]
    return sorted(groups, key=lambda group: group.config[key]) if varying(groups) == {key} else []


def _step(group: Group) -> float:
    return float(group.config[KEYS[group.algorithm][0]])


def _curve(panel: Axes, groups: list[Group]) -> None:
    look = style.STYLES[groups[0].algorithm]
    steps = np.array([_step(group) for group in groups])
    for step, group in zip(steps, groups, strict=True):
        panel.scatter(step * 1.12 ** np.linspace(-1, 1, group.n), group.final, s=10, color=look.color, alpha=0.4, lw=0)
        ends = bootstrap_ci(mean, group.final)
        panel.plot([step, step], [ends.low, ends.high], color="black", linewidth=1.2, zorder=3)
    means = [mean(group.final) for group in groups]
    panel.plot(steps, means, color=look.color, marker=look.marker, mec="black", mew=0.8, zorder=4)
    panel.set_xscale("log")
    notes = ", ".join(dict.fromkeys(group.note for group in groups))
    panel.set_xlabel(f"step size {KEYS[groups[0].algorithm][1]} ({notes})")
    panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))


def _sentence(groups: list[Group]) -> str:
    """The best step size, and whether the smallest and the largest lose against it."""
    best = max(groups, key=lambda group: float(mean(group.final)))
    name, symbol = algorithm_name(best.algorithm), KEYS[best.algorithm][1]
    reach = text.interval(mean(best.final), bootstrap_ci(mean, best.final))
    parts = [
        f"{word} {symbol}={_step(group):g} {_loss(best.final, group.final)}"
        for word, group in (("the smallest,", groups[0]), ("the largest,", groups[-1]))
        if group is not best
    ]
    return f"{best.env}, {name}: best at {symbol}={_step(best):g}, return {reach}; {'; '.join(parts)}."


def _loss(best: Array, other: Array) -> str:
    ends = bootstrap_ci(difference_of_means, best, other)
    shown = text.interval(difference_of_means(best, other), ends)
    return f"loses {shown}" if ends.low > 0 else f"loses {shown}, which may be nothing"
