"""Learning curves: the mean over seeds at equal environment steps, its 95% interval, and each seed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from reports import style, text
from reports.data import RETURN, Data, Group
from reports.figures.drawing import Drawing
from reports.naming import algorithm_name
from reports.published import COMPARABLE, sources
from reports.statistics import FEW, mean

POINTS = 201
SEEDS = 40
"""More lines than this in a panel hide each other: then only the means are drawn."""


def note(data: Data, groups: Sequence[Group]) -> str:
    """How to read the curves of these groups."""
    what = (
        "the mean undiscounted return of the last 100 finished training episodes (stochastic policy)"
        if data.metric == RETURN
        else f"'{data.metric}'"
    )
    few = [group.n for group in groups if group.n]
    small = (
        f" n = {min(few)} is too few to check that seeds are spread like a normal distribution, on which it rests."
        if few and min(few) < FEW
        else ""
    )
    return (
        f"Line: mean over seeds of {what}, drawn where every seed that counts has a value. Band: 95% interval of that "
        f"mean (Student's t over seeds), pointwise.{small} Faint: each seed. n: seeds; a diverged one keeps its last "
        "value, a running one is drawn and not counted, a failed one is left out. "
        f"{data.limits if data.metric == RETURN else ''}"
    ).strip()


def draw(data: Data) -> Drawing:
    """A panel per environment, x environment steps (or seconds), y the metric; published numbers as marks, if wanted.

    Up to eight groups in colour; of more the best four and the worst, and the means of all others in grey.
    """
    figure, axes = style.panels(len(data.envs), height=3.4)
    rows: list[pd.DataFrame] = []
    for panel, env in zip(axes, data.envs, strict=True):
        shown, others = style.chosen(data, env)
        _others(panel, others, data, rows)
        faint = sum(len(group.seeds) for group in shown) <= SEEDS
        for group in shown:
            rows += _curve(panel, group, data, shown, faint)
        if data.metric == RETURN and data.x == "env_steps":
            _published(panel, env, data)
        style.finish(panel, env, data.of(env))
        if data.x == "env_steps":
            style.steps_axis(panel)
        else:
            panel.set_xlabel("seconds of training (wall clock)")
        place = panel.get_subplotspec()
        if place is None or place.is_first_col():
            panel.set_ylabel(style.metric_name(data.metric))
        if any(group.n for group in data.of(env)):
            panel.set_xlim(left=0)
        else:
            style.empty(panel, "no finished episode yet")
            panel.set_yticks([])
    style.legend(figure, axes)
    table = pd.concat(rows, ignore_index=True) if rows else None
    words = f"{note(data, data.groups)} {sources(data.published)}".strip()
    return Drawing(figure, "\n".join(_sentence(env, data) for env in data.envs), words, table)


def grid(group: Group, x: str = "env_steps") -> np.ndarray:
    """Where a group's curve is drawn: 201 points up to where every seed has come."""
    start, end = group.span(x)
    return np.union1d(np.linspace(0, end, POINTS), [start])


def _curve(panel: Axes, group: Group, data: Data, shown: Sequence[Group], faint: bool) -> list[pd.DataFrame]:
    look = style.style(group, data, shown)
    label = f"{group.label} ({group.note})"
    if not group.n:
        panel.plot([], [], color=look.color, linestyle=look.linestyle, label=label)
        return []
    points = grid(group, data.x)
    curves = group.curves(points, data.metric, data.x)
    if faint:
        for seed in group.seeds:
            panel.plot(
                seed.table[data.x], seed.table[data.metric], color=look.color, linewidth=0.6, alpha=0.25, zorder=1
            )
    center, band = mean(curves), group.interval(curves, data.metric)
    panel.fill_between(
        points, band.low, band.high, color=look.color, alpha=min(0.2, 0.5 / len(shown)), linewidth=0, zorder=2
    )
    panel.plot(points, center, color=look.color, linestyle=look.linestyle, linewidth=1.8, label=label, zorder=3)
    if data.metric == RETURN and np.isfinite(curves).any():
        _limits(panel, curves[np.isfinite(curves)])
    return [_table(group, points, data, curves)]


def _limits(panel: Axes, values: np.ndarray) -> None:
    """Keeps the axis to what seeds reached: the band of two or three seeds goes far beyond any return there is."""
    low, high = float(values.min()), float(values.max())
    known = getattr(panel, "_reached", (low, high))
    low, high = min(low, known[0]), max(high, known[1])
    panel._reached = (low, high)  # type: ignore[attr-defined]
    margin = 0.08 * (high - low) or 1.0
    panel.set_ylim(low - margin, high + margin)


def _table(group: Group, points: np.ndarray, data: Data, curves: np.ndarray) -> pd.DataFrame:
    band = group.interval(curves, data.metric)
    return pd.DataFrame(
        {
            "env": group.env,
            "label": group.label,
            "job": group.job,
            data.x: points,
            "n": group.n,
            "mean": mean(curves),
            "low": band.low,
            "high": band.high,
        }
    ).dropna(subset=["mean"])


def _others(panel: Axes, others: Sequence[Group], data: Data, rows: list[pd.DataFrame]) -> None:
    """The means of groups that are not told apart, in grey."""
    lines = []
    for group in others:
        if group.n:
            points = grid(group, data.x)
            curves = group.curves(points, data.metric, data.x)
            lines.append(np.column_stack([points, mean(curves)]))
            rows.append(_table(group, points, data, curves))
    if lines:
        label = f"{len(lines)} others, means"
        panel.add_collection(
            LineCollection(lines, colors=style.GREY, linewidths=0.6, alpha=0.35, zorder=0.5, label=label)
        )
        panel.autoscale_view()


def _published(panel: Axes, env: str, data: Data) -> None:
    """Marks beside each other where several algorithms were published at one step."""
    horizon = data.horizon(env)
    rows = [r for r in data.published if r.env == env and r.env_steps <= horizon and r.protocol in COMPARABLE]
    algorithms = list(dict.fromkeys(group.algorithm for group in data.of(env)))
    for row in rows:
        shift = 0.008 * horizon * (algorithms.index(row.algorithm) - (len(algorithms) - 1) / 2)
        look = style.of_algorithm(row.algorithm, data)
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
    shown, others = style.chosen(data, env)
    shown = tuple(group for group in shown if group.n)
    if not shown:
        return f"{env}: no finished episode yet."
    parts = [
        f"{text.short(group.label, 60)} {text.interval(mean(group.final), group.interval(group.final))}"
        + ("" if group.end == data.horizon(env) else f" (at {text.steps(group.end)})")
        for group in shown
    ]
    more = f" (best {len(shown) - 1} and worst of {len(shown) + len(others)})" if others and len(shown) > 1 else ""
    horizon = text.steps(data.horizon(env))
    return f"{env}, mean return [95% interval] at {horizon} steps{more}: {', '.join(parts)}."
