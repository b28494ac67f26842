"""`python -m pgbench.evaluate DIR...`: evaluates the policies of runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pgbench.after.evaluation import run_episodes
from pgbench.commands import add_config_dir, as_command, in_parallel
from pgbench.errors import UserError
from pgbench.options import at_least
from pgbench.plugins import look_beside
from pgbench.policy import Policy
from pgbench.runs.find import find_runs
from pgbench.runs.job import record_evaluation
from pgbench.runs.lock import lock
from pgbench.runs.records import POLICY


def evaluate_run(run: Path, episodes: int, deterministic: bool, seed: int) -> str:
    """Evaluates a run's policies, the last and its snapshots, into evaluations.csv; says what the last returned."""
    import numpy as np

    for file in [*sorted(run.glob("policy-*.pt")), run / POLICY]:
        policy = Policy.load(file)
        returns, lengths = run_episodes(policy, episodes, np.random.SeedSequence(seed), deterministic)
        with lock(run):
            record_evaluation(run, policy.about["env_steps"], deterministic, returns, lengths)
    spread = f" +- {returns.std(ddof=1):.1f}" if episodes > 1 else ""
    return f"{run.parent.name}/{run.name}: return {returns.mean():.1f}{spread} over {episodes} episodes"


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m pgbench.evaluate", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("directories", nargs="+", metavar="DIR", help="runs, jobs or output_dirs")
    parser.add_argument("--episodes", type=at_least(1), default=10, help="of each policy (default: 10)")
    parser.add_argument("--stochastic", action="store_true", help="draw actions (default: the most likely ones)")
    parser.add_argument("--seed", type=at_least(0), default=1, help="of the episodes (default: 1)")
    parser.add_argument("--n-jobs", type=at_least(1), help="processes (default: the cores there are)")
    add_config_dir(parser)
    return parser


@as_command
def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluates every run below the directories. Raises UserError if any could not be evaluated."""
    options = parser().parse_args(arguments)
    look_beside(options.config_dir)
    runs = find_runs(options.directories)
    failed = in_parallel(evaluate_run, runs, options.n_jobs, options.episodes, not options.stochastic, options.seed)
    if failed:
        raise UserError(f"{failed} of {len(runs)} runs were not evaluated")


if __name__ == "__main__":
    sys.exit(main())
