"""The figure of (d) and (e): growth of rate and memory above, shares of an iteration's time below."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.growth import AXES, BASE
from tests.benchmarks.measure import Row
from tests.benchmarks.phases import ALGORITHMS, PHASES

NAMES = {
    "seeds": "seeds in lockstep",
    "environments": "environments a seed",
    "steps": "steps an environment",
    "width": "hidden width",
}
TITLE = "TRPO on CartPole-v1, one core; circled: 10 seeds, 16 environments, 128 steps, width 64"


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Saves the figure; needs the rows of parts d and e."""
    import seaborn as sns
    from matplotlib.figure import Figure

    with sns.axes_style("ticks", {"axes.grid": True, "grid.color": "0.9"}), sns.plotting_context("paper"):
        figure = Figure(figsize=(10, 7.5), layout="constrained")
        grid = figure.add_gridspec(3, len(AXES), height_ratios=(1, 1, 1.3))
        plain = [row for row in rows if row.part == "d" and not row.target]
        for line, quantity in enumerate(("rate", "memory")):
            _growth(figure, grid[line, :], quantity, {row.case: row for row in plain if row.quantity == quantity})
        _shares(figure.add_subplot(grid[2, :]), [row for row in rows if row.part == "e"])
        figure.suptitle(TITLE)
        figure.savefig(path, dpi=120)


def _growth(figure: Any, place: Any, quantity: str, rows: dict[str, Row]) -> None:
    """A panel an axis of the work, on one scale."""
    import seaborn as sns
    from matplotlib.ticker import NullLocator, ScalarFormatter

    color = {"rate": "#0072B2", "memory": "#D55E00"}[quantity]
    panels = place.subgridspec(1, len(AXES)).subplots(sharey=True)
    for axes, (axis, sizes) in zip(panels, AXES.items(), strict=True):
        points = [rows[f"{axis} = {size}"] for size in sizes]
        heights = [row.ratio if quantity == "rate" else row.value for row in points]
        sns.lineplot(x=sizes, y=heights, color=color, marker="o", ax=axes)
        if quantity == "rate":
            axes.fill_between(sizes, [row.low for row in points], [row.high for row in points], color=color, alpha=0.15)
        base = sizes.index(getattr(BASE, axis))
        axes.plot(sizes[base], heights[base], "o", color="white", mec=color, ms=10, zorder=1.9)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(NAMES[axis] if quantity == "memory" else "")
        sns.despine(ax=axes)
    panels[0].set_ylabel("rate, circled = 1" if quantity == "rate" else "peak memory, MB")
    panels[0].set_ylim(0, 1.08 * panels[0].get_ylim()[1])


def _shares(axes: Any, rows: Sequence[Row]) -> None:
    """A bar an algorithm, its phases one after another."""
    import pandas as pd
    import seaborn as sns
    from matplotlib.ticker import PercentFormatter

    bars = pd.DataFrame({"algorithm": row.case, "phase": row.quantity, "share": row.ratio} for row in rows)
    names = [name.upper() for name in ALGORITHMS]
    bars["algorithm"] = pd.Categorical(bars["algorithm"], names)
    sns.histplot(
        bars,
        y="algorithm",
        weights="share",
        hue="phase",
        hue_order=list(PHASES)[::-1],
        multiple="stack",
        palette=sns.color_palette("colorblind", len(PHASES))[::-1],
        alpha=1,
        shrink=0.75,
        ax=axes,
    )
    for algorithm, own in bars.groupby("algorithm", observed=True):
        ends = own["share"].cumsum()
        for share, end in zip(own["share"], ends, strict=True):
            if share > 0.04:
                axes.text(
                    end - share / 2, names.index(str(algorithm)), f"{share:.0%}", ha="center", va="center", fontsize=8
                )
    axes.set(xlabel="share of an iteration's time, 10 seeds", ylabel="", xlim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(False, axis="y")
    sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), title=None, frameon=False, reverse=True)
    sns.despine(ax=axes)
