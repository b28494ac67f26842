"""Final return against the one setting that varies: how much does it matter, and where does it break?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group, varying
from reports.figures.drawing import Drawing
from reports.naming import SYMBOLS, algorithm_name, key_name, show
from reports.statistics import Array, difference_of_means, mean

STEP_SIZES = {
    "reinforce": "hyperparameters.learning_rate",
    "vpg": "hyperparameters.learning_rate",
    "npg": "hyperparameters.delta",
    "trpo": "hyperparameters.delta",
}
"""What the slides call the step size of each algorithm."""
FEWEST = 3
NOTE = (
    "Dot: one seed's mean undiscounted return of the last 100 training episodes at the end of training. Line and band: "
    "mean over seeds and its 95% interval (Student's t)."
)
REFERENCE = "Grey line and band: an algorithm that does not read this setting, trained once."


class Panel:
    """The settings of one algorithm in one environment that differ in `key` alone, in its order."""

    def __init__(self, key: str, groups: Sequence[Group], references: Sequence[Group]):
        self.key = key
        self.groups = sorted(groups, key=lambda group: _order(group.config[key]))
        self.references = references

    @property
    def name(self) -> str:
        return f"{algorithm_name(self.groups[0].algorithm)}, {self.groups[0].env}"

    @property
    def symbol(self) -> str:
        return SYMBOLS.get(self.key, self.key.rpartition(".")[2])

    def value(self, group: Group) -> str:
        return show(group.config[self.key])


def find(data: Data) -> list[Panel]:
    """A panel per environment and algorithm whose settings differ in one key alone, of which there are three or more
    values. Settings that stopped short of the environment's end are left out."""
    panels, rivals = [], list(data.rivals())
    for groups in rivals:
        keys = varying(groups)
        if len(keys) == 1 and len(groups) >= FEWEST:
            (key,) = keys
            if all(key in group.config for group in groups):
                alone = [own[0] for own in rivals if len(own) == 1 and own[0].env == groups[0].env]
                panels.append(Panel(key, groups, [one for one in alone if key not in one.config]))
    return panels


def _order(value: Any) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, show(value))


def draw(data: Data) -> Drawing | None:
    """A panel per algorithm and environment, x the setting, y return; None where nothing varies alone but step sizes,
    which `step_size` draws."""
    return _draw(data, [panel for panel in find(data) if STEP_SIZES.get(panel.groups[0].algorithm) != panel.key])


def step_sizes(data: Data) -> Drawing | None:
    """The same for the step size of each algorithm, the slides' question: alpha of REINFORCE and VPG, delta of NPG and
    TRPO."""
    return _draw(data, [panel for panel in find(data) if STEP_SIZES.get(panel.groups[0].algorithm) == panel.key])


def _draw(data: Data, panels: list[Panel]) -> Drawing | None:
    if not panels:
        return None
    figure, axes = style.panels(len(panels), height=3.2, width=3.6)
    for axis, panel in zip(axes, panels, strict=True):
        _curve(axis, panel, data)
        style.finish(axis, panel.name, panel.groups)
    for env in {panel.groups[0].env for panel in panels}:
        mine = [axis for axis, panel in zip(axes, panels, strict=True) if panel.groups[0].env == env]
        limits = np.array([axis.get_ylim() for axis in mine])
        for axis in mine:
            axis.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    axes[0].set_ylabel(style.RETURN if style.look().baked else "return")
    referred = any(panel.references for panel in panels)
    if referred:
        style.legend(figure, axes)
    note = " ".join(filter(None, (NOTE, REFERENCE if referred else "", data.limits)))
    return Drawing(figure, "\n".join(map(_sentence, panels)), note, _table(panels))


def positions(values: Sequence[Any]) -> tuple[Array, bool]:
    """Where values stand on the axis, and whether it is logarithmic: numbers over two decades are, others are linear;
    what are no numbers stand one beside the other."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.arange(len(values), dtype=float), False
    numbers = np.asarray(values, dtype=float)
    return numbers, bool(numbers.min() > 0 and numbers.max() >= 30 * numbers.min())


def _curve(axis: Axes, panel: Panel, data: Data) -> None:
    look, values = style.of_algorithm(panel.groups[0].algorithm, data), [one.config[panel.key] for one in panel.groups]
    x, logarithmic = positions(values)
    gap = np.diff(np.unique(x)).min() if not logarithmic else 0.0
    for place, group in zip(x, panel.groups, strict=True):
        side = np.linspace(-1, 1, group.n) if group.n > 1 else np.zeros(1)
        axis.scatter(
            place * 1.12**side if logarithmic else place + 0.12 * gap * side,
            group.final,
            s=10,
            color=look.color,
            alpha=0.4,
            lw=0,
        )
    ends = [group.interval(group.final) for group in panel.groups]
    seen = np.concatenate([group.final for group in panel.groups])
    margin = 0.08 * float(np.ptp(seen)) or 1.0
    if panel.groups[0].n > 1:
        axis.fill_between(x, [e.low for e in ends], [e.high for e in ends], color=look.color, alpha=0.18, linewidth=0)
    for reference in panel.references:
        low, high = reference.interval(reference.final)
        axis.axhspan(low, high, color=style.GREY, alpha=0.15, linewidth=0)
        axis.axhline(
            mean(reference.final), color=style.GREY, linewidth=1.2, label=f"{reference.label} ({reference.note})"
        )
    means = [float(mean(group.final)) for group in panel.groups]
    axis.plot(x, means, color=look.color, marker=look.marker, mec=style.ink(), mew=0.8, zorder=4)
    axis.set_ylim(float(seen.min()) - margin, float(seen.max()) + margin)
    if logarithmic:
        style.log_axis(axis, "x")
    elif not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        axis.set_xticks(x, text.shorten(list(map(show, values)), 14), rotation=0 if len(x) < 5 else 45)
    notes = list(dict.fromkeys(group.note for group in panel.groups))
    axis.set_xlabel(f"{key_name(panel.key)} ({text.listed(notes, 2)})")


def _table(panels: Sequence[Panel]) -> pd.DataFrame:
    found = []
    for panel in panels:
        for group in panel.groups:
            low, high = group.interval(group.final)
            row = {"env": group.env, "algorithm": group.algorithm, "key": panel.key, "value": panel.value(group)}
            found.append({**row, "n": group.n, "mean": mean(group.final), "low": low, "high": high})
    return pd.DataFrame(found)


def _sentence(panel: Panel) -> str:
    """The best value, and whether the smallest and the largest lose against it."""
    best = max(panel.groups, key=lambda group: group.score)
    reach = text.interval(mean(best.final), best.interval(best.final))
    first, last = panel.groups[0], panel.groups[-1]
    parts = [
        f"{word} {panel.symbol}={panel.value(group)} {_loss(best, group)}"
        for word, group in (("the smallest,", first), ("the largest,", last))
        if group is not best
    ]
    name = f"{best.env}, {algorithm_name(best.algorithm)}"
    return f"{name}: best at {panel.symbol}={panel.value(best)}, return {reach}; {'; '.join(parts)}."


def _loss(best: Group, other: Group) -> str:
    ends = best.lead(other)
    shown = text.interval(difference_of_means(best.final, other.final), ends)
    return f"loses {shown}" if ends.low > 0 else f"loses {shown}, which may be nothing"
