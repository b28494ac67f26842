"""Statistics over tasks: aggregates with intervals, performance profiles, probability of improvement."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from reports import style, text
from reports.data import Data
from reports.figures.drawing import Drawing
from reports.statistics import (
    FEW,
    Array,
    Interval,
    improvement_over_tasks,
    performance_profile,
    stratified_bootstrap,
    task_iqm,
    task_mean,
    task_median,
    task_optimality_gap,
)

AGGREGATES: tuple[tuple[str, Callable[[Sequence[Array]], Any]], ...] = (
    ("IQM", task_iqm),
    ("mean", task_mean),
    ("median", task_median),
    ("optimality gap", task_optimality_gap),
)
MOST = 10


def _of(data: Data) -> tuple[list[str], list[str], dict[str, list[Array]]]:
    """Methods (the ten best where there are more), tasks, and each method's scores."""
    labels, envs = data.methods()
    scores = {label: data.scores(label, envs) for label in labels}
    if len(labels) > MOST:
        labels = sorted(labels, key=lambda label: -float(task_iqm(scores[label])))[:MOST]
    return labels, envs, scores


def _note(data: Data, envs: Sequence[str], scores: Sequence[Sequence[Array]]) -> str:
    counts = sorted({len(task) for method in scores for task in method})
    n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    few = f" {counts[0]} seeds per task are few: trust wide differences only." if counts[0] < FEW else ""
    bounds = "; ".join(
        f"{env} {data.bounds[env].random:g} to {data.bounds[env].reference:g} ({data.bounds[env].source})"
        for env in envs
    )
    left = [env for env in data.envs if env not in envs]
    out = f" Left out: {', '.join(left)} (no bounds, or not all methods came to the end)." if left else ""
    return (
        f"Scores: final return, 0 a random policy, 1 the reference: {bounds}. {n} seeds per task and method. "
        f"Intervals: 95%, stratified bootstrap over seeds within tasks, expanded for few seeds.{few}{out}"
    )


def _look(label: str, data: Data, labels: Sequence[str]) -> style.Style:
    env = data.methods()[1][0]
    groups = [group for group in data.of(env) if group.label in labels]
    return style.style(next(one for one in groups if one.label == label), data, groups)


def aggregates(data: Data) -> Drawing | None:
    """A panel per aggregate over tasks, y the methods; None for a single task."""
    labels, envs, scores = _of(data)
    if not labels:
        return None
    figure, axes = style.panels(4, height=1.1 + 0.3 * len(labels), width=2.7, columns=4)
    found = []
    for panel, (name, statistic) in zip(axes, AGGREGATES, strict=True):
        for place, label in enumerate(labels):
            look, value = _look(label, data, labels), float(statistic(scores[label]))
            ends = stratified_bootstrap(statistic, scores[label])
            panel.use_sticky_edges = False
            panel.barh([place], [ends.high - ends.low], left=[ends.low], height=0.5, color=look.color, alpha=0.4)
            panel.plot([value], [place], look.marker, color=look.color, mec=style.ink(), mew=0.8, markersize=6)
            found.append(
                {"aggregate": name, "label": label, "tasks": len(envs), "n": min(map(len, scores[label]))}
                | {"value": value, "low": float(ends.low), "high": float(ends.high)}
            )
        style.rows_axis(panel, labels if panel is axes[0] else [""] * len(labels), 24)
        panel.set_title(name + (" (less is better)" if name == "optimality gap" else ""))
        panel.set_xlabel("normalised score")
        panel.spines[["top", "right"]].set_visible(False)
    table = pd.DataFrame(found)
    return Drawing(figure, _aggregate_sentence(table, envs), _note(data, envs, list(scores.values())), table)


def _aggregate_sentence(table: pd.DataFrame, envs: Sequence[str]) -> str:
    rows = table[table["aggregate"] == "IQM"].sort_values("value", ascending=False)
    parts = [
        f"{text.short(row['label'], 60)} {text.interval(row['value'], ends, '{:.2f}'.format)}"
        for _, row in rows.head(4).iterrows()
        for ends in [Interval(row["low"], row["high"])]
    ]
    return f"Over {len(envs)} tasks, IQM of normalised final scores: {', '.join(parts)}."


