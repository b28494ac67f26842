"""How figures look: one colour per algorithm everywhere, a line style and a marker beside it for greyscale."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from reports import text
from reports.data import RETURN as RETURN_COLUMN
from reports.data import Data, Group, settings
from reports.statistics import Array

RETURN = "return (mean of the last 100 training episodes)"
STEPS = "environment steps"
MOST = 8
"""More groups than this do not fit into one panel's legend: a figure then shows the best and the worst."""
BEST, WORST = 4, 1


@dataclass(frozen=True)
class Look:
    """A purpose of figures. `width`: inches of the whole figure, None for what the panels need. `baked`: whether
    title and footnote are part of the picture; a paper has its caption."""

    size: float = 9
    width: float | None = None
    baked: bool = True
    dark: bool = False
    serif: bool = False


LOOKS = {"paper": Look(), "talk": Look(size=12), "dark": Look(dark=True)}
# Text widths and sizes of the venues' style files: NeurIPS one column of 5.5 in; ICML columns of 3.25 in, 6.75 in both.
PAPERS = {
    ("neurips", 1): Look(size=8, width=5.5, baked=False, serif=True),
    ("neurips", 2): Look(size=8, width=5.5, baked=False, serif=True),
    ("icml", 1): Look(size=7.5, width=3.25, baked=False, serif=True),
    ("icml", 2): Look(size=8, width=6.75, baked=False, serif=True),
}
_look: ContextVar[Look] = ContextVar("look", default=LOOKS["paper"])


def look() -> Look:
    """The look that is applied."""
    return _look.get()


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
OTHERS = (
    Style("#CC79A7", (6, 1, 1, 1, 1, 1), "P"),
    Style("#56B4E9", (7, 2), "X"),
    Style("#8C6D1F", (2, 2), "s"),
    Style("#6A3D9A", (3, 1, 1, 1), "*"),
)
"""For algorithms of other people, in the order of their names."""
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.2), (4, 1.2, 1, 1.2), (7, 2), (2, 2))
MARKERS = "Do^svP"
GREY = "0.6"


def of_algorithm(algorithm: str, data: Data | None = None) -> Style:
    """The algorithm's own style."""
    if algorithm in STYLES:
        return STYLES[algorithm]
    names = sorted({group.algorithm for group in data.groups} - set(STYLES)) if data else [algorithm]
    return OTHERS[names.index(algorithm) % len(OTHERS)]


def style(group: Group, data: Data, among: Sequence[Group] | None = None) -> Style:
    """The algorithm's style; several jobs of one algorithm `among` those drawn get tints of its colour and a line
    style each."""
    base = of_algorithm(group.algorithm, data)
    drawn = data.of(group.env) if among is None else among
    twins = [one.job for one in drawn if one.algorithm == group.algorithm]
    count, place = len(twins), twins.index(group.job)
    if count == 1:
        return base
    white = 0.6 * (count - 1 - place) / (count - 1)
    red, green, blue = (channel + (1 - channel) * white for channel in to_rgb(base.color))
    return Style(to_hex((red, green, blue)), DASHES[(count - 1 - place) % len(DASHES)], MARKERS[place % len(MARKERS)])


def chosen(data: Data, env: str, most: int = MOST) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """The groups of an environment to draw in colour, and the others: all where they fit, else best and worst."""
    groups = data.of(env)
    if len(groups) <= most:
        return groups, ()
    ranked = data.ranked(env)
    shown = ranked if len(ranked) <= BEST + WORST else (*ranked[:BEST], *ranked[-WORST:])
    jobs = {group.job for group in shown}
    return shown, tuple(group for group in groups if group.job not in jobs)


@contextmanager
def applied(which: Look = LOOKS["paper"]) -> Iterator[None]:
    """Seaborn's style with ours on top, for drawing and saving."""
    ours: dict[Any, Any] = {
        "font.size": which.size,
        "axes.titlesize": which.size + 1,
        "axes.labelsize": which.size,
        "xtick.labelsize": which.size - 1,
        "ytick.labelsize": which.size - 1,
        "legend.fontsize": which.size - 1,
        "legend.frameon": False,
        "pdf.fonttype": 42,
        "svg.hashsalt": "pgbench",
        "savefig.dpi": 160,
        "figure.constrained_layout.use": True,
        # A dollar in somebody's name is a dollar.
        "text.parse_math": False,
    }
    if which.serif:
        ours |= {"font.family": "serif", "font.serif": ["Times New Roman", "Times", "STIXGeneral", "DejaVu Serif"]}
        ours |= {"mathtext.fontset": "stix", "axes.titlesize": which.size}
    if which.dark:
        white = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), "0.9")
        ours |= {**white, "figure.facecolor": "#15181c", "axes.facecolor": "#15181c", "savefig.facecolor": "#15181c"}
        ours |= {"grid.color": "0.25"}
    token = _look.set(which)
    try:
        with (
            sns.axes_style("ticks", {"axes.grid": True, "grid.color": "0.9"}),
            sns.plotting_context("paper"),
            mpl.rc_context(ours),
        ):
            yield
    finally:
        _look.reset(token)


def ink() -> str:
    """The colour of what is neither of an algorithm nor background."""
    return "0.95" if look().dark else "black"


def shade(more: bool) -> str:
    """A colour map that stands out from the background the more, the better a value: more is better, or less is."""
    return "viridis_r" if more != look().dark else "viridis"


