"""Which setting was best, by how much, and is it more than noise: each setting's loss against the best."""

import numpy as np
import pandas as pd

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.figures.final_return import rows
from reports.statistics import Interval, mean

LEVEL = 0.95
FEWEST = 3
NOTE = (
    "Mark: mean final return of the best setting less that of this one; bar: interval of the difference (Welch's t), "
    "so wide that all of the environment's hold together with 95% (Bonferroni over the other settings). Filled: above "
    "zero, so worse than the best by more than noise; white: cannot be told from the best with these seeds. "
    "The best was chosen by the same seeds and looks better than it is: confirm it with new ones."
)


def draw(data: Data) -> Drawing | None:
    """A panel per environment with three or more settings, y the settings ranked, x the loss; None without any."""
    envs = [env for env in data.envs if len(data.ranked(env)) >= FEWEST]
    if not envs:
        return None
    tables = {env: losses(data, env) for env in envs}
    shown = {env: _shown(data, env) for env in envs}
    figure, axes = style.panels(len(envs), height=1.2 + 0.36 * max(map(len, shown.values())), width=5.2)
    for panel, env in zip(axes, envs, strict=True):
        names, found = [], {row["job"]: row for row in tables[env].to_dict("records")}
        for place, group in enumerate(shown[env]):
            if isinstance(group, str):
                names.append(group)
                continue
            row = found[group.job]
            look, ink = style.style(group, data), style.ink()
            if np.isfinite(row["low"]):
                panel.plot([row["low"], row["high"]], [place] * 2, color=ink, linewidth=1.1, zorder=3)
            face = look.color if row["worse"] else ("white" if place else look.color)
            panel.plot([row["loss"]], [place], look.marker, color=face, mec=ink, mew=0.8, markersize=5.5, zorder=4)
            names.append(f"{int(row['rank'])}. {text.short(group.label, 56)} ({text.number(row['mean'])})")
        style.rows_axis(panel, names)
        panel.axvline(0, color=style.GREY, linewidth=1)
        panel.set_xlabel(f"loss of return against the best ({_counts(data.ranked(env))})")
        style.finish(panel, env, data.of(env))
    table = pd.concat(tables.values(), ignore_index=True)
    return Drawing(
        figure, "\n".join(_sentence(data, env, tables[env]) for env in envs), f"{NOTE} {data.limits}".strip(), table
    )


def _shown(data: Data, env: str) -> list[Group | str]:
    found = rows(data, env)
    if any(isinstance(one, str) for one in found):
        return found
    return list(data.ranked(env))


def _counts(groups: tuple[Group, ...]) -> str:
    counts = sorted({group.n for group in groups})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def losses(data: Data, env: str) -> pd.DataFrame:
    """One row per setting, the best first: its mean and interval, its loss against the best with an interval that holds
    together with those of the others, and whether that lies above zero."""
    ranked = data.ranked(env)
    level = 1 - (1 - LEVEL) / max(len(ranked) - 1, 1)
    found = []
    for place, group in enumerate(ranked, 1):
        own = group.interval(group.final)
        loss = ranked[0].lead(group, level) if place > 1 else Interval(np.nan, np.nan)
        found.append(
            {
                "env": env,
                "rank": place,
                "label": group.label,
                "job": group.job,
                "n": group.n,
                "mean": float(mean(group.final)),
                "mean_low": float(own.low),
                "mean_high": float(own.high),
                "loss": float(mean(ranked[0].final) - mean(group.final)),
                "low": float(loss.low),
                "high": float(loss.high),
                "worse": bool(loss.low > 0),
            }
        )
    return pd.DataFrame(found)


def _sentence(data: Data, env: str, table: pd.DataFrame) -> str:
    best, second = table.iloc[0], table.iloc[1]
    same = int((~table["worse"]).sum()) - 1
    first, next_ = data.ranked(env)[:2]
    lead = first.lead(next_)
    told = f"{same} of the {len(table) - 1} others cannot be told from it" if same else "all others are worse"
    return (
        f"{env}: best of {len(table)} is {text.short(best['label'], 60)}, "
        f"{text.interval(best['mean'], Interval(best['mean_low'], best['mean_high']))}, "
        f"{text.interval(second['loss'], lead)} above the next; {told} with these seeds."
    )
