"""How figures look: one colour an algorithm everywhere, a line style and a marker beside it for greyscale."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports import text
from reports.data import Data, Group, settings
from reports.statistics import Array

RETURN = "return (mean of the last 100 training episodes)"
STEPS = "environment steps"


class Style(NamedTuple):
    color: str
    dashes: tuple[float, ...]
    marker: str

    @property
    def linestyle(self) -> Any:
        return (0, self.dashes) if self.dashes else "-"


# Okabe and Ito's colour-blind-safe palette (2008), light to dark from REINFORCE to NPG.
STYLES = {
    "reinforce": Style("#E69F00", (1, 1.2), "o"),
    "vpg": Style("#009E73", (4, 1.2, 1, 1.2), "v"),
    "npg": Style("#0072B2", (4, 1.5), "^"),
    "trpo": Style("#D55E00", (), "D"),
}
OTHER = Style("#CC79A7", (6, 1, 1, 1, 1, 1), "P")
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.2), (4, 1.2, 1, 1.2), (7, 2), (2, 2))
MARKERS = "Do^svP"


def style(group: Group, data: Data) -> Style:
    """The algorithm's style; several jobs of one algorithm get tints of its colour and a line style each."""
    base = STYLES.get(group.algorithm, OTHER)
    place, count = data.variant(group)
    if count == 1:
        return base
    white = 0.6 * (count - 1 - place) / (count - 1)
    red, green, blue = (channel + (1 - channel) * white for channel in to_rgb(base.color))
    return Style(to_hex((red, green, blue)), DASHES[(count - 1 - place) % len(DASHES)], MARKERS[place % len(MARKERS)])


@contextmanager
def applied() -> Iterator[None]:
    """Seaborn's style with ours on top, for drawing and saving."""
    ours: dict[Any, Any] = {
        "font.size": 9,
        "axes.titlesize": 10,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "pdf.fonttype": 42,
        "savefig.dpi": 160,
        "figure.constrained_layout.use": True,
    }
    with (
        sns.axes_style("ticks", {"axes.grid": True, "grid.color": "0.9"}),
        sns.plotting_context("paper"),
        mpl.rc_context(ours),
    ):
        yield


def panels(count: int, height: float = 3.6, width: float = 4.6, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels side by side, at most `columns` in a row. No pyplot state is touched."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(width * columns, 6), height * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.remove()
    return figure, list(axes[:count])


def finish(axes: Axes, env: str, groups: tuple[Group, ...]) -> None:
    """Title (environment and settings) and frame of a panel."""
    axes.set_title(f"{env} ({settings(groups)})")
    sns.despine(ax=axes)


def steps_axis(axes: Axes) -> None:
    """Environment steps on x, as 50k or 1.5M."""
    axes.set_xlabel(STEPS)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.steps(value)))


def footnote(figure: Figure, note: str) -> None:
    """The protocol, below the figure and as wide as it."""
    width = int(figure.get_figwidth() * 19)
    figure.text(0.01, -0.01, "\n".join(textwrap.wrap(note, width)), va="top", fontsize=7, color="0.3")


def empty(axes: Axes, message: str) -> None:
    """Says in the panel why nothing is drawn."""
    axes.set(xticks=[], xlim=(0, 1))
    axes.text(0.5, 0.5, message, transform=axes.transAxes, ha="center", va="center", color="0.4")


def rows_axis(axes: Axes, names: list[str]) -> None:
    """One named row a job on y, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(False, axis="y")


def spread(count: int, width: float = 0.3) -> Array:
    """Heights of a row's dots, evenly spread so that equal values stay apart: [count]."""
    return np.linspace(-width / 2, width / 2, count) if count > 1 else np.zeros(1)


def published_mark(axes: Axes, x: float, y: float, **options: Any) -> None:
    """A published mean as a white square unless told otherwise; `xerr` or `yerr` is its spread."""
    shape = {"fmt": "s", "markersize": 5, "color": "black", "mew": 0.8, "markerfacecolor": "white"}
    axes.errorbar([x], [y], **{**shape, "elinewidth": 0.8, "capsize": 2, "zorder": 4, **options})
