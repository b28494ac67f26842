"""python -m reports compare A B: two sets of runs, before and after: differences with intervals, and a verdict."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pgbench.errors import UserError

LEVEL = 0.95


class Difference(NamedTuple):
    """B less A of one setting on one task at the step both have come to: mean return and its simultaneous interval."""

    env: str
    label: str
    env_steps: float
    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    scale: float
    """|mean of A|, or the reference less the random policy's return where the task has bounds: what a share is of"""

    @property
    def verdict(self) -> str:
        """better, worse, or not told apart; `unknown` with fewer than two seeds on a side."""
        if self.low != self.low:
            return "unknown"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "same"


def compare(a: str, b: str) -> tuple[list[Difference], list[str]]:
    """The differences of all settings that both directories have, and what only one has. Raises UserError.

    A setting is the same where algorithm, task and all values are, of those keys that both know: versions add keys.
    Intervals are Welch's, so wide that all of them hold together with 95% (Bonferroni). Returns are compared at the
    largest step both have come to.
    """
    from reports.assemble import load_data
    from reports.statistics import mean

    ours, theirs = load_data(a), load_data(b)
    before, after = (_by_setting(one.groups, other.groups) for one, other in ((ours, theirs), (theirs, ours)))
    shared = [key for key in before if key in after]
    alone = [f"{group.label}, {group.env}: only in {a}" for key, group in before.items() if key not in after]
    alone += [f"{group.label}, {group.env}: only in {b}" for key, group in after.items() if key not in before]
    if not shared:
        raise UserError(f"{a} and {b} have no setting in common that has finished an episode")
    level = 1 - (1 - LEVEL) / len(shared)
    found = []
    for key in shared:
        one, two = before[key], after[key]
        point = min(one.end, two.end)
        x, y = one.curves([point])[:, 0], two.curves([point])[:, 0]
        low, high = two.lead(one, level, point)
        bounds = ours.bounds.get(one.env)
        scale = abs(bounds.reference - bounds.random) if bounds else abs(float(mean(x)))
        numbers = (float(mean(x)), float(mean(y)), float(mean(y) - mean(x)), float(low), float(high), scale)
        found.append(Difference(one.env, one.label, point, one.n, two.n, *numbers))
    return found, alone


def _by_setting(groups: Sequence[Any], others: Sequence[Any]) -> dict[str, Any]:
    """The groups by what makes a setting: task, algorithm and the values of the keys that both sides' configs have."""
    known: dict[str, set[str]] = {}
    for group in others:
        known.setdefault(group.algorithm, set()).update(group.config)
    found = {}
    for group in groups:
        keys = sorted((known.get(group.algorithm, set()) & set(group.config)) - {"total_steps"})
        name = json.dumps([group.env, group.algorithm, [(key, group.config[key]) for key in keys]], default=str)
        if group.n:
            found[f"{name} {group.total_steps}" if name in found else name] = group
    return found


def verdict(found: Sequence[Difference]) -> str:
    """One line: how many settings are better, worse, not told apart, and the worst of them."""
    counts = {word: sum(one.verdict == word for one in found) for word in ("better", "worse", "same", "unknown")}
    worst = min(found, key=lambda one: one.difference / (one.scale or 1))
    parts = [f"{counts['better']} better", f"{counts['worse']} worse", f"{counts['same']} not told apart"]
    parts += [f"{counts['unknown']} with too few seeds to tell"] if counts["unknown"] else []
    return (
        f"verdict: B against A on {len(found)} setting{'s' * (len(found) > 1)}: {', '.join(parts)}; "
        f"largest loss of a mean {_share(worst)} ({worst.label}, {worst.env})."
    )


def _share(one: Difference) -> str:
    return f"{max(0.0, -one.difference / one.scale) if one.scale else 0.0:.1%}"


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m reports compare", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("a", metavar="A", help="directory with the runs before")
    parser.add_argument("b", metavar="B", help="directory with the runs after")
    parser.add_argument(
        "--fail-below",
        type=float,
        metavar="SHARE",
        help="exit with status 1 if some setting is worse for sure by more than this share (0.05: 5%%) of the span "
        "from a random policy to the reference, or of A's mean where the task has no bounds",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as CSV")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Prints the table and the verdict. Exit status: 0; 1 where --fail-below says so; 2 after an error."""
    options = parser().parse_args(arguments)
    try:
        found, alone = compare(options.a, options.b)
    except UserError as error:
        print(f"reports: error: {error}", file=sys.stderr)
        return 2
    _print(found)
    for line in alone[:5]:
        print(line)
    if len(alone) > 5:
        print(f"… and {len(alone) - 5} more that only one has")
    if options.out:
        import pandas as pd

        pd.DataFrame([{**one._asdict(), "verdict": one.verdict} for one in found]).to_csv(options.out, index=False)
    print(verdict(found))
    if options.fail_below is None:
        return 0
    lost = [one for one in found if one.high < -options.fail_below * one.scale]
    return 1 if lost else 0


def _print(found: Sequence[Difference]) -> None:
    from reports import text
    from reports.statistics import Interval

    rows = [("task", "setting", "at", "A (n)", "B (n)", "B - A [95%]", "")]
    for one in sorted(found, key=lambda one: one.difference / (one.scale or 1)):
        rows.append(
            (
                one.env,
                text.short(one.label, 50),
                text.steps(one.env_steps),
                f"{text.number(one.mean_a)} ({one.n_a})",
                f"{text.number(one.mean_b)} ({one.n_b})",
                text.interval(one.difference, Interval(one.low, one.high)),
                one.verdict,
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
