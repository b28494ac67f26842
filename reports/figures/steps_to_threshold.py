"""Steps to a threshold: when each seed's mean of 100 episodes first reaches it, if ever."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.figures.final_return import rows
from reports.statistics import Interval, censored_median, steps_interval
from reports.thresholds import OURS

NOTE = (
    "Pale mark: environment steps (to the iteration) at which a seed's mean undiscounted return of the last "
    "100 training episodes first reaches the threshold. Open triangle: where the records end of a seed that "
    "has not reached it: it counts as later than that. Outlined mark: median over seeds (Kaplan and Meier); bar: its "
    "95% interval between two seeds, with an arrow where that is unbounded, as it is below six seeds. n: seeds; a "
    "failed one is left out. "
    "Thresholds: Gymnasium's reward_threshold unless one was chosen"
)


def draw(data: Data) -> Drawing | None:
    """A panel an environment with a threshold, y the jobs, x environment steps; None without thresholds."""
    envs = [env for env in data.envs if data.thresholds[env] is not None]
    if not envs:
        return None
    shown = {env: rows(data, env) for env in envs}
    most = max(map(len, shown.values()))
    figure, axes = style.panels(len(envs), height=1.3 + (0.5 if most <= 8 else 0.4) * most, width=5.4)
    for panel, env in zip(axes, envs, strict=True):
        groups, level = data.of(env), data.thresholds[env]
        assert level is not None
        names = []
        for place, group in enumerate(shown[env]):
            if isinstance(group, str):
                names.append(group)
                continue
            _row(panel, place, group, level, data)
            names.append(f"{text.short(group.label, 56)} ({group.note})")
        style.rows_axis(panel, names)
        style.steps_axis(panel)
        panel.set_xlabel(f"{style.STEPS} to a return of {level:g}")
        style.finish(panel, env, groups)
        if any(group.n for group in groups):
            panel.set_xlim(0, 1.04 * max(float(group.ends.max()) for group in groups if group.n))
        else:
            style.empty(panel, "no finished episode yet")
    table = pd.DataFrame(
        [
            {"env": env, "label": group.label, "job": group.job, "seed": seed.seed, "threshold": data.thresholds[env]}
            | {"steps": steps, "until": seed.until, "n": group.n}
            for env in envs
            for group in data.of(env)
            for seed, steps in zip(group.counted, group.reached(float(data.thresholds[env] or 0)), strict=True)
        ]
    )
    ours = ", ".join(env for env in envs if env in OURS)
    note = f"{NOTE}; Gymnasium has none for {ours}." if ours else f"{NOTE}."
    return Drawing(figure, "\n".join(_sentence(env, data) for env in envs), note, table)


def _row(panel: Axes, place: int, group: Group, level: float, data: Data) -> None:
    if not group.n:
        return
    look, steps = style.style(group, data), group.reached(level)
    heights = place + style.spread(group.n)
    last = group.ends
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
    middle, ends, right = censored_median(steps, last), steps_interval(steps, last), data.horizon(group.env)
    height = place - 0.3
    if np.isfinite(ends.low) and (ends.low, ends.high) != (0, np.inf):
        panel.plot([ends.low, min(ends.high, right)], [height] * 2, color=style.ink(), linewidth=1.2, zorder=3)
        if np.isinf(ends.high):
            panel.plot([right], [height], marker=">", markersize=4, color=style.ink(), zorder=3)
    if np.isfinite(middle):
        panel.plot(
            [middle], [height], look.marker, markersize=5.5, color=look.color, mec=style.ink(), mew=0.8, zorder=4
        )
    panel.annotate(
        f"{group.n - never.sum()} of {group.n} reached",
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
    )


def _sentence(env: str, data: Data) -> str:
    level = data.thresholds[env]
    assert level is not None
    found = []
    for group in data.of(env):
        if group.n:
            steps = group.reached(level)
            median, ends = censored_median(steps, group.ends), steps_interval(steps, group.ends)
            shown = text.interval(median, ends if ends.low > 0 else Interval(np.nan, np.nan), text.steps)
            reached = int(np.isfinite(steps).sum())
            found.append((median, -reached, f"{text.short(group.label, 60)} {shown} ({reached} of {group.n} reached)"))
    if not found:
        return f"{env}: no finished episode yet."
    if all(not reached for _, reached, _ in found):
        return f"{env}: no seed of {len(found)} job{'s' * (len(found) > 1)} reaches a return of {level:g}."
    first = [words for *_, words in sorted(found)]
    return f"{env}, median steps [95% interval] to a return of {level:g}: {text.listed(first, 4)}."
