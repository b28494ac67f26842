"""The Python interface: what `import pgbench` offers (pgbench/__init__.py loads it with its first use)."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pgbench.after.evaluation import evaluate
from pgbench.composition import compose
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.experience.fresh import FreshEpisodes
from pgbench.experience.making import check_env, make_env
from pgbench.policy import Policy
from pgbench.runs.code import take_stock
from pgbench.runs.job import Interrupted, run_job
from pgbench.runs.lock import Held, lock
from pgbench.runs.records import POLICY, read_status, seed_dir
from pgbench.tracking import follow

__all__ = [
    "Config",
    "FreshEpisodes",
    "Interrupted",
    "Policy",
    "Run",
    "UserError",
    "compose",
    "evaluate",
    "load_policy",
    "make_env",
    "train",
]


@dataclass(frozen=True)
class Run(os.PathLike[str]):
    """A run (one seed of a job) on disk: usable wherever a path is."""

    directory: Path
    seed: int
    status: str
    """done, or diverged"""

    def __fspath__(self) -> str:
        return str(self.directory)

    __str__ = __fspath__


def train(
    config: Config,
    show: Callable[[int], None] = lambda steps: None,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Run]:
    """Trains a job, all its seeds in lockstep, or resumes it; its runs in the order of `config.seed_list`.

    `show` hears about once a second how many environment steps all seeds have done, `say` what a person should know
    of runs that are already there or could not be followed; when `stop` says so, it checkpoints and raises Interrupted.
    Raises UserError for what a user can mend. Works in any thread; signal handlers and torch's threads are left as
    found.
    """
    if config.dry_run:
        raise UserError("dry_run: this would train; the command tells what it takes: python -m pgbench dry_run=true")
    check_env(config.env)  # a mistake here leaves no directories behind
    with follow([config], say=say), ExitStack() as locks:
        for line in take_stock([(config, config.seed_list)]):
            say(line)
        try:
            for seed in config.seed_list:
                locks.enter_context(lock(seed_dir(config.job_dir, seed)))
        except Held as error:
            raise UserError(f"output_dir: another process trains in {config.job_dir}: {error}") from None
        except OSError as error:
            raise UserError(f"output_dir: cannot write {config.job_dir}: {error.strerror}") from None
        statuses = run_job(config, show=show, stop=stop)
    hurt = [seed_dir(config.job_dir, seed) for seed, status in statuses.items() if status == "failed"]
    if hurt:
        raise UserError("; ".join(str(read_status(directory)["message"]) for directory in hurt))
    return [Run(seed_dir(config.job_dir, seed), seed, statuses[seed]) for seed in config.seed_list]


def load_policy(run: str | os.PathLike[str]) -> Policy:
    """The policy of a run, its directory, or a policy file. Raises UserError where there is none."""
    path = Path(run)
    file = path / POLICY if path.is_dir() else path
    if not file.exists():
        raise UserError(
            f"{file}: no such policy; a run keeps its own from its first checkpoint on, snapshots=[...] more"
        )
    return Policy.load(file)
