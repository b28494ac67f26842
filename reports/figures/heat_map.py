"""Final return over the two settings that vary, as a map."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports import style, text
from reports.data import Data, Group, varying
from reports.figures.drawing import Drawing
from reports.figures.sensitivity import _order
from reports.naming import SYMBOLS, algorithm_name, key_name, show
from reports.statistics import mean

FEWEST, WRITTEN, WIDE = 4, 48, 6
NOTE = (
    "Colour and number: mean over seeds of the mean undiscounted return of the last 100 training episodes at the end "
    "of training, below it its 95% interval. White: not trained, or not to the end. Frame: the best."
)


def draw(data: Data) -> Drawing | None:
    """A panel per environment and algorithm whose settings differ in two keys; None without any."""
    found = []
    for groups in data.rivals():
        keys = sorted(varying(groups))
        if len(keys) == 2 and len(groups) >= FEWEST and all(key in g.config for key in keys for g in groups):
            found.append((keys, groups))
    if not found:
        return None
    figure, axes = style.panels(len(found), height=3.8, width=5.0)
    rows: list[pd.DataFrame] = []
    for panel, (keys, groups) in zip(axes, found, strict=True):
        rows.append(_map(figure, panel, keys, groups))
        style.title(panel, f"{algorithm_name(groups[0].algorithm)}, {groups[0].env}")
    return Drawing(
        figure,
        "\n".join(_sentence(*one) for one in found),
        f"{NOTE} {data.limits}".strip(),
        pd.concat(rows, ignore_index=True),
    )


def _map(figure: Figure, panel, keys: Sequence[str], groups: Sequence[Group]) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    values = [sorted({group.config[key] for group in groups}, key=_order) for key in keys]
    if len(values[0]) > len(values[1]):  # the longer one along x
        values, keys = values[::-1], keys[::-1]
    grid = np.full([len(v) for v in values], np.nan)
    found, reach = [], {}
    for group in groups:
        at = tuple(one.index(group.config[key]) for one, key in zip(values, keys, strict=True))
        ends = group.interval(group.final)
        grid[at], reach[at] = mean(group.final), ends
        row = {"env": group.env, "algorithm": group.algorithm, **{key: show(group.config[key]) for key in keys}}
        found.append({**row, "n": group.n, "mean": grid[at], "low": ends.low, "high": ends.high})
    image = panel.imshow(grid, aspect="auto", cmap="viridis", origin="lower")
    figure.colorbar(image, ax=panel, shrink=0.9, label="return")
    if grid.size <= WRITTEN:
        middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
        size = style.look().size - 2.5
        for at, ends in reach.items():
            words, color = text.number(float(grid[at])), "black" if grid[at] > middle else "white"
            if grid.shape[1] <= WIDE and not np.isnan(ends.low):
                words += f"\n[{', '.join(map(_short, ends))}]"
            panel.text(at[1], at[0], words, ha="center", va="center", color=color, fontsize=size)
    best = np.unravel_index(np.nanargmax(grid), grid.shape)
    panel.add_patch(_frame(float(best[1]), float(best[0])))
    for axis, one, key in ((panel.yaxis, values[0], keys[0]), (panel.xaxis, values[1], keys[1])):
        step = -(-len(one) // 12)
        axis.set_ticks(range(0, len(one), step), text.shorten([show(value) for value in one[::step]], 14))
        axis.set_label_text(key_name(key))
    panel.grid(False)
    return pd.DataFrame(found)


def _short(value: float) -> str:
    """Three digits, or a whole number."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _frame(x: float, y: float):  # type: ignore[no-untyped-def]
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, fill=False, edgecolor="#D55E00", linewidth=2)


def _sentence(keys: Sequence[str], groups: Sequence[Group]) -> str:
    best = max(groups, key=lambda group: group.score)
    where = ", ".join(f"{SYMBOLS.get(key, key.rpartition('.')[2])}={show(best.config[key])}" for key in keys)
    reach = text.interval(mean(best.final), best.interval(best.final))
    return f"{best.env}, {algorithm_name(best.algorithm)}: best of {len(groups)} at {where}, return {reach}."
