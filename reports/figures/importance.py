"""Which settings matter where three or more vary: parallel coordinates, and the share of variance each explains."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from reports import style, text
from reports.data import Data, Group, varying
from reports.figures.drawing import Drawing
from reports.figures.sensitivity import _order, positions
from reports.naming import algorithm_name, show
from reports.statistics import Array, variance_shares

FEWEST = 8
KEYS = 8
NOTE = (
    "Left: a line per setting, through its values (evenly by their logarithm where they span decades), coloured by its "
    "mean final return; the best tenth in front. Right: share of the variance of the mean return between settings that "
    "a setting's key explains alone (omega squared; numbers cut at their quintiles). What is missing to 1 is interplay "
    "of keys and noise of seeds."
)


def draw(data: Data) -> Drawing | None:
    """Two panels per environment and algorithm whose settings differ in three keys or more; None without any."""
    found = []
    for groups in data.rivals():
        keys = [key for key in sorted(varying(groups)) if all(key in group.config for group in groups)]
        if len(keys) >= 3 and len(groups) >= FEWEST:
            found.append((keys, groups))
    found = found[:6]
    if not found:
        return None
    figure, axes = style.panels(2 * len(found), height=3.2, width=4.8, columns=2)
    rows = []
    for place, (keys, groups) in enumerate(found):
        left, right = axes[2 * place], axes[2 * place + 1]
        scores = np.array([group.score for group in groups])
        shares = variance_shares(scores, [[group.config[key] for group in groups] for key in keys])
        order = np.argsort(-shares)[:KEYS]
        _parallel(left, [keys[k] for k in order], groups, scores)
        _bars(right, [keys[k] for k in order], shares[order], style.of_algorithm(groups[0].algorithm, data).color)
        style.title(left, f"{algorithm_name(groups[0].algorithm)}, {groups[0].env}: {len(groups)} settings")
        rows += [
            {"env": groups[0].env, "algorithm": groups[0].algorithm, "key": keys[k], "share": shares[k]}
            | {"settings": len(groups)}
            for k in order
        ]
    table = pd.DataFrame(rows)
    return Drawing(
        figure, "\n".join(_sentence(part) for _, part in table.groupby(["env", "algorithm"], sort=False)), NOTE, table
    )


def _heights(values: list[Any]) -> tuple[Array, list[Any]]:
    """Each value's height in [0, 1] on its axis, and the distinct values in order."""
    distinct = sorted(dict.fromkeys(values), key=_order)
    place, logarithmic = positions(distinct)
    place = np.log(place) if logarithmic else place
    span = float(np.ptp(place)) or 1.0
    at = dict(zip(distinct, (place - place.min()) / span, strict=True))
    return np.array([at[value] for value in values]), distinct


def _parallel(panel: Axes, keys: list[str], groups: Sequence[Group], scores: Array) -> None:
    columns = [_heights([group.config[key] for group in groups]) for key in keys]
    heights = np.array([column for column, _ in columns])
    order = np.argsort(scores)
    best = scores >= np.quantile(scores, 0.9)
    lines = LineCollection(
        [np.column_stack([np.arange(len(keys)), heights[:, k]]) for k in order],
        array=scores[order],
        cmap="viridis",
        linewidths=np.where(best[order], 1.6, 0.7),
        alpha=0.75,
    )
    panel.add_collection(lines)
    figure = panel.get_figure(root=True)
    assert figure is not None
    figure.colorbar(lines, ax=panel, label="return", shrink=0.9)
    size = style.look().size - 2.5
    for place, (_, distinct) in enumerate(columns):
        panel.axvline(place, color=style.GREY, linewidth=0.8, zorder=0)
        shown = distinct if len(distinct) <= 6 else [distinct[0], distinct[-1]]
        at, _ = _heights(distinct)
        for value in shown:
            panel.text(
                place + 0.03,
                at[distinct.index(value)],
                text.short(show(value), 12),
                fontsize=size,
                va="center",
                bbox={"facecolor": mpl.rcParams["axes.facecolor"], "alpha": 0.7, "pad": 0.5, "linewidth": 0},
            )
    panel.set_xlim(-0.15, len(keys) - 0.6)
    panel.set_ylim(-0.05, 1.05)
    panel.set_xticks(range(len(keys)), text.shorten([key.rpartition(".")[2] for key in keys], 16), rotation=20)
    panel.set_yticks([])
    panel.grid(False)


def _bars(panel: Axes, keys: list[str], shares: Array, color: str) -> None:
    panel.barh(range(len(keys)), shares, color=color, height=0.6)
    style.rows_axis(panel, [key.rpartition(".")[2] for key in keys])
    panel.set_xlim(0, 1)
    panel.set_xlabel("share of the variance between settings")
    panel.spines[["top", "right"]].set_visible(False)
    for place, share in enumerate(shares):
        panel.text(min(share + 0.01, 0.9), place, f"{share:.0%}", va="center", fontsize=style.look().size - 1)


def _sentence(rows: pd.DataFrame) -> str:
    first, total = rows.iloc[0], rows["share"].sum()
    return (
        f"{first['env']}, {algorithm_name(first['algorithm'])}: {first['key'].rpartition('.')[2]} explains "
        f"{first['share']:.0%} of the variance between {first['settings']} settings, "
        f"all keys alone {min(total, 1):.0%}."
    )
