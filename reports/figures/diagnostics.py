"""What happened inside training: KL, entropy, the critic, the gradient, and what an algorithm records of its own."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pgbench.runs.records import METRICS
from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.figures.learning_curves import grid
from reports.statistics import mean

USUAL = ("kl", "entropy", "explained_variance", "value_loss", "gradient_norm", "step_norm")
MOST, ENVS, OWN = 9, 3, 3
NOTE = (
    "Line and band: mean over seeds of the metric as recorded and its 95% interval (Student's t, pointwise, cut "
    "where the metric cannot be so); an axis is logarithmic where a metric is positive and spans two decades. Dotted: "
    "the bound δ on the KL divergence, where all settings drawn share one."
)


def draw(data: Data) -> Drawing | None:
    """A row per environment (the first three), a panel per metric that it records; None without any."""
    own = [name for name in data.metrics if name not in METRICS][:OWN]
    metrics = [name for name in (*USUAL, *own) if name in data.metrics][:MOST]
    envs = [env for env in data.envs if any(group.n for group in data.of(env))][:ENVS]
    panels = [(env, name) for env in envs for name in metrics if _recorded(data, env, name)]
    if not panels:
        return None
    figure, axes = style.panels(len(panels), height=2.5, width=3.2, columns=3)
    rows = []
    for panel, (env, metric) in zip(axes, panels, strict=True):
        shown = [group for group in style.chosen(data, env)[0] if group.n and _has(group, metric)]
        for group in shown:
            rows.append(_curve(panel, group, metric, data, shown))
        _scale(panel)
        if metric == "kl":
            _bound(panel, shown)
        style.title(panel, f"{metric.replace('_', ' ')}, {env}" if len(data.envs) > 1 else metric.replace("_", " "))
        style.steps_axis(panel)
        panel.spines[["top", "right"]].set_visible(False)
    style.legend(figure, axes)
    table = pd.concat(rows, ignore_index=True)
    return Drawing(figure, "\n".join(filter(None, (_sentence(data, env) for env in envs))), NOTE, table)


def _has(group: Group, metric: str) -> bool:
    return any(metric in seed.table and np.isfinite(seed.table[metric]).any() for seed in group.counted)


def _recorded(data: Data, env: str, metric: str) -> bool:
    return any(_has(group, metric) for group in style.chosen(data, env)[0] if group.n)


def _curve(panel: Axes, group: Group, metric: str, data: Data, shown: list[Group]) -> pd.DataFrame:
    look, points = style.style(group, data, shown), grid(group)
    curves = group.curves(points, metric)
    center, band = mean(curves), group.interval(curves, metric)
    panel.fill_between(points, band.low, band.high, color=look.color, alpha=0.18, linewidth=0)
    panel.plot(points, center, color=look.color, linestyle=look.linestyle, linewidth=1.4, label=group.label)
    return pd.DataFrame(
        {
            "env": group.env,
            "metric": metric,
            "label": group.label,
            "env_steps": points,
            "n": group.n,
            "mean": center,
            "low": band.low,
            "high": band.high,
        }
    ).dropna(subset=["mean"])


def _scale(panel: Axes) -> None:
    """Logarithmic where the means ask for it; then, as ever, by the means and not by a band of two seeds."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in panel.lines])
    values = values[np.isfinite(values)]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 100 * low:
        style.log_axis(panel, "y")
        panel.set_ylim(low / 2, high * 2)
    else:
        margin = 0.15 * (high - low) or 0.1
        panel.set_ylim(low - margin, high + margin)


def _bound(panel: Axes, shown: list[Group]) -> None:
    deltas = {g.config["hyperparameters.delta"] for g in shown if "hyperparameters.delta" in g.config}
    if len(deltas) == 1 and any(group.algorithm in ("npg", "trpo") for group in shown):
        panel.axhline(deltas.pop(), color=style.ink(), linestyle=":", linewidth=1)


def _sentence(data: Data, env: str) -> str:
    """How much entropy is left of what the policies began with, of the best setting."""
    ranked = [group for group in data.ranked(env) if _has(group, "entropy")]
    if not ranked:
        return ""
    group = ranked[0]
    first = np.array([seed.table["entropy"][0] for seed in group.counted])
    last = group.curves([group.end], "entropy")[:, 0]
    shown = text.interval(mean(last), group.interval(last, "entropy"), "{:.3g}".format)
    return f"{env}, {text.short(group.label, 60)}: entropy {float(mean(first)):.3g} nats at first, {shown} at the end."
