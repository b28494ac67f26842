"""What a person sees of a sweep, read from its runs' status.json: one live display, lines, the closing table."""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pgbench.config import Config
from pgbench.runs.forecast import duration
from pgbench.runs.records import ERROR, is_over, last_return, read_status, seed_dir
from pgbench.tracking.names import run_name
from sweeps.plan import Unit
from sweeps.state import Outcome

LOOK_SECONDS = 1.0  # between two looks at the running runs
LINE_SECONDS = 5.0  # between two lines where there is no terminal
RATE_SECONDS = 30.0  # the rate is a mean over the last so many
ROWS = 40  # of the closing table

Run = tuple[Path, int]  # job_dir, seed


@dataclass
class Seen:
    """A run as last read: its state here is queued, running, held (by another process), done, diverged or failed."""

    state: str = "queued"
    steps: int = 0
    seconds: float = 0.0


class Progress:
    """Follows the runs of some jobs, live on a terminal, else in plain lines."""

    def __init__(self, jobs: Sequence[Config], console: Console):
        self.jobs = {job.job_dir: job for job in jobs}
        self.console = console
        self.runs: dict[Run, Seen] = {(job.job_dir, seed): Seen() for job in jobs for seed in job.seed_list}
        for run in self.runs:
            self._look(run, "queued")
        self.total = sum(job.total_steps * len(job.seed_list) for job in jobs)
        self.begun = self.looked = self.printed = time.monotonic()
        self.trail = deque([(self.begun, self._steps())])
        self.told: set[tuple[Path, int, str]] = set()
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.live.stop()

    def open_seeds(self, job: Config) -> list[int]:
        """The seeds of a job that are neither done nor diverged."""
        return [seed for seed in job.seed_list if self.runs[job.job_dir, seed].state not in ("done", "diverged")]

    def started(self, unit: Unit) -> None:
        self._set(unit, "running")

    def ended(self, unit: Unit) -> None:
        self._set(unit, "queued")

    def failed(self, unit: Unit, outcome: Outcome) -> None:
        """Says at once which runs failed, why, and where their traceback lies."""
        self._set(unit, "failed")
        path = seed_dir(unit.config.job_dir, unit.seeds[0]) / ERROR
        where = f" ({path})" if path.exists() else ""
        self.say(f"failed: {_name(unit)}: {outcome['message']}{where}", "red")

    def again(self, unit: Unit, outcome: Outcome, follow: Sequence[Unit]) -> None:
        """Says that a unit did not end well and how it goes on."""
        self._set(unit, "queued")
        how = "goes on from its checkpoint" if len(follow) == 1 else "each seed goes on by itself"
        self.say(f"again: {_name(unit)}: {outcome.get('message', 'it was stopped')}; {how}", "yellow")

    def spread(self, unit: Unit, parts: int) -> None:
        """Says that the seeds of a unit go on in several processes."""
        self._set(unit, "queued")
        self.say(f"spread: {_name(unit)}: over {parts} processes, which have nothing else to do")

    def held(self, unit: Unit, by: Mapping[int, str]) -> None:
        """Says, once, which runs another process trains."""
        self._set(unit, "held")
        told = {(unit.config.job_dir, seed, who) for seed, who in by.items()}
        if not told <= self.told:
            self.told |= told
            self.say(f"held: {_name(unit)}: {', '.join(sorted(set(by.values())))} trains it; waiting for it", "yellow")

    def say(self, text: str, style: str = "") -> None:
        """A line that stays."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def update(self) -> None:
        """Looks at what runs, about once a second, and shows it."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        for run, seen in self.runs.items():
            if seen.state == "running":
                self._look(run, "running")
        self.trail.append((now, self._steps()))
        while now - self.trail[0][0] > RATE_SECONDS:
            self.trail.popleft()
        if self.live:
            shown = Table.grid()
            shown.add_row(ProgressBar(total=self.total, completed=min(self._steps(), self.total), width=60))
            shown.add_row(Text(self.line(), no_wrap=True, overflow="ellipsis"))
            self.live.update(shown, refresh=True)
        elif now - self.printed >= LINE_SECONDS:
            self.printed = now
            self.say(self.line())

    def line(self) -> str:
        """Counts, rate and time left."""
        counts = Counter(seen.state for seen in self.runs.values())
        states = ("done", "diverged", "running", "queued", "held", "failed")
        shown = [
            f"{counts[state]} {state}" for state in states if counts[state] or state in ("done", "running", "failed")
        ]
        (then, before), (now, steps) = self.trail[0], self.trail[-1]
        rate = max(0.0, (steps - before) / (now - then)) if now > then else 0.0
        left = sum(
            max(0, self.jobs[place].total_steps - seen.steps)
            for (place, _), seen in self.runs.items()
            if seen.state in ("queued", "running", "held")
        )
        speed = [f"{rate:,.0f} env-steps/s", f"{duration(left / rate)} left"] if rate and left else []
        return " · ".join([f"{len(self.runs)} runs", *shown, *speed])

    def table(self) -> Table:
        """The closing table: a row per job, named by what differs; those with failures first, then the best return."""
        names = ("job", "return", "done", "diverged", "failed", "open", "env-steps", "time", "records")
        table = Table(*names, box=None, pad_edge=False)
        for column in table.columns:
            column.no_wrap = True
        for column in table.columns[1:-1]:
            column.justify = "right"
        recorded = {place: job.recorded for place, job in self.jobs.items()}
        several = len({place.parent for place in self.jobs}) > 1
        rows = []
        for place, job in self.jobs.items():
            seen = [self.runs[place, seed] for seed in job.seed_list]
            counts = Counter(one.state for one in seen)
            done, diverged, failed = (counts[state] for state in ("done", "diverged", "failed"))
            left = len(seen) - done - diverged - failed
            steps, seconds = sum(one.steps for one in seen), max(one.seconds for one in seen)
            mean, shown = spread([last_return(seed_dir(place, seed)) for seed in job.seed_list])
            said = run_name(recorded[place], recorded.values(), None)
            cells = (said, shown, *map(str, (done, diverged, failed, left)), f"{steps:,}", duration(seconds))
            rows.append(((failed == 0, -mean), (*cells, str(place if several else place.name))))
        rows.sort(key=lambda row: row[0])
        for (fine, _), cells in rows[:ROWS]:
            table.add_row(*cells, style="" if fine else "red")
        if len(rows) > ROWS:
            table.add_row(f"... and {len(rows) - ROWS} more")
        return table

    def _set(self, unit: Unit, state: str) -> None:
        for seed in unit.seeds:
            self._look((unit.config.job_dir, seed), state)

    def _look(self, run: Run, state: str) -> None:
        """Reads a run's status.json; `state` is where it stands here if it is not over."""
        read = read_status(seed_dir(*run))
        over = is_over(read, self.jobs[run[0]].total_steps)
        self.runs[run] = Seen(read["status"] if over else state, read.get("env_steps", 0), read.get("seconds", 0.0))

    def _steps(self) -> int:
        return sum(seen.steps for seen in self.runs.values())


def _name(unit: Unit) -> str:
    name, seeds = unit.config.job_name, ",".join(map(str, unit.seeds))
    return f"{name}/seed-{seeds}" if len(unit.seeds) == 1 else f"{name} seeds {seeds}"


def spread(returns: Sequence[float | None]) -> tuple[float, str]:
    """Mean of the seeds' last returns, and how a table shows it: mean +- standard deviation over seeds."""
    known = [value for value in returns if value is not None and isfinite(value)]
    if not known:
        return -inf, "-"
    middle = fmean(known)
    return middle, f"{middle:.1f}" + (f" +- {stdev(known):.1f}" if len(known) > 1 else "")