def panels(count: int, height: float = 3.6, width: float = 4.6, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels side by side, at most `columns` in a row, rows as full as each other. No pyplot
    state is touched.

    With a width given by the paper, as many in a row as stay two inches wide, and lower in proportion.
    """
    columns = min(count, columns)
    total = look().width
    if total is not None:
        columns = max(1, min(columns, int(total / 2.0)))
        height *= max(total / columns / width, 0.62)
        width = total / columns
    rows = -(-count // columns)
    if total is None:
        columns = -(-count // rows)
    figure = Figure(figsize=(max(width * columns, 6) if total is None else total, height * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.remove()
    return figure, list(axes[:count])


def finish(axes: Axes, env: str, groups: Sequence[Group]) -> None:
    """Title (environment and settings) and frame of a panel."""
    what = settings(groups)
    title(axes, f"{env} ({what})" if what and look().baked else env)
    sns.despine(ax=axes)


def title(axes: Axes, words: str) -> None:
    """A panel's title, wrapped to its width."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    place = axes.get_subplotspec()
    columns = place.get_gridspec().ncols if place is not None else 1
    letters = int(figure.get_figwidth() / columns * 130 / (mpl.rcParams["axes.titlesize"] + 0.0))
    axes.set_title("\n".join(textwrap.wrap(text.short(words, 2 * letters), letters)))


def legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all panels, below them; as many columns as fit, long names without their middle."""
    found: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if not found:
        return
    letters = int(figure.get_figwidth() * 72 / (0.52 * mpl.rcParams["legend.fontsize"]))
    names = text.shorten(list(found), min(letters - 8, 70))
    columns = max(1, min(len(names), letters // (max(map(len, names)) + 8), 4))
    # Hung below the figure, not inside it: a tight bounding box would move what is anchored to the figure's own.
    place: dict[str, Any] = {"bbox_to_anchor": (0.5, 0.0), "bbox_transform": figure.transFigure}
    figure.legend(found.values(), names, loc="upper center", ncols=columns, handlelength=3, **place).set_in_layout(
        False
    )
    figure.set_label(str(-(-len(names) // columns) * 1.6 * mpl.rcParams["legend.fontsize"] / 72 + 0.15))


def steps_axis(axes: Axes) -> None:
    """Environment steps on x, as 50k or 1.5M."""
    axes.set_xlabel(STEPS)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.steps(value)))


def log_axis(axes: Axes, which: str = "both") -> None:
    """Logarithmic x, y or both, with powers of ten written without markup."""
    for name, put in (("x", axes.set_xscale), ("y", axes.set_yscale)):
        if which in (name, "both"):
            put("log")
            axis = axes.xaxis if name == "x" else axes.yaxis
            axis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
            axis.set_minor_formatter(NullFormatter())


def _power(value: float) -> str:
    """0.01, 1, 100 as they are, smaller and larger powers of ten as 10⁻⁵."""
    if value <= 0 or 1e-3 < value < 1e4:
        return f"{value:g}"
    exponent = round(float(np.log10(value)))
    if not np.isclose(value, 10.0**exponent):
        return f"{value:.3g}"
    return f"10{str(exponent).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def metric_name(metric: str, inches: float | None = None) -> str:
    """A metric's name on an axis, wrapped to its length."""
    name = RETURN if metric == RETURN_COLUMN else metric.replace("_", " ")
    return name if inches is None else "\n".join(textwrap.wrap(name, int(inches * 72 / (0.6 * look().size))))


def footnote(figure: Figure, note: str) -> None:
    """The protocol, below the figure and as wide as it."""
    size = look().size - 2
    width = int(figure.get_figwidth() * 72 / (0.54 * size))
    words = "\n".join(textwrap.wrap(note, width))
    below = float(str(figure.get_label() or 0)) / figure.get_figheight()  # what the legend takes
    figure.text(0.01, -0.01 - below, words, va="top", fontsize=size, color="0.7" if look().dark else "0.3")


def empty(axes: Axes, message: str) -> None:
    """Says in the panel why nothing is drawn."""
    axes.set(xticks=[], xlim=(0, 1))
    axes.text(0.5, 0.5, message, transform=axes.transAxes, ha="center", va="center", color="0.4")


def rows_axis(axes: Axes, names: Sequence[str], letters: int = 34) -> None:
    """One named row per job on y, the first on top; a name takes two lines at most."""
    shown = ["\n".join(_two_lines(name, letters + 4)) for name in text.shorten(list(names), 2 * letters + 4)]
    axes.set_yticks(range(len(names)), shown)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(False, axis="y")


def _two_lines(name: str, width: int) -> list[str]:
    """A name wrapped to at most two lines, wider where its words ask for it."""
    lines = textwrap.wrap(name, width)
    return lines if len(lines) <= 2 else _two_lines(name, width + 2)


def spread(count: int, width: float = 0.3) -> Array:
    """Heights of a row's dots, evenly spread so that equal values stay apart: [count]."""
    return np.linspace(-width / 2, width / 2, count) if count > 1 else np.zeros(1)


def published_mark(axes: Axes, x: float, y: float, **options: Any) -> None:
    """A published mean as a white square unless told otherwise; `xerr` or `yerr` is its spread."""
    shape = {"fmt": "s", "markersize": 5, "color": ink(), "mew": 0.8, "markerfacecolor": "white"}
    axes.errorbar([x], [y], **{**shape, "elinewidth": 0.8, "capsize": 2, "zorder": 4, **options})
