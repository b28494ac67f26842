"""Returns at the end of training: every seed, mean and interquartile mean, with 95% bootstrap intervals."""

import numpy as np
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.published import sources
from reports.statistics import bootstrap_ci, iqm, mean, probability_of_improvement

NOTE = (
    "Dot: one seed's mean undiscounted return of the last 100 finished training episodes (stochastic "
    "policy) at the end of training, or at the step named. Cross: a seed that diverged, at its last return. "
    "Filled mark: mean; open circle: interquartile mean (IQM); bars: their 95% percentile bootstrap "
    "intervals over seeds. n: seeds; a failed one is left out."
)


def draw(data: Data) -> Drawing:
    """A panel an environment, y the jobs, x return."""
    most = max(len(data.of(env)) for env in data.envs)
    figure, axes = style.panels(len(data.envs), height=1.3 + 0.55 * most)
    for panel, env in zip(axes, data.envs, strict=True):
        groups = data.of(env)
        for place, group in enumerate(groups):
            _row(panel, place, group, data)
        style.rows_axis(panel, [_name(group, data) for group in groups])
        panel.set_xlabel(style.RETURN)
        style.finish(panel, env, groups)
        if not any(group.n for group in groups):
            style.empty(panel, "no finished episode yet")
    style.footnote(figure, f"{NOTE} {sources(data.published)}")
    return Drawing(figure, " ".join(filter(None, (_sentence(env, data) for env in data.envs))))


def _name(group: Group, data: Data) -> str:
    late = group.n and group.end < data.horizon(group.env)
    return f"{group.label}\n({group.note}{f', at {text.steps(group.end)}' if late else ''})"


def _row(panel: Axes, place: int, group: Group, data: Data) -> None:
    if not group.n:
        return
    look, final = style.style(group, data), group.final
    heights = place + style.spread(group.n)
    diverged = np.array([seed.status == "diverged" for seed in group.seeds])
    panel.scatter(final[~diverged], heights[~diverged], s=14, color=look.color, alpha=0.6, linewidths=0, zorder=2)
    panel.scatter(final[diverged], heights[diverged], s=22, color=look.color, marker="x", linewidths=1.2, zorder=2)
    for statistic, height, marker, face in (
        (mean, -0.28, look.marker, look.color),
        (iqm, 0.28, "o", "white"),
    ):
        center, ends = statistic(final), bootstrap_ci(statistic, final)
        if not np.isnan(ends.low):
            panel.plot([ends.low, ends.high], [place + height] * 2, color="black", linewidth=1.2, zorder=3)
        panel.plot([center], [place + height], marker, markersize=5.5, color=face, mec="black", mew=0.8, zorder=4)
    for row in data.published:
        if (row.env, row.algorithm, row.env_steps) == (group.env, group.algorithm, group.end):
            style.published_mark(panel, row.mean, place + 0.42, xerr=row.spread)


def _sentence(env: str, data: Data) -> str:
    """The best mean, and how surely a seed of it beats a seed of the next."""
    ranked = sorted(data.complete(env), key=lambda group: -mean(group.final))
    if not ranked:
        return ""
    first = ranked[0]
    average = text.interval(mean(first.final), bootstrap_ci(mean, first.final))
    middle = text.interval(iqm(first.final), bootstrap_ci(iqm, first.final))
    if len(ranked) == 1:
        return f"{env}: {first.label} ends at a mean of {average}, IQM {middle}."
    second = ranked[1]
    chance = probability_of_improvement(first.final, second.final)
    ends = bootstrap_ci(probability_of_improvement, first.final, second.final)
    beats = text.interval(chance, ends, "{:.2f}".format)
    return (
        f"{env}: {first.label} ends with the highest mean, {average}, IQM {middle}; "
        f"a seed of it beats one of {second.label} with probability {beats}."
    )
