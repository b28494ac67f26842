"""Runs as small as a publication needs them: `python -m reports compact DIR --out results/NAME`.

A compact run is a run directory: every command that reads records reads it. It keeps the config, the status, the
provenance and the evaluations, and of the curves a row every so often, rounded; not the episodes, the policies and the
checkpoint, so it cannot go on.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pgbench.errors import UserError
from pgbench.options import at_least
from pgbench.runs.find import find_runs
from pgbench.runs.records import (
    CHECKPOINT,
    CONFIG,
    EVALUATIONS_FILE,
    METRICS_FILE,
    PROVENANCE,
    STATUS,
    TIMES_FILE,
    read_status,
)
from reports.curves import read_tables

ROWS = 100
DIGITS = 6
OWN = ("pid", "host", "files")
"""What status.json says of the machine and of the files as they were."""


def compact(run: Path, out: Path, rows: int = ROWS) -> None:
    """Copies a run to `out`, its curves at `rows` iterations evenly chosen, the first and the last among them, and at
    the last within total_steps, which gives the final return; numbers to six significant digits. Raises UserError where
    a table of the run is damaged."""
    [(table, problems)] = read_tables([run])
    if problems:
        raise UserError(problems[0])
    status = read_status(run)
    chosen = np.zeros(0, int)
    if len(table):
        evenly = np.linspace(0, len(table) - 1, rows).round().astype(int)
        within = np.flatnonzero(table["env_steps"] <= status.get("total_steps", np.inf))[-1:]
        chosen = np.union1d(evenly, within)
    frame = pd.DataFrame({name: table[name][chosen] for name in table.columns})
    frame["iteration"] = frame["iteration"].astype(int)
    frame["env_steps"] = frame["env_steps"].astype(int)
    out.mkdir(parents=True, exist_ok=True)
    form = f"%.{DIGITS}g"
    frame.drop(columns="seconds").to_csv(out / METRICS_FILE, index=False, float_format=form, lineterminator="\n")
    frame[["iteration", "seconds"]].to_csv(out / TIMES_FILE, index=False, float_format=form, lineterminator="\n")
    for name in (CONFIG, PROVENANCE, EVALUATIONS_FILE):
        if (run / name).exists():
            (out / name).write_bytes((run / name).read_bytes())
    kept = {key: value for key, value in status.items() if key not in OWN}
    (out / STATUS).write_text(json.dumps(kept), encoding="utf-8")


def _targets(runs: Sequence[Path], out: Path) -> list[Path]:
    """Where each run goes. Raises UserError where that is one of the runs, or where another goes, too."""
    sources, found = set(runs), dict[Path, Path]()
    for run in runs:
        target = (out / run.parent.name / run.name).resolve()
        if target in sources:
            raise UserError(f"--out {out}: {target} is itself to be compacted, write another directory")
        if (target / CHECKPOINT).exists():
            raise UserError(f"--out {out}: {target} holds a whole run, write another directory")
        if target in found:
            raise UserError(f"--out {out}: {found[target]} and {run} would both be {target}, give only one")
        found[target] = run
    return list(found)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m reports compact", description="runs as small as a publication needs")
    parser.add_argument(
        "directories", metavar="DIR", nargs="+", type=Path, help="directories with runs at or below them"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the compact runs go")
    parser.add_argument("--rows", type=at_least(2), default=ROWS, help=f"rows of each curve (default: {ROWS})")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Runs the command; the exit status is 2 after an error of the user's."""
    options = parser().parse_args(arguments)
    try:
        runs = find_runs(options.directories)
        targets = _targets(runs, options.out)
        for run, target in zip(runs, targets, strict=True):
            compact(run, target, options.rows)
    except UserError as error:
        print(f"reports: error: {error}", file=sys.stderr)
        return 2
    print(f"{len(runs)} runs in {options.out}")
    return 0
