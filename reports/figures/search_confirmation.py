"""The best trials and the defaults on fresh seeds, beside what the search had said of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports import style, text
from reports.figures.drawing import Drawing
from reports.figures.search_look import of_study
from reports.search import Study, ends, shown

NOTE = (
    "Dot: one fresh seed. Bar: mean over fresh seeds and its 95% interval (Student's t; or IQM, winsorised, as "
    "searched), cut where scores end. White square: the trial's value in the search, on its tuning seeds; the distance "
    "is the search's optimism (or bad luck)."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A panel a study that was confirmed."""
    confirmed = [study for study in studies if study.confirmation]
    if not confirmed:
        return None
    most = max(len(study.told["confirmation"]["candidates"]) for study in confirmed)
    figure, axes = style.panels(len(confirmed), height=0.5 * most + 1.3, width=4.6)
    for panel, study in zip(axes, confirmed, strict=True):
        _candidates(panel, study)
    return Drawing(figure, "\n".join(map(_sentence, confirmed)), NOTE, _table(confirmed))


def _table(studies: Sequence[Study]) -> pd.DataFrame:
    found = []
    for study in studies:
        for row in study.told["confirmation"]["candidates"]:
            mine = {"study": study.name, "candidate": _name(row), "searched": row["searched"]}
            mine |= {"n": len(row["scores"]), **row["confirmed"]}
            found += [{**mine, "seed": seed, "score": score} for seed, score in row["scores"].items()]
    return pd.DataFrame(found)


def _name(row: dict[str, Any]) -> str:
    return "defaults" if row["trial"] is None else f"trial {row['trial']}"


def _candidates(panel: Axes, study: Study) -> None:
    color = of_study(study).color
    rows = study.told["confirmation"]["candidates"]
    for place, row in enumerate(rows):
        scores = np.array(list(row["scores"].values()))
        panel.scatter(scores, place + style.spread(len(scores)), s=10, color=color, alpha=0.5, lw=0)
        reach = ends(row["confirmed"])
        panel.plot([reach.low, reach.high], [place, place], color=style.ink(), linewidth=1.4)
        panel.plot([row["confirmed"]["value"]], [place], "o", color=style.ink(), markersize=4.5)
        if row["searched"] is not None:
            panel.plot(
                [row["searched"]], [place], "s", markerfacecolor="white", color=style.ink(), markersize=5, mew=0.9
            )
    style.rows_axis(panel, list(map(_name, rows)))
    panel.set(title=study.name, xlabel=study.objective.partition(",")[0])


def _sentence(study: Study) -> str:
    found = study.told["confirmation"]
    by_trial = {row["trial"]: row["confirmed"] for row in found["candidates"]}
    count = len(found["seeds"])
    best = (
        f"{study.name}: trial {found['best']}, the best in the search with {text.number(found['searched'])}, scores "
        f"{shown(by_trial[found['best']])} on {count} fresh seeds: the search was "
        f"{text.number(abs(found['optimism']))} too {'optimistic' if found['optimism'] >= 0 else 'pessimistic'}."
    )
    if found["winner"] is None:
        return f"{best} On fresh seeds no trial beats the defaults, {shown(found['confirmed'])}."
    if not found["gain"]:
        return best
    sure = "" if ends(found["gain"]).low > 0 else ", which may be nothing"
    gain = f"with the choice held out it gains {shown(found['gain'])} on the defaults{sure}"
    return f"{best} Winner: trial {found['winner']}; {gain}."
