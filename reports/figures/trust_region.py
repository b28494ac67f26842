"""The trust region: realised KL against its bound delta over training, for NPG and TRPO, and what TRPO's search did."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.load import algorithm_name
from reports.statistics import bootstrap_ci, mean

DELTA = "hyperparameters.delta"
MOST = 4
NOTE = (
    "Dot: the mean KL(old || new) over the batch of one update of one seed, divided by δ; above the line the step left "
    "the trust region. Line: median over seeds and a tenth of training. Below: share of TRPO's updates that the line "
    "search shortened (at least one backtrack) and that it rejected, of all seeds."
)


def draw(data: Data) -> Drawing | None:
    """A column a delta that both NPG and TRPO ran with, two to four of them in an environment; None without any."""
    columns = []
    for env in data.envs:
        deltas = sorted(
            {_delta(one) for one in _of(data, env, "npg")} & {_delta(one) for one in _of(data, env, "trpo")}
        )
        if 2 <= len(deltas) <= MOST:
            columns += [(env, delta) for delta in deltas]
    if not columns:
        return None
    figure, axes = style.panels(2 * len(columns), height=2.8, width=3.4, columns=len(columns))
    upper, lower = axes[: len(columns)], axes[len(columns) :]
    for (env, delta), above, below in zip(columns, upper, lower, strict=True):
        groups = [one for name in ("npg", "trpo") for one in _of(data, env, name) if _delta(one) == delta]
        for group in groups:
            _ratios(above, group, _records(data, group))
        above.axhline(1, color="black", linewidth=1)
        above.set_yscale("log")
        style.finish(above, f"δ = {delta:g}, {env}", tuple(groups))
        _searches(below, groups[-1], _records(data, groups[-1]))
        sns.despine(ax=below)
        for panel in (above, below):
            style.steps_axis(panel)
        above.set_xlabel("")
    limits = np.array([panel.get_ylim() for panel in upper])
    for panel in upper:
        panel.set_ylim(limits[:, 0].min(), limits[:, 1].max())
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
    upper[0].set_ylabel("realised KL / δ")
    lower[0].set_ylabel("share of TRPO's updates")
    upper[0].legend()
    lower[0].legend()
    style.footnote(figure, NOTE)
    return Drawing(figure, " ".join(_sentence(data, env, delta) for env, delta in columns))


def _of(data: Data, env: str, algorithm: str) -> list[Group]:
    return [group for group in data.of(env) if group.algorithm == algorithm and group.n and DELTA in group.config]


def _delta(group: Group) -> float:
    return float(group.config[DELTA])


def _records(data: Data, group: Group) -> pd.DataFrame:
    rows = data.runs[data.runs["job"] == group.job]
    return rows.assign(tenth=np.ceil(10 * rows["env_steps"] / group.total_steps).clip(1, 10))


def _ratios(panel: Axes, group: Group, rows: pd.DataFrame) -> None:
    look = style.STYLES[group.algorithm]
    ratio = rows["kl"] / _delta(group)
    moved = ratio > 0  # a rejected step has no place on a logarithmic axis; it is counted below
    panel.scatter(rows["env_steps"][moved], ratio[moved], s=5, color=look.color, alpha=0.3, linewidths=0)
    middle = ratio.groupby(rows["tenth"]).median()
    panel.plot(
        (middle.index.to_numpy(float) - 0.5) * group.total_steps / 10,
        middle,
        color=look.color,
        linestyle=look.linestyle,
        linewidth=2,
        label=f"{algorithm_name(group.algorithm)} ({group.note})",
    )


def _searches(panel: Axes, group: Group, rows: pd.DataFrame) -> None:
    by = rows.groupby("tenth")
    centres = (np.array(sorted(rows["tenth"].unique())) - 0.5) * group.total_steps / 10
    width = 0.04 * group.total_steps
    shortened = by.apply(lambda part: ((part["line_search_steps"] > 0) & (part["line_search_accepted"] == 1)).mean())
    rejected = by.apply(lambda part: (part["line_search_accepted"] == 0).mean())
    panel.bar(centres - width / 2, shortened, width, color=style.STYLES["trpo"].color, label="shortened")
    panel.bar(centres + width / 2, rejected, width, color="black", label="rejected")
    panel.set_ylim(0, 1)


def _sentence(data: Data, env: str, delta: float) -> str:
    """How often each algorithm leaves the trust region, how far NPG does, and how TRPO's search prevents it."""
    npg, trpo = (
        _records(data, next(one for one in _of(data, env, name) if _delta(one) == delta)) for name in ("npg", "trpo")
    )
    outside = [_share(rows, rows["kl"] > delta) for rows in (npg, trpo)]
    shortened = _share(trpo, (trpo["line_search_steps"] > 0) & (trpo["line_search_accepted"] == 1))
    rejected = _share(trpo, trpo["line_search_accepted"] == 0)
    kept = (trpo["kl"] <= delta).all() and (npg["kl"] > delta).any()
    return (
        f"{env}, δ={delta:g}: KL exceeds δ in {outside[0]} of NPG's updates, up to {npg['kl'].max() / delta:.3g} "
        f"times, and in {outside[1]} of TRPO's, whose line search shortens {shortened} and rejects {rejected}: "
        f"{'only TRPO keeps' if kept else 'the data do not show that only TRPO keeps'} to its trust region."
    )


def _share(rows: pd.DataFrame, mark: "pd.Series[bool]") -> str:
    """The percentage of updates that are marked: mean over seeds of each seed's own, and its interval."""
    shares = np.asarray(100 * mark.astype(float).groupby(rows["seed"]).mean(), dtype=float)
    return text.interval(mean(shares), bootstrap_ci(mean, shares), "{:.3g}%".format)
