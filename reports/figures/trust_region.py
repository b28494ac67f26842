"""The trust region: realised KL against its bound delta over training, for NPG and TRPO, and what TRPO's search did."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from reports import style, text
from reports.data import Data, Group, varying
from reports.figures.drawing import Drawing
from reports.naming import SYMBOLS, algorithm_name, show
from reports.statistics import Interval, mean, mean_interval

DELTA = "hyperparameters.delta"
MOST = 4
NOTE = (
    "Dot: the mean KL(old || new) over the batch of one update of one seed, divided by δ; above the line the step left "
    "the trust region. Line: median over seeds and a tenth of training. Below: share of TRPO's updates that the line "
    "search shortened (at least one backtrack) and that it rejected, of all seeds."
)


def draw(data: Data) -> Drawing | None:
    """A column per pair of NPG and TRPO that differ in nothing but the algorithm, for two to four values of delta and
    of what else varies; None without any."""
    columns = [pair for env in data.envs if len(pairs := _pairs(data, env)) >= 2 for pair in pairs]
    left = len(columns) - MOST
    columns = columns[:MOST]
    if not columns:
        return None
    figure, axes = style.panels(2 * len(columns), height=2.8, width=3.4, columns=len(columns))
    upper, lower = axes[: len(columns)], axes[len(columns) :]
    for pair, above, below in zip(columns, upper, lower, strict=True):
        for group in pair:
            _ratios(above, group, _records(group))
        above.axhline(1, color=style.ink(), linewidth=1)
        style.log_axis(above, "y")
        style.finish(above, f"{_name(pair, columns)}, {pair[0].env}", pair)
        _searches(below, pair[1], _records(pair[1]))
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
    style.legend(figure, axes)
    note = NOTE + (f" {left} more pairs are not drawn." if left > 0 else "")
    rows = [_shares(pair) for pair in columns]
    return Drawing(figure, "\n".join(_sentence(pair, columns) for pair in columns), note, pd.DataFrame(rows))


Pair = tuple[Group, Group]


def _pairs(data: Data, env: str) -> list[Pair]:
    """NPG and TRPO with the same values of all that varies among them, by delta; none where one value has two jobs."""
    groups = [g for g in data.of(env) if g.algorithm in ("npg", "trpo") and g.n and DELTA in g.config]
    own = {name: varying([g for g in groups if g.algorithm == name]) for name in ("npg", "trpo")}
    keys = sorted({DELTA, *own["npg"], *own["trpo"]})
    found: dict[tuple[str, ...], dict[str, list[Group]]] = {}
    for group in groups:
        place = tuple(repr(group.config.get(key)) for key in keys)
        found.setdefault(place, {}).setdefault(group.algorithm, []).append(group)
    pairs = [
        (f["npg"][0], f["trpo"][0]) for f in found.values() if [len(f.get(a, ())) for a in ("npg", "trpo")] == [1, 1]
    ]
    return sorted(pairs, key=lambda pair: _delta(pair[0]))


def _name(pair: Pair, columns: list[Pair]) -> str:
    """delta, and what else tells the pair from the other columns."""
    keys = sorted(varying([one[1] for one in columns if one[1].env == pair[1].env]) - {DELTA})
    others = [f"{SYMBOLS.get(key, key.rpartition('.')[2])}={show(pair[1].config.get(key))}" for key in keys]
    return ", ".join([f"δ={_delta(pair[0]):g}", *others])


def _delta(group: Group) -> float:
    return float(group.config[DELTA])


def _records(group: Group) -> pd.DataFrame:
    names = ("env_steps", "kl", "line_search_steps", "line_search_accepted")
    rows = pd.concat(
        [pd.DataFrame({"seed": seed.seed, **{name: seed.table[name] for name in names}}) for seed in group.counted],
        ignore_index=True,
    )
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
    panel.bar(centres + width / 2, rejected, width, color=style.GREY, label="rejected")
    panel.set_ylim(0, 1)


def _shares(pair: Pair) -> dict[str, object]:
    """Percentages of updates, mean over seeds and interval."""
    row: dict[str, object] = {"env": pair[0].env, "delta": _delta(pair[0]), "n": min(group.n for group in pair)}
    for group in pair:
        rows, delta = _records(group), _delta(group)
        row[f"{group.algorithm}_outside"] = _share(rows, rows["kl"] > delta)
        row[f"{group.algorithm}_largest_kl_over_delta"] = float(rows["kl"].max() / delta)
        if group.algorithm == "trpo":
            shortened = (rows["line_search_steps"] > 0) & (rows["line_search_accepted"] == 1)
            row["trpo_shortened"] = _share(rows, shortened)
            row["trpo_rejected"] = _share(rows, rows["line_search_accepted"] == 0)
    return row


def _sentence(pair: Pair, columns: list[Pair]) -> str:
    """How often each algorithm leaves the trust region, how far NPG does, and how TRPO's search prevents it."""
    npg, trpo = (_records(group) for group in pair)
    delta, row = _delta(pair[0]), _shares(pair)
    kept = (trpo["kl"] <= delta).all() and (npg["kl"] > delta).any()
    return (
        f"{pair[0].env}, {_name(pair, columns)}: KL exceeds δ in {row['npg_outside']} of NPG's updates, up to "
        f"{row['npg_largest_kl_over_delta']:.3g} times, and in {row['trpo_outside']} of TRPO's, whose line search "
        f"shortens {row['trpo_shortened']} and rejects {row['trpo_rejected']}: "
        f"{'only TRPO keeps' if kept else 'the data do not show that only TRPO keeps'} to its trust region."
    )


def _share(rows: pd.DataFrame, mark: "pd.Series[bool]") -> str:
    """The percentage of updates that are marked: mean over seeds of each seed's own, and its interval."""
    shares = np.asarray(100 * mark.astype(float).groupby(rows["seed"]).mean(), dtype=float)
    low, high = mean_interval(shares)
    return text.interval(mean(shares), Interval(np.clip(low, 0, 100), np.clip(high, 0, 100)), "{:.3g}%".format)
