"""`python -m pgbench`: trains one job; with -m, Hydra's multirun."""

import signal
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pgbench.commands import fail
from pgbench.config import CONF, Config, check_overrides, compose, keys, validate, with_overrides
from pgbench.errors import UserError
from pgbench.runs.recorded import read_config


def run(config: Config, bar: bool) -> None:
    """Runs the job, with a bar of its progress if that is wanted; Ctrl-C and SIGTERM stop it after a checkpoint."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pgbench.api import train
    from pgbench.runs.job import Interrupted, stop

    received: list[int] = []

    def ask_to_stop(number: int, frame: Any) -> None:
        received.append(number)
        stop.set()

    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        columns = (TextColumn("{task.completed:,} of {task.total:,} env-steps"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not bar) as progress:
            task = progress.add_task("", total=config.total_steps * len(config.seed_list))
            runs = train(config, lambda steps: progress.update(task, completed=steps), tell)
    except Interrupted:
        tell(f"stopped after a checkpoint; re-run the same command to resume ({config.job_dir})")
        sys.exit(128 + received[0])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    print(config.job_dir)
    print("  ".join(f"seed {run.seed}: {run.status}" for run in runs))


def tell(line: str) -> None:
    """A line to the person, beside the command's output."""
    print(f"pgbench: {line}", file=sys.stderr)


@hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")
def hydra_main(composed: DictConfig) -> None:
    """What Hydra calls with each job's config."""
    values: Any = OmegaConf.to_container(composed, resolve=True)
    config = validate(values)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        run(config, bar=False)
        return
    try:
        run(config, bar=sys.stderr.isatty())
    except UserError as error:
        fail(error)
        sys.exit(2)


def expand(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a multirun, without those for Hydra itself."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    check_overrides(overrides)
    mine = [override for override in overrides if not override.startswith("hydra")]
    (jobs,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(mine), None)
    return [list(job) for job in jobs]


def rerun(arguments: list[str]) -> Config:
    """`python -m pgbench rerun RUN [key=value ...]`: the config of a run's record, with changes."""
    if not arguments or "=" in arguments[0]:
        raise UserError("rerun: give a run's directory or its config.yaml, then key=value as usual")
    path = Path(arguments[0])
    return with_overrides(read_config(path), arguments[1:])


def main() -> int:
    """Gives the exit status. Checks the command line before Hydra sees it, so that a mistake is one line."""
    arguments = sys.argv[1:]
    flags = [argument for argument in arguments if argument.startswith("-")]
    overrides = [argument for argument in arguments if "=" in argument and not argument.startswith("-")]
    try:
        if arguments[:1] == ["rerun"]:
            run(rerun(arguments[1:]), bar=sys.stderr.isatty())
            return 0
        if not flags:
            compose(arguments)
        elif set(flags) <= {"-m", "--multirun"}:
            for job in expand(overrides):
                compose(job)
    except UserError as error:
        fail(error)
        return 2
    try:
        hydra_main()
    finally:
        if {"-h", "--help"} & set(flags):
            width = max(len(name) for name, _ in keys())
            print("== What the keys mean ==\n")
            print("\n".join(f"{name:{width}}  {meaning}" for name, meaning in keys()))
    return 0
