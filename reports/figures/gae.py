"""Return over the discount gamma and the lambda of GAE."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group, varying
from reports.figures.drawing import Drawing
from reports.naming import algorithm_name
from reports.statistics import difference_of_means, mean

GAMMA, LAMBDA = "hyperparameters.gamma", "hyperparameters.gae_lambda"
NOTE = (
    "Line and bar: mean over seeds of the mean undiscounted return of the last 100 training episodes at the end of "
    "training, and its 95% interval (Student's t); values of λ evenly spaced, the bars beside each other. "
    "Dot: one seed."
)


def draw(data: Data) -> Drawing | None:
    """A panel an environment and algorithm whose jobs differ in gamma, lambda and nothing else; None without any."""
    panels = [groups for groups in data.rivals() if varying(groups) == {GAMMA, LAMBDA}]
    if not panels:
        return None
    figure, axes = style.panels(len(panels), height=4.0, width=6.0)
    for panel, groups in zip(axes, panels, strict=True):
        _lines(panel, groups)
        style.finish(panel, f"{algorithm_name(groups[0].algorithm)}, {groups[0].env}", groups)
    return Drawing(figure, "\n".join(map(_sentence, panels)), f"{NOTE} {data.limits}".strip(), _table(panels))


def _table(panels: Sequence[Sequence[Group]]) -> pd.DataFrame:
    rows = []
    for group in (one for groups in panels for one in groups):
        low, high = group.interval(group.final)
        row = {
            "env": group.env,
            "algorithm": group.algorithm,
            "gamma": group.config[GAMMA],
            "lambda": group.config[LAMBDA],
        }
        rows.append({**row, "n": group.n, "mean": mean(group.final), "low": low, "high": high})
    return pd.DataFrame(rows)


def _lines(panel: Axes, groups: Sequence[Group]) -> None:
    lambdas = sorted({float(group.config[LAMBDA]) for group in groups})
    gammas = sorted({float(group.config[GAMMA]) for group in groups})
    colors = sns.color_palette("viridis", len(gammas))
    for k, (gamma, color) in enumerate(zip(gammas, colors, strict=True)):
        mine = sorted((g for g in groups if g.config[GAMMA] == gamma), key=lambda g: float(g.config[LAMBDA]))
        x = np.array([lambdas.index(group.config[LAMBDA]) for group in mine]) + 0.09 * (k - (len(gammas) - 1) / 2)
        for place, group in zip(x, mine, strict=True):
            panel.scatter(np.full(group.n, place), group.final, s=9, color=color, alpha=0.35, lw=0)
            ends = group.interval(group.final)
            panel.plot([place, place], [ends.low, ends.high], color=color, linewidth=1.4, zorder=3)
        means = [mean(group.final) for group in mine]
        marker, dashes = style.MARKERS[k % len(style.MARKERS)], style.DASHES[k % len(style.DASHES)]
        line = (0, dashes) if dashes else "-"
        panel.plot(
            x, means, color=color, marker=marker, linestyle=line, mec=style.ink(), mew=0.6, label=f"γ = {gamma:g}"
        )
    seen = np.concatenate([group.final for group in groups])
    margin = 0.08 * float(np.ptp(seen)) or 1.0
    panel.set_ylim(float(seen.min()) - margin, float(seen.max()) + margin)
    panel.set_xticks(range(len(lambdas)), [f"{value:g}" for value in lambdas])
    panel.set_xlabel(f"λ of GAE ({', '.join(dict.fromkeys(group.note for group in groups))})")
    panel.set_ylabel(style.RETURN)
    panel.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _sentence(groups: Sequence[Group]) -> str:
    """For each gamma its best lambda and what lambda at either end loses against it; and where both lose for sure."""
    parts, between = [], []
    for gamma in sorted({float(group.config[GAMMA]) for group in groups}):
        mine = sorted((g for g in groups if g.config[GAMMA] == gamma), key=lambda g: float(g.config[LAMBDA]))
        best = max(mine, key=lambda group: float(mean(group.final)))
        reach = text.interval(mean(best.final), best.interval(best.final))
        ends = [group for group in (mine[0], mine[-1]) if group is not best]
        losses = [best.lead(end) for end in ends]
        shown = [
            f"λ={end.config[LAMBDA]:g} loses {text.interval(difference_of_means(best.final, end.final), loss)}"
            for end, loss in zip(ends, losses, strict=True)
        ]
        parts.append(f"γ={gamma:g} is best with λ={best.config[LAMBDA]:g}, {reach} ({', '.join(shown)})")
        if len(ends) == 2 and all(loss.low > 0 for loss in losses):
            between.append(f"{gamma:g}")
    verdict = (
        f"a λ between the ends beats both, with intervals above zero (not corrected for choosing the best), for "
        f"γ={', '.join(between)} alone"
        if between
        else "the data do not show that a λ between the ends beats both"
    )
    return f"{groups[0].env}, {algorithm_name(groups[0].algorithm)}, return: {'; '.join(parts)}; {verdict}."
