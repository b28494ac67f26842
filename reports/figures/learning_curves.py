"""Learning curves: the mean over seeds at equal environment steps, its 95% bootstrap band, and each seed."""

import numpy as np
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.load import algorithm_name
from reports.published import sources
from reports.statistics import bootstrap_ci, mean

POINTS = 201
NOTE = (
    "Line: mean over seeds of the mean undiscounted return of the last 100 finished training episodes "
    "(stochastic policy), drawn where every seed has a value. Band: 95% percentile bootstrap interval of "
    "that mean, pointwise, over seeds. Faint: each seed. n: seeds; a diverged seed keeps its last return, a "
    "failed one is left out."
)


def draw(data: Data) -> Drawing:
    """A panel an environment, x environment steps, y return; published numbers as marks, if wanted."""
    figure, axes = style.panels(len(data.envs), height=4.2)
    for panel, env in zip(axes, data.envs, strict=True):
        groups = data.of(env)
        for group in groups:
            _curve(panel, group, data)
        _published(panel, env, data)
        style.finish(panel, env, groups)
        style.steps_axis(panel)
        place = panel.get_subplotspec()
        if place is None or place.is_first_col():
            panel.set_ylabel(style.RETURN)
        if any(group.n for group in groups):
            panel.set_xlim(0, 1.02 * data.horizon(env))
        else:
            style.empty(panel, "no finished episode yet")
            panel.set_yticks([])
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=2, handlelength=3)
    style.footnote(figure, f"{NOTE} {sources(data.published)}")
    return Drawing(figure, " ".join(_sentence(env, data) for env in data.envs))


def _curve(panel: Axes, group: Group, data: Data) -> None:
    look = style.style(group, data)
    label = f"{group.label} ({group.note})"
    if not group.n:
        panel.plot([], [], color=look.color, linestyle=look.linestyle, label=label)
        return
    grid = np.union1d(np.linspace(0, group.end, POINTS), [group.start])
    curves = group.returns(grid)
    for seed, curve in zip(group.seeds, curves, strict=True):
        panel.plot(grid, curve, color=look.color, linewidth=0.6, alpha=0.25, zorder=1)
        # A seed that is ahead of the slowest one is shown as far as it has come.
        ahead = seed.env_steps >= group.end
        panel.plot(seed.env_steps[ahead], seed.returns[ahead], color=look.color, linewidth=0.6, alpha=0.25, zorder=1)
    band = bootstrap_ci(mean, curves)
    panel.fill_between(grid, band.low, band.high, color=look.color, alpha=0.2, linewidth=0, zorder=2)
    panel.plot(grid, mean(curves), color=look.color, linestyle=look.linestyle, linewidth=1.8, label=label, zorder=3)


def _published(panel: Axes, env: str, data: Data) -> None:
    """Marks beside each other where several algorithms were published at one step."""
    horizon = data.horizon(env)
    rows = [row for row in data.published if row.env == env and row.env_steps <= horizon]
    algorithms = list(dict.fromkeys(group.algorithm for group in data.of(env)))
    for row in rows:
        shift = 0.008 * horizon * (algorithms.index(row.algorithm) - (len(algorithms) - 1) / 2)
        look = style.STYLES.get(row.algorithm, style.OTHER)
        label = f"{algorithm_name(row.algorithm)}, published (n = {row.seeds})"
        known = label in panel.get_legend_handles_labels()[1]
        style.published_mark(
            panel,
            row.env_steps + shift,
            row.mean,
            yerr=row.spread,
            fmt=look.marker,
            markerfacecolor=look.color,
            label=None if known else label,
        )


def _sentence(env: str, data: Data) -> str:
    shown = [group for group in data.of(env) if group.n]
    if not shown:
        return f"{env}: no finished episode yet."
    parts = [
        f"{group.label} {text.interval(mean(group.final), bootstrap_ci(mean, group.final))}"
        + ("" if group.end == data.horizon(env) else f" (at {text.steps(group.end)})")
        for group in shown
    ]
    return f"{env}, mean return [95% interval] at {text.steps(data.horizon(env))} steps: {', '.join(parts)}."
