"""The figures' numbers as tables: `summary` for programs, `shown` for people."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from reports import search, text
from reports.data import FRACTIONS, Data, Group
from reports.published import COMPARABLE
from reports.statistics import (
    Interval,
    censored_median,
    iqm,
    mean,
    probability_interval,
    probability_of_improvement,
    steps_interval,
    tolerance_interval,
)

PROTOCOL = (
    "Returns are training returns: the mean undiscounted return of a seed's last 100 finished episodes. "
    "n counts seeds; a diverged one keeps its last return, a failed one is left out, a running one counts only where "
    "none has finished. Intervals: 95% over seeds, Student's t for means, winsorised for IQM, between two seeds for "
    "medians (none below six seeds), Newcombe's for probabilities. A seed that has not reached the threshold counts as "
    "later than its last step."
)
VERSUS = 8
"""Of more jobs than this the pairwise table has the best."""


def summary(data: Data) -> pd.DataFrame:
    """One row per job and checkpoint (25, 50, 100% of its environment's steps).

    n counts the seeds with a value there, mean and iqm are of their returns, with the ends of 95% intervals. What
    follows is once per job, at its end: final, average and best return of a seed (means over seeds), the range that
    holds 90% of runs with its confidence, the median steps to the threshold (infinity: not reached by half) and how
    many of n reach it. diverged, failed, running, pending, unknown count seeds.
    """
    rows = []
    for group in data.groups:
        level = data.thresholds.get(group.env)
        once = {**_once(group), **_steps(group, level)}
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
                    **_at(group, point),
                    **once,
                    **{
                        status: group.statuses[status]
                        for status in ("diverged", "failed", "running", "pending", "unknown")
                    },
                }
            )
    return pd.DataFrame(rows)


def _once(group: Group) -> dict[str, float]:
    if not group.n:
        names = ("end", "final", "average", "best", "runs_low", "runs_high", "runs_confidence")
        return dict.fromkeys(names, np.nan)
    runs, confidence = tolerance_interval(group.final)
    return {
        "end": group.end,
        "final": float(mean(group.final)),
        "average": float(mean(group.average)),
        "best": float(mean(group.best)),
        "runs_low": float(runs.low),
        "runs_high": float(runs.high),
        "runs_confidence": round(confidence, 4),
    }


def _steps(group: Group, level: float | None) -> dict[str, float]:
    nothing = {"median_steps_to_threshold": np.nan, "median_steps_to_threshold_low": np.nan}
    nothing |= {"median_steps_to_threshold_high": np.nan, "reached": 0}
    if level is None or not group.n:
        return {"threshold": np.nan if level is None else level, **nothing}
    steps = group.reached(level)
    limits = steps_interval(steps, group.ends)
    return {
        "threshold": level,
        "median_steps_to_threshold": censored_median(steps, group.ends),
        "median_steps_to_threshold_low": float(limits.low),
        "median_steps_to_threshold_high": float(limits.high),
        "reached": int(np.isfinite(steps).sum()),
    }


def _at(group: Group, point: float) -> dict[str, float]:
    """n, mean and IQM over the group's seeds at one step; NaN unless all have come that far."""
    returns = group.curves([point])[:, 0] if group.n else np.array([])
    known = int(np.sum(~np.isnan(returns)))
    row: dict[str, float] = {"n": known}
    for name, statistic, interval in (("mean", mean, group.interval), ("iqm", iqm, group.iqm_interval)):
        ends = interval(returns) if group.n else Interval(np.nan, np.nan)
        row[name] = float(statistic(returns)) if group.n else np.nan
        row[f"{name}_low"], row[f"{name}_high"] = float(ends.low), float(ends.high)
    return row


def shown(data: Data, numbers: pd.DataFrame | None = None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Titled tables of text: a summary an environment, who beats whom, published numbers beside ours, a search."""
    numbers = summary(data) if numbers is None else numbers
    if data.searches:
        yield "Search: what it found, and on fresh seeds", search.table(data.searches)
    for env in data.envs:
        rows = numbers[numbers["env"] == env] if len(numbers) else numbers
        if len(rows):
            yield f"{env}: return, mean over seeds [95% interval]", _summary_shown(rows)
        groups = data.complete(env)
        if len(groups) > 1:
            best = data.ranked(env)[:VERSUS] if len(groups) > VERSUS else groups
            which = f" (the {VERSUS} best of {len(groups)})" if len(groups) > VERSUS else ""
            yield f"{env}: probability that a seed of the row ends above a seed of the column{which}", _versus(best)
    if data.published:
        yield "Published numbers beside ours, at equal environment steps", _beside(data)


def _summary_shown(rows: pd.DataFrame) -> pd.DataFrame:
    table = []
    open_ = rows[["running", "pending", "unknown"]].to_numpy().any()
    for _, job in rows.groupby("job", sort=False):
        records = job.to_dict("records")
        last = records[-1]
        cells = {"": last["label"], "n": str(max(row["n"] for row in records))}
        for row in records:
            cells[f"at {text.steps(row['env_steps'])}"] = _cell(row, "mean")
        cells["IQM at the end"] = _cell(last, "iqm")
        if not np.isnan(last["threshold"]):
            name, low = f"median steps to {last['threshold']:g}", "median_steps_to_threshold_low"
            cells[name] = _cell({**last, low: last[low] or np.nan}, "median_steps_to_threshold", text.steps)
            cells["reached"] = f"{last['reached']} of {max(row['n'] for row in records)}"
        cells |= {status: str(last[status]) for status in ("diverged", "failed")}
        if open_:
            cells["not done"] = str(last["running"] + last["pending"] + last["unknown"])
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
            ends = probability_interval(one.final, other.final)
            cells[other.label] = text.NONE if one is other else text.interval(chance, ends, "{:.2f}".format)
        table.append(cells)
    return pd.DataFrame(table)


def _beside(data: Data) -> pd.DataFrame:
    table = []
    for row in data.published:
        for group in data.of(row.env):
            if (
                row.protocol in COMPARABLE
                and group.algorithm == row.algorithm
                and group.n
                and row.env_steps <= data.horizon(group.env)
            ):
                ours = _at(group, row.env_steps)
                table.append(
                    {
                        "": f"{group.label}, {row.env}",
                        "steps": text.steps(row.env_steps),
                        "published": f"{row.mean:g} ± {row.spread:g} ({row.spread_kind}, n = {row.seeds})",
                        "ours": f"{_cell(ours, 'mean')} (n = {ours['n']})",
                        "source": row.source,
                    }
                )
    return pd.DataFrame(table, columns=["", "steps", "published", "ours", "source"])


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table of a DataFrame of text."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "".join("| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def _plain(cell: Any) -> str:
    return " ".join(str(cell).split())


LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "–": "--",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def escape_latex(words: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(LATEX.get(letter, letter) for letter in words)


def latex(title: str, table: pd.DataFrame, most: int = 40) -> str:
    """A table to paste into a paper: booktabs, the caption its title; of many rows the first ones."""
    rows = [" & ".join(escape_latex(_plain(cell)) for cell in row) + r" \\" for row in table.to_numpy().tolist()]
    more = [f"% {len(rows) - most} more rows: summary.csv has all"] if len(rows) > most else []
    head = " & ".join(escape_latex(str(name)) for name in table.columns) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows[:most],
            *more,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
