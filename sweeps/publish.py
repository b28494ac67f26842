"""`python -m sweeps.publish DIR [DIR...]`: sends finished, running or partial runs to W&B or another tracker, also
those made with tracking off. Only what is missing is sent; the same command again changes nothing.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pgbench.errors import UserError
from pgbench.plugins import look_beside
from pgbench.runs.find import find_runs, seed_of
from pgbench.terminal import print_anything
from pgbench.tracking.follow import Watch, check, spec, tell_missing
from pgbench.tracking.ledger import DEFAULTS, Ledger

FLAGS = ("backend", "project", "entity", "group", "tags", "mode")


def find_jobs(directories: Sequence[Path], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The jobs below the directories (an output_dir, a job's or a run's directory). Raises UserError without any."""
    jobs: dict[Path, list[int]] = {}
    for run in find_runs(directories):
        jobs.setdefault(run.parent, []).append(seed_of(run))
    return [{"directory": str(job), "seeds": sorted(seeds), "settings": dict(given)} for job, seeds in jobs.items()]


def publish(jobs: Sequence[Mapping[str, Any]], job_type: str | None) -> int:
    """Sends what is missing; gives the number of runs that are not up to date after it."""
    sent: dict[str, Any] = {}

    def show(message: Mapping[str, Any]) -> None:
        if "ended" in message:
            sent[message["ended"]] = message
            run = Path(message["ended"])
            print(f"{run.parent.name}/{run.name}: {message['status']}, {message['rows']} rows")

    watch = Watch(spec(jobs, job_type, live=False), lambda text: None, show)
    watch.end(None)
    left = tell_missing(jobs, say, watch.problem)
    count = sum(len(job["seeds"]) for job in jobs)
    print(f"{count - left} of {count} runs are up to date, {len(sent)} sent now")
    return left


def verify(jobs: Sequence[Mapping[str, Any]]) -> int:
    """Reads W&B's files back and compares them with the records; gives the number of runs that differ."""
    from pgbench.tracking.verify import differences

    wrong = 0
    for job in jobs:
        for seed in job["seeds"]:
            run = Path(job["directory"]) / f"seed-{seed}"
            found = differences(run, job["settings"])
            wrong += bool(found)
            more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
            print(f"{run.parent.name}/{run.name}: {'; '.join(found[:5]) + more if found else 'equal'}")
    return wrong


def say(text: str) -> None:
    print(f"sweeps: {text}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Gives the exit status: 0 all is up to date (and equal), 1 something is not, 2 a mistake in the command."""
    print_anything()
    options = parser().parse_args(arguments)
    given = {name: getattr(options, name) for name in FLAGS if getattr(options, name) is not None}
    look_beside(options.config_dir)
    try:
        jobs = find_jobs(options.directories, given)
        for settings in _settled(jobs, given):
            check(settings)
        if options.figures:
            from pgbench.tracking.weights_and_biases import publish_figures

            records = options.directories if options.artifact else []
            print(publish_figures(options.figures, records, {**DEFAULTS, **given}))
            return 0
        left = publish(jobs, options.job_type)
        return int(bool(left) | bool(options.verify and verify(jobs)))
    except UserError as error:
        print(f"sweeps: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _settled(jobs: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The different settings that will be used."""
    found: dict[str, dict[str, Any]] = {}
    for job in jobs:
        for seed in job["seeds"]:
            try:
                settings = Ledger(Path(job["directory"]) / f"seed-{seed}").settle(given)
            except ValueError:  # told with the run
                settings = {**DEFAULTS, **given}
            found.setdefault(repr(settings), settings)
    return list(found.values())


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m sweeps.publish", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="directory with runs below it")
    parser.add_argument(
        "--mode", choices=("online", "offline"), help="W&B mode (default: as last time, else WANDB_MODE)"
    )
    parser.add_argument(
        "--config-dir", action="append", default=[], metavar="DIR", help="a module:name of your own is found beside it"
    )
    parser.add_argument("--backend", help="wandb, tensorboard or module:name (default: as last time, else wandb)")
    parser.add_argument("--project", help="W&B project (default: as last time, else pgbench)")
    parser.add_argument("--entity", help="W&B entity (default: as last time, else yours)")
    parser.add_argument("--group", help="W&B group (default: the job)")
    parser.add_argument("--tags", type=lambda text: text.split(","), metavar="TAG[,TAG...]", help="W&B tags")
    parser.add_argument("--job-type", help="W&B job type (default: as last time, else the name of DIR)")
    parser.add_argument("--verify", action="store_true", help="read W&B's files back and compare every row")
    parser.add_argument("--figures", type=Path, help="log this directory of figures and tables (of reports) instead")
    parser.add_argument("--artifact", action="store_true", help="with --figures: the records too, as an artifact")
    return parser


if __name__ == "__main__":
    sys.exit(main())
