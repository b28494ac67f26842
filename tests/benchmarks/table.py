"""The rows as CSV, one line each, and as Markdown, a table a part."""

import csv
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.measure import Effort, Row

TITLES = {
    "a": "CartPole-v1: each algorithm against its peers",
    "b": "HalfCheetah-v5: TRPO against its peer and the bare environment; evaluations on the way",
    "c": "A sweep on all cores, from command to finished records",
    "d": "TRPO on CartPole-v1: rate and peak memory against 10 seeds, 16 environments, 128 steps, width 64",
    "e": "Where the time of an iteration goes, 10 seeds on CartPole-v1",
    "f": "Bare rate of the classic tasks, 160 environments in one array",
    "g": "The other classic tasks: TRPO against its peer",
    "h": "The share of the processor's rate of matrix products",
}
PEER_LIBRARIES = ("stable-baselines3", "sb3-contrib", "tianshou", "joblib")


def conditions(effort: Effort) -> str:
    """Machine, versions and method, for above the table."""
    from pgbench.runs.provenance import machine

    made = machine()
    libraries = made["libraries"] | {name: version(name) for name in PEER_LIBRARIES}
    changed = " with changes" if made["git_dirty"] else ""
    return (
        f"{made['cpu']}, {made['cores']} cores, {made['platform']}. Python {made['python']}, "
        + ", ".join(f"{name} {number}" for name, number in libraries.items())
        + f"; pgbench at commit {(made['git_commit'] or 'unknown')[:10]}{changed}.\n\n"
        "Every figure is a ratio of what ran in turn in the same minutes: the median of "
        f"{effort.alternations} alternations, with the extremes in brackets, then the two medians themselves. All "
        "parts but c and f on one core with one thread; the work (`hyperparameters=equal_work`): 16 environments x 128 "
        "steps, 64-64 tanh actor and critic, 10 CG iterations, 10 full-batch critic steps; "
        "evaluations are measured with the settings of their task."
    )


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(field.name for field in dataclasses.fields(Row)), "target"])
        for row in rows:
            values = dataclasses.astuple(row)
            writer.writerow([*(f"{x:.4g}" if isinstance(x, float) else x for x in values), row.target])


def markdown(rows: Sequence[Row], above: str) -> str:
    """The whole page."""
    pieces = ["# Benchmark", above]
    for part, title in TITLES.items():
        own = [row for row in rows if row.part == part]
        if own:
            pieces += [f"## ({part}) {title}", (_pivot if part in "de" else _list)(own)]
    return "\n\n".join(pieces) + "\n"


def _list(rows: Iterable[Row]) -> str:
    """A row a line."""
    lines = [
        [
            row.case,
            row.against,
            f"**{row.ratio:.2f}** [{row.low:.2f}, {row.high:.2f}]",
            f"{_amount(row.value)} / {_amount(row.reference)} {row.unit}",
            row.target,
        ]
        for row in rows
    ]
    return _table(["", "against", "ratio", "medians", "target"], lines)


def _pivot(rows: Sequence[Row]) -> str:
    """A case a line and a quantity a column; rows with a target in a table of their own."""
    plain, judged = [row for row in rows if not row.target], [row for row in rows if row.target]
    quantities = list(dict.fromkeys(row.quantity for row in plain))
    cases: dict[str, dict[str, str]] = {row.case: {} for row in plain}
    for row in plain:
        cases[row.case][row.quantity] = _cell(row)
    table = _table(["", *quantities], [[case, *_in_order(cells, quantities)] for case, cells in cases.items()])
    return f"{table}\n\n{_list(judged)}" if judged else table


def _cell(row: Row) -> str:
    if row.unit == "ms":
        return f"{row.ratio:.1%} ({row.value:.2f} ms)"
    return f"{row.ratio:.2f} ({row.value:,.0f} {row.unit})"


def _amount(x: float) -> str:
    return f"{x:,.0f}" if x >= 10 else f"{x:.2g}"


def _in_order(cells: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [cells.get(name, "") for name in names]


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])
