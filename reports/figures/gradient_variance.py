"""Variance of the gradient estimate for each weight Phi_t, at the same policies and batches (`measure=...`)."""

import pandas as pd
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data
from reports.figures.drawing import Drawing
from reports.statistics import Array, bootstrap_ci, geometric_mean, mean

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
    "one seed's policy, mark and bar: geometric mean over seeds and its 95% percentile bootstrap interval. Open mark: "
    "squared norm of the bias that a learned V leaves in E ĝ, against the discounted reward to go less V(s) (mean over "
    "seeds, 95% interval, cut at a hundredth of it; none where that mean is not above zero). Episodes cut by the time "
    "limit: weights with V add V(s_T), weights without it do not. ĝ: a sum over steps, a mean over episodes."
)


def draw(data: Data) -> Drawing | None:
    """A panel a job (an age of the policy), y the weights, x the variance; None where none was measured."""
    table = data.measurements[data.measurements["quantity"].isin(["variance", "squared_bias"])]
    groups = [group for group in data.groups if (table["job"] == group.job).any()]
    if not groups:
        return None
    figure, axes = style.panels(len(groups), height=4.2, width=4.4)
    for panel, group in zip(axes, groups, strict=True):
        mine = table[table["job"] == group.job]
        for place, subject in enumerate(CHAIN):
            _row(panel, place, subject, mine)
        panel.set_xscale("log")
        first = group is groups[0]
        style.rows_axis(panel, [name if first else "" for name, _ in CHAIN.values()])
        panel.set_xlabel("variance of ĝ (filled), squared bias (open)")
        style.finish(panel, f"{group.env}, after {text.steps(group.total_steps)} steps", (group,))
    style.footnote(figure, NOTE)
    sentences = [
        _sentence(
            f"{g.env}, {g.label.partition(',')[0]} after {text.steps(g.total_steps)} steps",
            table[table["job"] == g.job],
        )
        for g in groups
    ]
    return Drawing(figure, " ".join(sentences))


def _of(table: pd.DataFrame, subject: str, quantity: str) -> Array:
    """The seeds' values, [S], in the order of the seeds."""
    rows = table[(table["subject"] == subject) & (table["quantity"] == quantity)]
    return rows.sort_values("seed")["value"].to_numpy(float)


def _row(panel: Axes, place: int, subject: str, table: pd.DataFrame) -> None:
    color = style.STYLES["vpg"].color
    variance = _of(table, subject, "variance")
    panel.scatter(variance, place + style.spread(len(variance)), s=8, color=color, alpha=0.5, linewidths=0)
    ends = bootstrap_ci(geometric_mean, variance)
    panel.plot([ends.low, ends.high], [place, place], color="black", linewidth=1.2, zorder=3)
    panel.plot([geometric_mean(variance)], [place], "s", color=color, mec="black", mew=0.8, zorder=4)
    if subject in BIASED:
        bias = _of(table, subject, "squared_bias")
        ends, center = bootstrap_ci(mean, bias), mean(bias)
        if center > 0:
            height = place + 0.28
            least = max(float(ends.low), float(center) * 1e-2)
            panel.plot([least, ends.high], [height, height], color="0.4", linewidth=1, zorder=3)
            panel.plot([center], [height], "o", color="white", mec="0.2", mew=1, markersize=5, zorder=4)


def _sentence(where: str, table: pd.DataFrame) -> str:
    """Each weight's variance relative to the one it comes from, paired by seed; what does not lower it; the bias."""
    parts, failing = [], []
    for subject, (name, origin) in CHAIN.items():
        if origin is None:
            continue
        ratio = _of(table, subject, "variance") / _of(table, origin, "variance")
        ends = bootstrap_ci(geometric_mean, ratio)
        parts.append(f"{name} {text.interval(geometric_mean(ratio), ends, '{:.2g}'.format)} of {CHAIN[origin][0]}")
        if not ends.high < 1:
            failing.append(name)
    verdict = f"not shown to lower it: {', '.join(failing)}" if failing else "every link lowers it"
    bias, variance = (mean(_of(table, "TD residual", quantity)) for quantity in ("squared_bias", "variance"))
    return (
        f"{where}, variance of ĝ relative to the weight it comes from: {', '.join(parts)}; {verdict}; the squared "
        f"bias of the TD residual is {bias / variance:.2g} times its variance."
    )
