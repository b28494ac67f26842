"""The figures' numbers as tables: `summary` for programs, `shown` for people."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from reports import text
from reports.data import FRACTIONS, Data, Group
from reports.statistics import Interval, bootstrap_ci, iqm, mean, median, probability_of_improvement

PROTOCOL = (
    "Returns are training returns: the mean undiscounted return of a seed's last 100 finished episodes. "
    "n counts seeds; a diverged one keeps its last return, a failed one is left out. Intervals: 95% percentile "
    "bootstrap over seeds. Medians count a seed that has not reached the threshold as infinity."
)


def summary(data: Data) -> pd.DataFrame:
    """A row a job and checkpoint (25, 50, 100% of its environment's steps).

    n counts the seeds with a value; mean and iqm are of their returns, with the ends of 95% bootstrap
    intervals. The steps to the threshold are one a job: their median over seeds (infinity: less than half
    reach it), and how many of n reach it. diverged, failed, running, pending count seeds.
    """
    rows = []
    for group in data.groups:
        level = data.thresholds[group.env]
        steps = group.reached(level) if level is not None else np.full(group.n, np.nan)
        limits = bootstrap_ci(median, steps) if group.n else Interval(np.nan, np.nan)
        for fraction, point in zip(FRACTIONS, data.checkpoints(group.env), strict=False):
            rows.append(
                {
                    "env": group.env,
                    "algorithm": group.algorithm,
                    "label": group.label,
                    "hyperparameters": group.hyperparameters,
                    "job": group.job,
                    "fraction": fraction,
                    "env_steps": point,
                    "n": group.n,
                    **_at(group, point),
                    "threshold": np.nan if level is None else level,
                    "median_steps_to_threshold": median(steps) if group.n else np.nan,
                    "median_steps_to_threshold_low": float(limits.low),
                    "median_steps_to_threshold_high": float(limits.high),
                    "reached": int(np.isfinite(steps).sum()),
                    **{status: group.statuses[status] for status in ("diverged", "failed", "running", "pending")},
                }
            )
    return pd.DataFrame(rows)


def _at(group: Group, point: float) -> dict[str, float]:
    """Mean and IQM over the group's seeds at one step; NaN unless all have come that far."""
    returns = group.returns([point])[:, 0]
    row = {}
    for name, statistic in (("mean", mean), ("iqm", iqm)):
        known = group.n > 0
        ends = bootstrap_ci(statistic, returns) if known else Interval(np.nan, np.nan)
        row[name] = float(statistic(returns)) if known else np.nan
        row[f"{name}_low"], row[f"{name}_high"] = float(ends.low), float(ends.high)
    return row


def shown(data: Data) -> Iterator[tuple[str, pd.DataFrame]]:
    """Titled tables of text: a summary an environment, who beats whom, and published numbers beside ours."""
    numbers = summary(data)
    for env in data.envs:
        rows = numbers[numbers["env"] == env] if len(numbers) else numbers
        if len(rows):
            yield f"{env}: return, mean over seeds [95% interval]", _summary_shown(rows)
        groups = data.complete(env)
        if len(groups) > 1:
            yield (
                f"{env}: probability that a seed of the row ends above a seed of the column",
                _versus(groups),
            )
    if data.published:
        yield "Published numbers beside ours, at equal environment steps", _beside(data)


def _summary_shown(rows: pd.DataFrame) -> pd.DataFrame:
    table = []
    for _, job in rows.groupby("job", sort=False):
        last = job.iloc[-1]
        cells = {"": last["label"], "n": str(last["n"])}
        for _, row in job.iterrows():
            cells[f"at {text.steps(row['env_steps'])}"] = _cell(row, "mean")
        cells["IQM at the end"] = _cell(last, "iqm")
        if not np.isnan(last["threshold"]):
            cells[f"median steps to {last['threshold']:g}"] = _cell(last, "median_steps_to_threshold", text.steps)
            cells["reached"] = f"{last['reached']} of {last['n']}"
        cells |= {status: str(last[status]) for status in ("diverged", "failed")}
        if rows[["running", "pending"]].to_numpy().any():
            cells["not done"] = str(last["running"] + last["pending"])
        table.append(cells)
    return pd.DataFrame(table)


def _cell(row: Any, name: str, form: Any = text.number) -> str:
    return text.interval(row[name], Interval(row[f"{name}_low"], row[f"{name}_high"]), form)


def _versus(groups: tuple[Group, ...]) -> pd.DataFrame:
    table = []
    for one in groups:
        cells = {"": one.label}
        for other in groups:
            chance = probability_of_improvement(one.final, other.final)
            ends = bootstrap_ci(probability_of_improvement, one.final, other.final)
            cells[other.label] = text.NONE if one is other else text.interval(chance, ends, "{:.2f}".format)
        table.append(cells)
    return pd.DataFrame(table)


def _beside(data: Data) -> pd.DataFrame:
    table = []
    for row in data.published:
        for group in data.of(row.env):
            if group.algorithm == row.algorithm and group.n and row.env_steps <= data.horizon(group.env):
                table.append(
                    {
                        "": f"{group.label}, {row.env}",
                        "steps": text.steps(row.env_steps),
                        "published": f"{row.mean:g} ± {row.spread:g} ({row.spread_kind}, n = {row.seeds})",
                        "ours": f"{_cell(_at(group, row.env_steps), 'mean')} (n = {group.n})",
                        "source": row.source,
                    }
                )
    return pd.DataFrame(table)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table of a DataFrame of text."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |\n" for row in rows)
