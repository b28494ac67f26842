"""All searched keys and the value side by side: a line a trial."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from reports import style, text
from reports.figures.drawing import Drawing
from reports.search import Dimension, Study, trials

NOTE = (
    "Line: a trial that is done, from key to key and to its value (the stronger, the better); heavy: the winner on "
    "fresh seeds, or the best in the search. Each axis runs over the key's space, in its logarithm where that is "
    "searched."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A panel a study with two keys or more."""
    shown = [study for study in studies if len(study.space) > 1]
    if not shown:
        return None
    widest = max(len(study.space) for study in shown)
    figure, axes = style.panels(len(shown), height=3.4, width=1.5 * widest + 1.5, columns=1 if widest > 3 else 2)
    for panel, study in zip(axes, shown, strict=True):
        _lines(panel, study)
    sentence = f"{sum(len(study.trials('done')) for study in shown)} trials, a line each."
    return Drawing(figure, sentence, NOTE, trials(shown))


def _lines(panel: Axes, study: Study) -> None:
    done = study.trials("done")
    values = np.array([trial["value"] for trial in done])
    low, high = values.min(), max(values.max(), values.min() + 1e-12)
    last = (values - low) / (high - low)
    shares = np.array([[d.share(trial["params"][d.key]) for d in study.space] for trial in done])
    heights = np.column_stack([shares, last])
    x = np.arange(heights.shape[1])
    order = np.argsort(study.sign * values)
    lines = [np.column_stack([x, heights[i]]) for i in order]
    color = mpl.colormaps[style.shade(True)](last if study.sign > 0 else 1 - last)[order]
    panel.add_collection(LineCollection(lines, colors=color, linewidths=0.9, alpha=0.8))
    if marked := study.marked:
        row = next(i for i, trial in enumerate(done) if trial["number"] == marked["number"])
        panel.plot(x, heights[row], color=style.ink(), linewidth=1.8)
    for place, dimension in enumerate(study.space):
        _axis(panel, place, dimension)
    for share, value in ((0, low), (1, high)):
        panel.text(x[-1] + 0.04, share, text.number(value), va="center", fontsize=7)
    names = [f"{d.name},\nlog" if d.log else d.name for d in study.space]
    panel.set_xticks(x, [*names, study.objective.partition(",")[0]])
    panel.set(yticks=[], ylim=(-0.06, 1.06), xlim=(-0.2, x[-1] + 0.3), title=study.name)
    for side in panel.spines.values():
        side.set_visible(False)
    panel.grid(False)
    panel.vlines(x, 0, 1, color="0.6", linewidth=0.8, zorder=0)


def _axis(panel: Axes, place: int, dimension: Dimension) -> None:
    """The ends of a key's axis, or its choices."""
    marks = dimension.choices if dimension.kind == "choice" else (dimension.low, dimension.high)
    labels = dimension.labels if dimension.kind == "choice" else [f"{end:g}" for end in marks]
    for value, label in zip(marks, labels, strict=True):
        panel.text(place - 0.04, dimension.share(value), label, va="center", ha="right", fontsize=7)
