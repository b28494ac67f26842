"""A trial's value against each searched key by itself."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports import style
from reports.figures.drawing import Drawing
from reports.search import Dimension, Study, trials

NOTE = (
    "Dot: a trial, darker the later. Ring: the winner on fresh seeds (or the best in the search, where the defaults "
    "win). Dashed: the default. Cross at the edge: stopped early. The other keys vary too, and a sampler that learns "
    "looks more often where it is good, so that dots are not spread evenly."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A panel a study and key."""
    pairs = [(study, dimension) for study in studies for dimension in study.space]
    columns = max(len(study.space) for study in studies) if len(studies) > 1 else min(4, len(pairs))
    if len({len(study.space) for study in studies}) > 1:
        columns = 4
    figure, axes = style.panels(len(pairs), height=2.7, width=3.0, columns=columns)
    for panel, (study, dimension) in zip(axes, pairs, strict=True):
        _slice(panel, study, dimension)
    return Drawing(figure, "\n".join(map(_sentence, studies)), NOTE, trials(studies))


def axis(panel: Axes, dimension: Dimension, which: str) -> None:
    """Scale, ticks and label of a searched key on x or y."""
    name = f"{dimension.name}, log" if dimension.log else dimension.name
    if dimension.kind == "choice":
        places = range(len(dimension.choices))
        (panel.set_xticks if which == "x" else panel.set_yticks)(places, dimension.labels)
    elif dimension.log:
        (panel.set_xscale if which == "x" else panel.set_yscale)("log")
        plain_log(panel.xaxis if which == "x" else panel.yaxis, dimension.high / dimension.low)
    (panel.set_xlabel if which == "x" else panel.set_ylabel)(name)


def plain_log(ticks: Axis, ratio: float) -> None:
    """Ticks of a logarithmic axis as plain numbers, 1, 2 and 5 of each decade where it has few of them."""
    ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if ratio < 150 else (1.0,)))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ticks.set_minor_formatter(NullFormatter())


def _slice(panel: Axes, study: Study, dimension: Dimension) -> None:
    done = study.trials("done")
    x = [dimension.at(trial["params"][dimension.key]) for trial in done]
    numbers = [trial["number"] for trial in done]
    panel.scatter(x, [trial["value"] for trial in done], s=16, c=numbers, cmap="Blues", vmin=-len(numbers), lw=0)
    marked = study.marked
    if marked:
        place = dimension.at(marked["params"][dimension.key])
        panel.scatter([place], [marked["value"]], s=60, facecolor="none", edgecolor=style.ink(), lw=1.2)
    default = study.told["defaults"][dimension.key]
    if default in dimension.choices if dimension.kind == "choice" else default is not None:
        panel.axvline(dimension.at(default), color="0.3", linewidth=1.1, linestyle="--", zorder=1)
    edge = panel.get_ylim()[0] if study.sign > 0 else panel.get_ylim()[1]
    pruned = [dimension.at(trial["params"][dimension.key]) for trial in study.trials("pruned")]
    panel.scatter(pruned, np.full(len(pruned), edge), s=16, marker="x", color="0.4", lw=0.9)
    axis(panel, dimension, "x")
    panel.set_title(study.name)
    panel.set_ylabel(study.objective.partition(",")[0])


def _sentence(study: Study) -> str:
    """The range of each key among the best fifth of the trials."""
    done = sorted(study.trials("done"), key=lambda trial: -study.sign * trial["value"])
    best = done[: max(2, len(done) // 5)]
    parts = []
    for dimension in study.space:
        found = [trial["params"][dimension.key] for trial in best]
        if dimension.kind == "choice":
            parts.append(f"{dimension.name} in {{{', '.join(dict.fromkeys(map(str, found)))}}}")
        else:
            parts.append(f"{dimension.name} from {min(found):.3g} to {max(found):.3g}")
    return f"{study.name}: the best {len(best)} trials have {', '.join(parts)}."
