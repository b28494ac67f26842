"""How much each searched key decides whether a trial is among the best tenth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports import style
from reports.figures.drawing import Drawing
from reports.figures.search_look import of_study
from reports.search import Study

NOTE = (
    "PED-ANOVA (Watanabe et al. 2023): how unlike the best tenth of the trials and all of them are spread along a key, "
    "as shares that add up to 1. Bar: 95% bootstrap interval over trials; where it reaches far, the trials are too few."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A panel a study with importances."""
    shown = [study for study in studies if study.told["importance"]]
    if not shown:
        return None
    figure, axes = style.panels(len(shown), height=0.45 * max(len(study.space) for study in shown) + 1.2)
    sentences, rows = [], []
    for panel, study in zip(axes, shown, strict=True):
        color = of_study(study).color
        found = study.told["importance"]
        order = sorted(study.space, key=lambda dimension: -found[dimension.key]["value"])
        value, low, high = (np.array([found[d.key][part] for d in order]) for part in ("value", "low", "high"))
        panel.barh(range(len(order)), value, color=color, alpha=0.6, height=0.6)
        panel.hlines(range(len(order)), low, high, color=style.ink(), linewidth=1.2)
        style.rows_axis(panel, [dimension.name for dimension in order])
        panel.set(title=study.name, xlabel="importance", xlim=(0, 1))
        rows += [{"study": study.name, "key": d.key, **found[d.key]} for d in order]
        first, last = order[0], order[-1]
        reach = [f"{v:.2f} [{a:.2f}, {b:.2f}]" for v, a, b in zip(value, low, high, strict=True)]
        apart = "." if low[0] > high[-1] else "; these trials do not tell them apart."
        sentences.append(
            f"{study.name}: {first.name} matters most ({reach[0]}), {last.name} least ({reach[-1]}){apart}"
        )
    return Drawing(figure, "\n".join(sentences), NOTE, pd.DataFrame(rows))
