"""`python -m sweeps.status DIR`: how the runs (or trials) below a directory stand, from any terminal; it only reads."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgbench.errors import UserError
from pgbench.runs.find import find_runs
from pgbench.runs.lock import holder
from pgbench.runs.records import ERROR, read_status
from pgbench.terminal import print_anything, show

STATES = ("done", "diverged", "running", "stopped", "pending", "failed")
LISTED = 20  # failures and stopped runs told one by one
ROWS = 40  # jobs told one by one, those first that are neither all done nor all pending


@dataclass(frozen=True)
class Standing:
    """A run: its state is its status, but `stopped` where it is running by status and no process writes it."""

    directory: Path
    state: str
    read: dict[str, Any]

    @property
    def steps(self) -> int:
        return int(self.read.get("env_steps", 0))

    @property
    def rate(self) -> float:
        """Environment steps per second while it runs; seeds in lockstep share the time, so their rates add up."""
        return self.steps / self.read["seconds"] if self.state == "running" and self.read.get("seconds") else 0.0

    @property
    def left(self) -> int:
        """Environment steps to go."""
        return max(0, int(self.read.get("total_steps", 0)) - self.steps) if self.state in STATES[2:5] else 0


def scan(directory: Path) -> list[Standing]:
    """All runs below a directory of records."""
    return [stand(run) for run in find_runs(directory)]


def stand(directory: Path) -> Standing:
    """Reads one run."""
    read = read_status(directory)
    state = read["status"]
    if state == "running" and not holder(directory):
        state = "stopped"
    return Standing(directory, state, read)


def report(directory: Path) -> str:
    """Progress, rates, failures, stale locks and time left, in plain text."""
    from rich.console import Console
    from rich.table import Table

    from pgbench.runs.forecast import duration

    runs = scan(directory)
    table = Table("job", *STATES, "env-steps/s", "left", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    jobs: dict[str, list[Standing]] = {}
    for run in runs:
        jobs.setdefault(run.directory.parent.name, []).append(run)
    shown = sorted(jobs.items(), key=lambda job: {run.state for run in job[1]} in ({"done"}, {"pending"}))
    shown = shown[:ROWS] if len(jobs) > ROWS else list(jobs.items())
    for name, members in [*shown, *([(f"all {len(jobs)} jobs", runs)] if len(jobs) > 1 else [])]:
        counts = Counter(run.state for run in members)
        rate, left = sum(run.rate for run in members), sum(run.left for run in members)
        time_left = duration(left / rate) if rate else "-" if left else ""
        table.add_row(name, *(str(counts[state]) for state in STATES), f"{rate:,.0f}" if rate else "", time_left)
    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as capture:
        console.print(table)
    failed, stopped = ([run for run in runs if run.state == state] for state in ("failed", "stopped"))
    lines = [
        f"failed: {_name(run)}: {run.read.get('message', '')} ({run.directory / ERROR})" for run in failed[:LISTED]
    ]
    lines += [f"stopped: {_name(run)}: {_last(run)}; re-run its command to resume it" for run in stopped[:LISTED]]
    more = max(0, len(failed) - LISTED) + max(0, len(stopped) - LISTED)
    return "\n".join([capture.get().rstrip(), *lines, *([f"... and {more} more"] if more else [])])


def _name(run: Standing) -> str:
    return f"{run.directory.parent.name}/{run.directory.name}"


def _last(run: Standing) -> str:
    updated = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.read.get("updated", 0)))
    where = f" on {run.read['host']}" if "host" in run.read else ""
    return f"its process {run.read.get('pid', '')}{where} is gone, last seen {updated}"


def _search(directory: Path) -> int:
    from sweeps.search.status import report as report_search

    try:
        show(report_search(directory))
        return 0
    except UserError as error:
        print(f"sweeps: error: {error}", file=sys.stderr)
        return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Gives the exit status: 0, or 2 where there are no runs."""
    arguments = sys.argv[1:] if arguments is None else arguments
    print_anything()
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(f"usage: python -m sweeps.status DIR\n\n{__doc__}")
        return 0 if {"-h", "--help"} & set(arguments) else 2
    directory = Path(arguments[0])
    if (directory / "journal.log").exists():
        return _search(directory)
    try:
        show(report(directory))
    except UserError as error:
        print(f"sweeps: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
