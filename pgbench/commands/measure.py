"""`python -m pgbench.measure DIR...`: measures the policies of runs, for figures of the slides' arguments."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pgbench.after.measurements import KINDS, measure
from pgbench.commands import add_config_dir, as_command, in_parallel
from pgbench.errors import UserError
from pgbench.options import at_least
from pgbench.plugins import look_beside
from pgbench.policy import Policy
from pgbench.runs.find import find_runs, seed_of
from pgbench.runs.lock import lock
from pgbench.runs.recorded import read_config
from pgbench.runs.records import MEASUREMENTS, MEASUREMENTS_FILE, POLICY, merge_rows


def measure_run(run: Path, kinds: Sequence[str]) -> str:
    """Measures a run's snapshots, or its last policy where it has none, into measurements.csv; says what it did."""
    config, seed = read_config(run), seed_of(run)
    files = sorted(run.glob("policy-*.pt")) or [run / POLICY]
    rows = []
    for policy in map(Policy.load, files):
        steps = policy.about["env_steps"]
        rows += [(steps, *row) for kind in kinds for row in measure(policy, config, seed, kind)]
    with lock(run):
        merge_rows(run / MEASUREMENTS_FILE, tuple(MEASUREMENTS), ("env_steps", "subject", "distance", "quantity"), rows)
    return f"{run.parent.name}/{run.name}: {len(files)} policies"


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m pgbench.measure", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("directories", nargs="+", metavar="DIR", help="runs, jobs or output_dirs")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="default: all of them")
    parser.add_argument("--n-jobs", type=at_least(1), help="processes (default: the cores there are)")
    add_config_dir(parser)
    return parser


@as_command
def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every run below the directories. Raises UserError if any could not be measured."""
    options = parser().parse_args(arguments)
    look_beside(options.config_dir)
    failed = in_parallel(measure_run, find_runs(options.directories), options.n_jobs, options.kinds)
    if failed:
        raise UserError(f"{failed} runs were not measured")


if __name__ == "__main__":
    sys.exit(main())
