"""Each trial's value in the order they were proposed, and the best so far."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports import style, text
from reports.figures.drawing import Drawing
from reports.figures.search_look import of_study
from reports.search import Study, trials

NOTE = (
    "Dot: a trial's value over its tuning seeds. Line: the best so far, which luck helps: see the confirmation. "
    "Cross: a trial stopped early; plus: one that failed (both without a value, drawn at the lower edge)."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A panel a study."""
    figure, axes = style.panels(len(studies), height=3.2)
    for panel, study in zip(axes, studies, strict=True):
        _history(panel, study)
    return Drawing(figure, "\n".join(map(_sentence, studies)), NOTE, trials(studies))


def best_so_far(study: Study) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and best values so far of the trials that are done, [D] each."""
    done = study.trials("done")
    values = study.sign * np.maximum.accumulate([study.sign * trial["value"] for trial in done])
    return np.array([trial["number"] for trial in done]), values


def _history(panel: Axes, study: Study) -> None:
    color = of_study(study).color
    done = study.trials("done")
    panel.scatter([t["number"] for t in done], [t["value"] for t in done], s=16, color=color, alpha=0.6, lw=0)
    panel.step(*best_so_far(study), where="post", color=style.ink(), linewidth=1)
    edge = panel.get_ylim()[0] if study.sign > 0 else panel.get_ylim()[1]
    for state, marker in (("pruned", "x"), ("failed", "+")):
        numbers = [trial["number"] for trial in study.trials(state)]
        panel.scatter(numbers, np.full(len(numbers), edge), s=18, marker=marker, color="0.4", lw=0.9)
    panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panel.set(title=study.name, xlabel="trial", ylabel=study.objective)


def _sentence(study: Study) -> str:
    numbers, best = best_so_far(study)
    last = numbers[np.flatnonzero(best == best[-1])[0]]
    return f"{study.name}: the best value in the search, {text.number(best[-1])}, came with trial {last}."