def profiles(data: Data) -> Drawing | None:
    """The share of runs, mean over tasks, above each score; None for a single task."""
    labels, envs, scores = _of(data)
    if not labels:
        return None
    figure, (panel,) = style.panels(1, height=3.6, width=6.0)
    rows = []
    seen = np.concatenate([task for label in labels for task in scores[label]])
    levels = np.linspace(min(0.0, float(seen.min())) - 0.02, max(1.0, float(seen.max())) + 0.02, 141)
    for label in labels:
        look = _look(label, data, labels)
        share = performance_profile(scores[label], levels)
        band = stratified_bootstrap(lambda tasks: performance_profile(tasks, levels), scores[label], resamples=1000)
        panel.step(levels, share, where="post", color=look.color, linestyle=look.linestyle, label=label)
        panel.fill_between(levels, band.low, band.high, step="post", color=look.color, alpha=0.15, linewidth=0)
        rows.append(pd.DataFrame({"label": label, "score": levels, "share": share, "low": band.low, "high": band.high}))
    panel.set(xlabel="normalised score τ", ylabel="share of runs with score > τ", ylim=(-0.02, 1.02))
    panel.spines[["top", "right"]].set_visible(False)
    style.legend(figure, [panel])
    above = ", ".join(
        f"{text.short(label, 40)} {float(performance_profile(scores[label], [0.5])[0]):.0%}" for label in labels[:4]
    )
    sentence = f"Over {len(envs)} tasks, runs above half the way from random to reference: {above}."
    return Drawing(figure, sentence, _note(data, envs, list(scores.values())), pd.concat(rows, ignore_index=True))


def improvement(data: Data) -> Drawing | None:
    """P(X > Y) over tasks, for each method against the next by IQM and against the best; None for a single task."""
    labels, envs, scores = _of(data)
    if len(labels) < 2:
        return None
    ranked = sorted(labels, key=lambda label: -float(task_iqm(scores[label])))
    pairs = list(dict.fromkeys([*((ranked[0], other) for other in ranked[1:]), *pairwise(ranked)]))
    figure, (panel,) = style.panels(1, height=1.2 + 0.32 * len(pairs), width=6.5)
    found = []
    for place, (one, other) in enumerate(pairs):
        value = float(improvement_over_tasks(scores[one], scores[other]))
        ends = _improvement_interval(scores[one], scores[other])
        panel.plot([ends.low, ends.high], [place] * 2, color=style.ink(), linewidth=1.2)
        look = _look(one, data, labels)
        panel.plot([value], [place], look.marker, color=look.color, mec=style.ink(), mew=0.8)
        found.append({"X": one, "Y": other, "tasks": len(envs), "P(X > Y)": value, "low": ends.low, "high": ends.high})
    style.rows_axis(panel, [f"{text.short(a, 30)} > {text.short(b, 30)}" for a, b in pairs], 66)
    panel.axvline(0.5, color=style.GREY, linewidth=1)
    panel.set(xlim=(-0.02, 1.02), xlabel="probability that a run of X ends above a run of Y, mean over tasks")
    panel.spines[["top", "right"]].set_visible(False)
    first = found[0]
    shown = text.interval(first["P(X > Y)"], Interval(first["low"], first["high"]), "{:.2f}".format)
    names = [text.short(label, 60) for label in ranked[:2]]
    sentence = f"Over {len(envs)} tasks, a run of {names[0]} ends above one of {names[1]} with probability {shown}."
    return Drawing(figure, sentence, _note(data, envs, list(scores.values())), pd.DataFrame(found))


def _improvement_interval(ours: Sequence[Array], theirs: Sequence[Array]) -> Interval:
    split = len(ours)
    ends = stratified_bootstrap(lambda both: improvement_over_tasks(both[:split], both[split:]), [*ours, *theirs])
    return Interval(float(ends.low), float(ends.high))
