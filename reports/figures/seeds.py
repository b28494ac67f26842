"""Every seed for itself: small multiples for the sceptic."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing

MOST = 20
NOTE = (
    "Each line is one seed, as recorded: dashed one that diverged, dotted one that is still running. Panels of one "
    "environment share their axes. A dot marks a seed's last record."
)


def draw(data: Data) -> Drawing | None:
    """A panel per job (of more than eight in an environment, the best four and the worst), a line per seed."""
    groups = [group for env in data.envs for group in style.chosen(data, env)[0] if group.seeds][:MOST]
    if not groups:
        return None
    figure, axes = style.panels(len(groups), height=2.2, width=2.9, columns=4)
    for panel, group in zip(axes, groups, strict=True):
        look = style.style(group, data, style.chosen(data, group.env)[0])
        for seed in group.seeds:
            line = {"diverged": "--", "running": ":"}.get(seed.status, "-")
            x, y = seed.table[data.x], seed.table[data.metric]
            panel.plot(x, y, color=look.color, linewidth=0.8, alpha=0.8, linestyle=line)
            panel.plot(x[-1:], y[-1:], ".", color=look.color, markersize=3)
        style.title(
            panel,
            f"{group.label}, {group.env} ({group.note})" if len(data.envs) > 1 else f"{group.label} ({group.note})",
        )
        if data.x == "env_steps":
            style.steps_axis(panel)
            panel.xaxis.set_major_locator(MaxNLocator(3))
            panel.set_xlabel("")
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(style.STEPS if data.x == "env_steps" else "seconds of training", fontsize=style.look().size)
    figure.supylabel(style.metric_name(data.metric, figure.get_figheight()), fontsize=style.look().size)
    _share(axes, groups)
    table = pd.DataFrame(
        [
            {"env": group.env, "label": group.label, "job": group.job, "seed": seed.seed, "status": seed.status}
            | {"records": len(seed.table), "last": float(seed.table[data.metric][-1]), "until": seed.until}
            for group in groups
            for seed in group.seeds
        ]
    )
    return Drawing(figure, "\n".join(_sentence(group) for group in groups[:2]), NOTE, table)


def _share(axes: list, groups: list[Group]) -> None:
    """Equal axes for the panels of one environment."""
    for env in {group.env for group in groups}:
        mine = [panel for panel, group in zip(axes, groups, strict=True) if group.env == env]
        for limits, put in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
            ends = np.array([getattr(panel, limits)() for panel in mine])
            for panel in mine:
                getattr(panel, put)(ends[:, 0].min(), ends[:, 1].max())


def _sentence(group: Group) -> str:
    final = np.sort(group.final)
    return (
        f"{group.env}, {text.short(group.label, 60)}: seeds end between {text.number(final[0])} and "
        f"{text.number(final[-1])}."
    )
