"""Steps to a threshold: when each seed's mean of 100 episodes first reaches it, if ever."""

import numpy as np
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.statistics import bootstrap_ci, median

NOTE = (
    "Pale mark: environment steps (to the iteration) at which a seed's mean undiscounted return of the last "
    "100 training episodes first reaches the threshold. Open triangle: where the records end of a seed that "
    "has not reached it. Outlined mark: median over seeds, with those counted as infinity; bar: its 95% "
    "percentile bootstrap interval, with an arrow where that is unbounded. n: seeds; a failed one is left out. "
    "Thresholds: Gymnasium's reward_threshold (for Pendulum-v1, which has none, -200) unless one was chosen."
)


def draw(data: Data) -> Drawing | None:
    """A panel an environment with a threshold, y the jobs, x environment steps; None without thresholds."""
    envs = [env for env in data.envs if data.thresholds[env] is not None]
    if not envs:
        return None
    most = max(len(data.of(env)) for env in envs)
    figure, axes = style.panels(len(envs), height=1.3 + 0.55 * most)
    for panel, env in zip(axes, envs, strict=True):
        groups, level = data.of(env), data.thresholds[env]
        assert level is not None
        for place, group in enumerate(groups):
            _row(panel, place, group, level, data)
        style.rows_axis(panel, [f"{group.label}\n({group.note})" for group in groups])
        style.steps_axis(panel)
        panel.set_xlabel(f"{style.STEPS} to a return of {level:g}")
        style.finish(panel, env, groups)
        if any(group.n for group in groups):
            panel.set_xlim(left=0)
        else:
            style.empty(panel, "no finished episode yet")
    style.footnote(figure, NOTE)
    return Drawing(figure, " ".join(_sentence(env, data) for env in envs))


def _row(panel: Axes, place: int, group: Group, level: float, data: Data) -> None:
    if not group.n:
        return
    look, steps = style.style(group, data), group.reached(level)
    heights = place + style.spread(group.n)
    last = np.array([seed.env_steps[-1] for seed in group.seeds])
    never = np.isinf(steps)
    panel.scatter(
        steps[~never],
        heights[~never],
        s=18,
        color=look.color,
        marker=look.marker,
        alpha=0.6,
        linewidths=0,
        zorder=2,
    )
    panel.scatter(
        last[never],
        heights[never],
        s=26,
        facecolors="none",
        edgecolors=look.color,
        marker=">",
        linewidths=1,
        zorder=2,
    )
    middle, ends, right = median(steps), bootstrap_ci(median, steps), data.horizon(group.env)
    height = place - 0.3
    if np.isfinite(ends.low):
        panel.plot([ends.low, min(ends.high, right)], [height] * 2, color="black", linewidth=1.2, zorder=3)
        if np.isinf(ends.high):
            panel.plot([right], [height], marker=">", markersize=4, color="black", zorder=3)
    if np.isfinite(middle):
        panel.plot([middle], [height], look.marker, markersize=5.5, color=look.color, mec="black", mew=0.8, zorder=4)
    panel.annotate(
        f"{group.n - never.sum()} of {group.n} reached",
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
    )


def _sentence(env: str, data: Data) -> str:
    level, parts = data.thresholds[env], []
    assert level is not None
    for group in data.of(env):
        if group.n:
            steps = group.reached(level)
            middle = text.interval(median(steps), bootstrap_ci(median, steps), text.steps)
            parts.append(f"{group.label} {middle} ({int(np.isfinite(steps).sum())} of {group.n} reached)")
    shown = ", ".join(parts) or "no finished episode yet"
    return f"{env}, median steps [95% interval] to a return of {level:g}: {shown}."
