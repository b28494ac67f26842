"""Variance of the gradient estimate for each weight Phi_t, at the same policies and batches (`measure=...`)."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.naming import algorithm_name
from reports.statistics import Array, Interval, geometric_mean, geometric_mean_interval, mean, mean_interval

# Each weight, what it is called here, and the weight that the slides derive it from.
CHAIN = {
    "R(tau)": ("R(τ)", None),
    "reward to go": ("reward to go", "R(tau)"),
    "discounted reward to go": ("discounted reward to go", "reward to go"),
    "- batch mean": ("less the batch mean", "discounted reward to go"),
    "- V(s)": ("less V(s)", "discounted reward to go"),
    "Q(s,a)": ("r + γV(s') for Q", "discounted reward to go"),
    "GAE": ("GAE", "- V(s)"),
    "n-step": ("n-step advantage", "GAE"),
    "TD residual": ("TD residual", "n-step"),
}
BIASED = ("Q(s,a)", "GAE", "n-step", "TD residual")
NOTE = (
    "Filled mark: variance tr Cov ĝ of the gradient estimate of a batch of 16 complete episodes, from 32 batches; dot: "
    "one seed's policy, mark and bar: geometric mean over seeds and its 95% interval (Student's t of the logs). "
    "Open mark: squared norm of the bias that a learned V leaves in E ĝ, against the discounted reward to go less V(s) "
    "(mean over seeds, 95% interval, cut at a hundredth of it; none where that mean is not above zero). Episodes cut "
    "by the time limit: weights with V add V(s_T), weights without it do not. ĝ: a sum over steps, a mean over "
    "episodes."
)


def draw(data: Data) -> Drawing | None:
    """A panel per age of a job's policy, y the weights, x the variance; None where none was measured."""
    parts = ages(data, ("variance", "squared_bias"))
    if not parts:
        return None
    figure, axes = style.panels(len(parts), height=4.2, width=4.4)
    for panel, (group, age, mine) in zip(axes, parts, strict=True):
        for place, subject in enumerate(CHAIN):
            _row(panel, place, subject, mine)
        style.log_axis(panel, "x")
        first = panel is axes[0]
        style.rows_axis(panel, [name if first else "" for name, _ in CHAIN.values()])
        panel.set_xlabel("variance of ĝ (filled), squared bias (open)")
        style.finish(panel, f"{group.env}, after {text.steps(age)} steps (n = {mine['seed'].nunique()})", (group,))
    names = [f"{g.env}, {algorithm_name(g.algorithm)} after {text.steps(age)} steps" for g, age, _ in parts]
    sentences = [_sentence(name, mine) for name, (*_, mine) in zip(names, parts, strict=True)]
    rows = [row | {"where": name} for name, (*_, mine) in zip(names, parts, strict=True) for row in _ratios(mine)]
    return Drawing(figure, "\n".join(sentences), NOTE, pd.DataFrame(rows))


def ages(data: Data, quantities: Sequence[str], most: int = 6) -> list[tuple[Group, float, pd.DataFrame]]:
    """Measurements by job and age of the policy: (group, env_steps, rows), of seeds that have not failed."""
    table = data.measurements
    if not len(table):
        return []
    table = table[table["quantity"].isin(quantities)]
    found = []
    for group in data.groups:
        left = {seed for seed, why in group.left_out if why.startswith("failed")}
        mine = table[(table["job"] == group.job) & ~table["seed"].isin(left)]
        found += [(group, float(str(age)), rows) for age, rows in mine.groupby("env_steps")]
    return found[:most]


def _of(table: pd.DataFrame, subject: str, quantity: str) -> Array:
    """The seeds' values, [S], in the order of the seeds."""
    rows = table[(table["subject"] == subject) & (table["quantity"] == quantity)]
    return rows.sort_values("seed")["value"].to_numpy(float)


def _row(panel: Axes, place: int, subject: str, table: pd.DataFrame) -> None:
    color = style.STYLES["vpg"].color
    variance = _of(table, subject, "variance")
    panel.scatter(variance, place + style.spread(len(variance)), s=8, color=color, alpha=0.5, linewidths=0)
    ends = geometric_mean_interval(variance)
    panel.plot([ends.low, ends.high], [place, place], color=style.ink(), linewidth=1.2, zorder=3)
    panel.plot([geometric_mean(variance)], [place], "s", color=color, mec=style.ink(), mew=0.8, zorder=4)
    if subject in BIASED:
        bias = _of(table, subject, "squared_bias")
        ends, center = mean_interval(bias), mean(bias)
        if center > 0:
            height = place + 0.28
            least = max(float(ends.low), float(center) * 1e-2)
            panel.plot([least, ends.high], [height, height], color="0.4", linewidth=1, zorder=3)
            panel.plot([center], [height], "o", color="white", mec="0.2", mew=1, markersize=5, zorder=4)


def _ratios(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each weight's variance relative to the one it comes from, paired by seed: geometric mean and interval."""
    rows = []
    for subject, (name, origin) in CHAIN.items():
        if origin is None or not len(_of(table, subject, "variance")):
            continue
        ratio = _of(table, subject, "variance") / _of(table, origin, "variance")
        low, high = geometric_mean_interval(ratio)
        row = {"weight": name, "from": CHAIN[origin][0], "n": len(ratio), "ratio": float(geometric_mean(ratio))}
        rows.append({**row, "low": float(low), "high": float(high)})
    return rows


def _sentence(where: str, table: pd.DataFrame) -> str:
    """Which weights lower the variance for sure, by how much the first and the last do, and the bias."""
    rows = _ratios(table)
    parts = [
        f"{row['weight']} {text.interval(row['ratio'], ends, '{:.2g}'.format)} of {row['from']}"
        for row in rows
        for ends in [Interval(row["low"], row["high"])]
    ]
    failing = [row["weight"] for row in rows if not row["high"] < 1]
    verdict = f"not shown to lower it: {', '.join(failing)}" if failing else "every link lowers it"
    bias, variance = (mean(_of(table, "TD residual", quantity)) for quantity in ("squared_bias", "variance"))
    return (
        f"{where}, variance of ĝ relative to the weight it comes from: {', '.join(parts)}; {verdict}; the squared "
        f"bias of the TD residual is {bias / variance:.2g} times its variance."
    )
