"""`python -m pgbench`: trains one job; with -m, Hydra's multirun."""

import signal
import sys
from contextlib import ExitStack
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pgbench.config import CONF, Config, check_overrides, compose, keys, validate
from pgbench.errors import UserError


def train(config: Config, bar: bool) -> None:
    """Runs the job, with a bar of its progress if that is wanted; Ctrl-C and SIGTERM stop it after a checkpoint."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pgbench.envs import make_env
    from pgbench.job import Interrupted, run_job, stop
    from pgbench.lock import Held, lock
    from pgbench.records import seed_dir
    from pgbench.tracking import follow

    received: list[int] = []

    def ask_to_stop(number: int, frame: Any) -> None:
        received.append(number)
        stop.set()

    make_env(config.env).close()  # a mistake here leaves no directories behind
    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with follow([config]), ExitStack() as locks:
            try:
                for seed in config.seed_list:
                    locks.enter_context(lock(seed_dir(config.job_dir, seed)))
            except Held as error:
                raise UserError(f"output_dir: another process trains in {config.job_dir}: {error}") from None
            except OSError as error:
                raise UserError(f"output_dir: cannot write {config.job_dir}: {error.strerror}") from None
            columns = (TextColumn("{task.completed:,} of {task.total:,} env-steps"), BarColumn(), TimeRemainingColumn())
            with Progress(*columns, console=Console(stderr=True), transient=True, disable=not bar) as progress:
                task = progress.add_task("", total=config.total_steps * len(config.seed_list))
                statuses = run_job(config, show=lambda steps: progress.update(task, completed=steps))
    except Interrupted:
        print(
            f"pgbench: stopped after a checkpoint; the same command goes on ({config.job_dir})",
            file=sys.stderr,
        )
        sys.exit(128 + received[0])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    print(config.job_dir)
    print("  ".join(f"seed {seed}: {status}" for seed, status in statuses.items()))


@hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")
def main(composed: DictConfig) -> None:
    values: Any = OmegaConf.to_container(composed, resolve=True)
    config = validate(values)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        train(config, bar=False)
        return
    try:
        train(config, bar=sys.stderr.isatty())
    except UserError as error:
        fail(error)


def fail(error: UserError) -> None:
    print(f"pgbench: error: {error}", file=sys.stderr)
    sys.exit(2)


def expand(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a multirun, without those for Hydra itself."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    check_overrides(overrides)
    mine = [override for override in overrides if not override.startswith("hydra")]
    (jobs,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(mine), None)
    return [list(job) for job in jobs]


def command() -> None:
    """Checks the command line before Hydra sees it, so that a mistake is one line."""
    arguments = sys.argv[1:]
    flags = [argument for argument in arguments if argument.startswith("-")]
    overrides = [argument for argument in arguments if "=" in argument and not argument.startswith("-")]
    try:
        if not flags:
            compose(arguments)
        elif set(flags) <= {"-m", "--multirun"}:
            for job in expand(overrides):
                compose(job)
    except UserError as error:
        fail(error)
    try:
        main()
    finally:
        if {"-h", "--help"} & set(flags):
            width = max(len(name) for name, _ in keys())
            print("== What the keys mean ==\n")
            print("\n".join(f"{name:{width}}  {meaning}" for name, meaning in keys()))


if __name__ == "__main__":
    command()
