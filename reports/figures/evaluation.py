"""Evaluations: what policies return when they are tried, apart from training (`evaluations.csv`)."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data
from reports.figures.drawing import Drawing
from reports.naming import algorithm_name
from reports.published import EVALUATED
from reports.statistics import Interval, mean

NOTE = (
    "Mark: mean over seeds of a seed's mean evaluation return of the policy at that step (where there is one "
    "evaluation alone, settings stand side by side); bar: its 95% interval (Student's t over seeds); faint: each seed. "
    "Filled: the policy draws its actions; white: it acts by its mode. Published marks: evaluations too, in the "
    "protocol of the table."
)


def draw(data: Data) -> Drawing | None:
    """A panel per environment with evaluations, x environment steps, y return; None where no counted seed has any."""
    if data.evaluations is None:
        return None
    counted = {(group.job, one.seed) for group in data.groups for one in group.counted}
    runs = zip(data.evaluations["job"], data.evaluations["seed"], strict=True)
    table = data.evaluations[np.array([run in counted for run in runs], dtype=bool)]
    evaluated = replace(data, groups=tuple(group for group in data.groups if (table["job"] == group.job).any()))
    envs = evaluated.envs
    if not envs:
        return None
    figure, axes = style.panels(len(envs), height=3.4)
    rows = []
    for panel, env in zip(axes, envs, strict=True):
        shown, _ = style.chosen(evaluated, env)
        jobs = [group.job for group in shown]
        mine = table[table["job"].isin(jobs)].groupby(["job", "seed", "deterministic"], observed=True)
        # What was evaluated once alone stands side by side, or one would hide another.
        apart = 0.04 * data.horizon(env) if mine["env_steps"].nunique().max() == 1 else 0.0
        for place, group in enumerate(shown):
            shift = apart * (place - (len(shown) - 1) / 2)
            for kind, part in table[table["job"] == group.job].groupby("deterministic"):
                rows += _curve(panel, group, bool(kind), part, data, shown, shift)
        _published(panel, env, data, past=apart * (len(shown) - 1) / 2)
        style.finish(panel, env, shown)
        style.steps_axis(panel)
        panel.set_ylabel("evaluation return")
    style.legend(figure, axes)
    found = pd.DataFrame(rows)
    return Drawing(figure, "\n".join(_sentence(env, found) for env in envs), f"{NOTE} {data.limits}".strip(), found)


def _occasions(part: pd.DataFrame) -> pd.Series:
    """Which evaluation of its seed each episode is of: the first, the second, ..., since batches of whole episodes end
    at other steps in each seed; the steps themselves where seeds have different numbers of evaluations."""
    numbers = part.groupby("seed", observed=True)["env_steps"].rank(method="dense")
    lasts = set(numbers.groupby(part["seed"], observed=True).max())
    return numbers if len(lasts) == 1 else part["env_steps"]


def _published(panel: Axes, env: str, data: Data, past: float) -> None:
    """A mark a source, beside each other and to the right of ours, which reach `past` steps beyond the end, so that
    none hides another."""
    rows = [row for row in data.published if row.env == env and row.protocol in EVALUATED]
    rows = [row for row in rows if row.env_steps <= 1.1 * data.horizon(env)]
    names = list(dict.fromkeys(row.source.partition(",")[0] for row in rows))
    for place, row in enumerate(rows):
        look, name = style.of_algorithm(row.algorithm, data), row.source.partition(",")[0]
        style.published_mark(
            panel,
            row.env_steps + past + (0.02 + 0.025 * place) * data.horizon(env),
            row.mean,
            yerr=row.spread,
            fmt="sD^v"[names.index(name) % 4],
            color=look.color,
            label=f"{algorithm_name(row.algorithm)}, {name} (n = {row.seeds})",
        )


def _curve(panel, group, deterministic, part, data, shown, shift) -> list[dict]:  # type: ignore[no-untyped-def]
    """Draws a setting's evaluations, `shift` steps to the right of where they were made; gives the numbers drawn."""
    look = style.style(group, data, shown)
    rows = []
    for _, occasion in part.groupby(_occasions(part)):
        seeds = occasion.groupby("seed", observed=True)
        numbers, steps = seeds["return"].mean().to_numpy(float), round(seeds["env_steps"].first().mean())
        ends, episodes = group.interval(numbers), len(occasion)
        rows.append(
            {"env": group.env, "label": group.label, "job": group.job, "env_steps": steps, "n": len(numbers)}
            | {"episodes": episodes, "deterministic": int(deterministic), "mean": float(mean(numbers))}
            | {"low": float(ends.low), "high": float(ends.high)}
        )
        panel.scatter(np.full(len(numbers), steps + shift), numbers, s=8, color=look.color, alpha=0.35, lw=0)
        if not np.isnan(ends.low):
            panel.plot([steps + shift] * 2, [ends.low, ends.high], color=look.color, linewidth=1.2)
    panel.plot(
        [row["env_steps"] + shift for row in rows],
        [row["mean"] for row in rows],
        color=look.color,
        linestyle=look.linestyle,
        marker=look.marker,
        markerfacecolor="white" if deterministic else look.color,
        label=f"{group.label}, {'mode' if deterministic else 'drawn actions'} (n = {max(row['n'] for row in rows)})",
    )
    return rows


def _sentence(env: str, table: pd.DataFrame) -> str:
    mine = table[table["env"] == env]
    last = mine.sort_values("env_steps").groupby(["label", "deterministic"], sort=False).tail(1)
    best = last.sort_values("mean", ascending=False).iloc[0]
    shown = text.interval(best["mean"], Interval(best["low"], best["high"]))
    how = "by its mode" if best["deterministic"] else "drawing its actions"
    name, steps = text.short(best["label"], 60), text.steps(best["env_steps"])
    return f"{env}: evaluated {how}, {name} returns {shown} at {steps} steps."
