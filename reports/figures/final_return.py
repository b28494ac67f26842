"""Returns at the end of training: every seed, mean and interquartile mean, with 95% intervals."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.published import COMPARABLE, sources
from reports.statistics import (
    iqm,
    mean,
    probability_interval,
    probability_of_improvement,
)

ROWS = 20
"""More jobs than this do not fit: then the best and the worst are shown, and how many lie between."""
NOTE = (
    "Dot: one seed's mean undiscounted return of the last 100 finished training episodes (stochastic "
    "policy) at the end of training, or at the step named. Cross: a seed that diverged, at its last return. "
    "Filled mark: mean; white circle: interquartile mean (IQM); bars: their 95% intervals over seeds (Student's t; "
    "IQM: winsorised). n: seeds; a failed one is left out."
)


def draw(data: Data) -> Drawing:
    """A panel per environment, y the jobs, x return."""
    shown = {env: rows(data, env) for env in data.envs}
    most = max(len(groups) for groups in shown.values())
    figure, axes = style.panels(len(data.envs), height=1.3 + (0.55 if most <= 8 else 0.42) * most, width=5.2)
    for panel, env in zip(axes, data.envs, strict=True):
        names = []
        for place, group in enumerate(shown[env]):
            if isinstance(group, str):
                names.append(group)
                continue
            _row(panel, place, group, data)
            names.append(_name(group, data))
        style.rows_axis(panel, names)
        panel.set_xlabel(style.RETURN)
        panel.xaxis.set_major_locator(MaxNLocator(6))
        style.finish(panel, env, data.of(env))
        if not any(group.n for group in data.of(env)):
            style.empty(panel, "no finished episode yet")
    words = " ".join(filter(None, (NOTE, data.limits, sources(data.published))))
    return Drawing(figure, "\n".join(filter(None, (_sentence(env, data) for env in data.envs))), words, _table(data))


def rows(data: Data, env: str, most: int = ROWS) -> list[Group | str]:
    """The environment's groups; of more than `most`, the best three quarters of them, a line of how many lie between,
    and the worst."""
    groups = data.of(env)
    if len(groups) <= most:
        return list(groups)
    ranked = data.ranked(env)
    best, worst = most * 3 // 4, most // 4 - 1
    if len(ranked) <= best + worst:
        return list(ranked)
    unfinished = len(groups) - len(ranked)
    between = f"… {len(ranked) - best - worst} between" + (f", {unfinished} not at the end" if unfinished else "")
    return [*ranked[:best], between, *ranked[-worst:]]


def _name(group: Group, data: Data) -> str:
    late = group.n and group.end < data.horizon(group.env)
    return f"{text.short(group.label, 56)} ({group.note}{f', at {text.steps(group.end)}' if late else ''})"


def _row(panel: Axes, place: int, group: Group, data: Data) -> None:
    if not group.n:
        return
    look, final, ink = style.style(group, data), group.final, style.ink()
    heights = place + style.spread(group.n)
    diverged = np.array([seed.status == "diverged" for seed in group.counted])
    panel.scatter(final[~diverged], heights[~diverged], s=14, color=look.color, alpha=0.6, linewidths=0, zorder=2)
    panel.scatter(final[diverged], heights[diverged], s=22, color=look.color, marker="x", linewidths=1.2, zorder=2)
    for center, ends, height, marker, face in (
        (mean(final), group.interval(final), -0.28, look.marker, look.color),
        (iqm(final), group.iqm_interval(final), 0.28, "o", "white"),
    ):
        if not np.isnan(ends.low):
            panel.plot([ends.low, ends.high], [place + height] * 2, color=ink, linewidth=1.2, zorder=3)
        panel.plot([center], [place + height], marker, markersize=5.5, color=face, mec=ink, mew=0.8, zorder=4)
    for row in data.published:
        if row.protocol in COMPARABLE and (row.env, row.algorithm, row.env_steps) == (
            group.env,
            group.algorithm,
            group.end,
        ):
            style.published_mark(panel, row.mean, place + 0.42, xerr=row.spread)


def _table(data: Data) -> pd.DataFrame:
    found = [
        {"env": group.env, "label": group.label, "job": group.job, "seed": seed.seed, "env_steps": group.end}
        | {"status": seed.status, "return": value, "n": group.n}
        for group in data.groups
        for seed, value in zip(group.counted, group.final, strict=True)
    ]
    return pd.DataFrame(found, columns=["env", "label", "job", "seed", "env_steps", "status", "return", "n"])


def _sentence(env: str, data: Data) -> str:
    """The best mean, and how surely a seed of it beats a seed of the next."""
    ranked = data.ranked(env)
    if not ranked:
        return ""
    first = ranked[0]
    average = text.interval(mean(first.final), first.interval(first.final))
    middle = text.interval(iqm(first.final), first.iqm_interval(first.final))
    name = text.short(first.label, 60)
    if len(ranked) == 1:
        return f"{env}: {name} ends at a mean of {average}, IQM {middle}."
    second = ranked[1]
    chance = probability_of_improvement(first.final, second.final)
    beats = text.interval(chance, probability_interval(first.final, second.final), "{:.2f}".format)
    return (
        f"{env}: {name} ends with the highest mean, {average}, IQM {middle}; "
        f"a seed of it beats one of {text.short(second.label, 60)} with probability {beats}."
    )
