"""A trial's value over two searched keys at a time."""

from collections.abc import Sequence
from itertools import combinations

from reports import style
from reports.figures.drawing import Drawing
from reports.figures.search_slices import axis
from reports.search import Dimension, Study, trials

NOTE = (
    "Dot: a trial, coloured by its value (the stronger, the better); ring: the winner on fresh seeds, or the best "
    "in the search. Nothing is interpolated between trials. At most the three most important keys, by pairs."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A panel a study and pair of keys; None where each study searches one key."""
    panels = [(study, pair) for study in studies for pair in combinations(chosen(study), 2)]
    if not panels:
        return None
    figure, axes = style.panels(len(panels), height=3.0, width=3.6)
    for panel, (study, (one, other)) in zip(axes, panels, strict=True):
        done = study.trials("done")
        x, y = ([d.at(trial["params"][d.key]) for trial in done] for d in (one, other))
        shade = style.shade(study.sign > 0)
        dots = panel.scatter(x, y, c=[trial["value"] for trial in done], s=24, cmap=shade, lw=0)
        if marked := study.marked:
            here, there = (d.at(marked["params"][d.key]) for d in (one, other))
            panel.scatter([here], [there], s=80, facecolor="none", edgecolor=style.ink(), lw=1.2)
        axis(panel, one, "x")
        axis(panel, other, "y")
        panel.set_title(study.name)
        figure.colorbar(dots, ax=panel, label=study.objective.partition(",")[0])
    shown = list({study.name: study for study, _ in panels}.values())
    return Drawing(figure, "\n".join(map(_sentence, shown)), NOTE, trials(shown))


def chosen(study: Study) -> list[Dimension]:
    """The three most important keys, the space's first three where no importances are known."""
    found = study.told["importance"]
    order = sorted(study.space, key=lambda d: -found[d.key]["value"]) if found else list(study.space)
    return order[:3]


def _sentence(study: Study) -> str:
    marked = study.marked
    assert marked is not None
    at = ", ".join(f"{d.name} {marked['params'][d.key]:.3g}" for d in chosen(study) if d.kind != "choice")
    return f"{study.name}: the ring, trial {marked['number']}, is at {at}." if at else ""
