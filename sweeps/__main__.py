"""`python -m sweeps`: runs a sweep, or resumes it."""

import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sweeps

if not getattr(sweeps, "PGBENCH", False):
    sys.exit(
        f"sweeps: error: {sweeps.__file__} is another package of this name, W&B's, and hides ours: "
        "pip uninstall sweeps, then pip install --force-reinstall --no-deps pgbench-rl"
    )

from pgbench.composition import check
from pgbench.composition import split as split_arguments
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.runs.code import take_stock
from pgbench.runs.forecast import Rates, counts, duration, ignored, look
from pgbench.terminal import path_of, print_anything
from pgbench.terminal import show as show_text
from sweeps.expand import Overrides, descriptions, expand, load
from sweeps.options import OPTIONS, Options, describe, parse
from sweeps.options import check as check_options

TRAINER = "pgbench.runs.job"
"""The module that trains: `run_job(config, seeds, stop=...)`, `Interrupted`. Only workers import it: it needs torch."""


def main(arguments: Sequence[str] | None = None, trainer: str = TRAINER) -> int:
    """Gives the exit status: 0 all done, 1 some failed, 2 a mistake in the command, 130 or 143 stopped by a signal."""
    arguments = sys.argv[1:] if arguments is None else arguments
    print_anything()
    try:
        overrides, config_dirs, flags = split_arguments(arguments)
        if {"-h", "--help"} & set(flags):
            show_text(describe(descriptions(config_dirs), config_dirs))
            return 0
        if flags:
            raise UserError(f"{flags[0]}: no such option; write key=value, --config-dir DIR or --help")
        return run(arguments, overrides, config_dirs, trainer)
    except UserError as error:
        print(f"sweeps: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # the disk is full, a directory belongs to somebody else
        print(f"sweeps: error: output_dir: {error.filename or ''} {error.strerror}", file=sys.stderr)
        return 2


def run(arguments: Sequence[str], given: Sequence[str], config_dirs: Sequence[str], trainer: str) -> int:
    """Expands, plans, drives, closes; `main` says what it gives. Raises UserError before anything is trained."""
    from rich.console import Console

    from pgbench.tracking import follow
    from sweeps.backends import make_backend
    from sweeps.driver import Stop, drive
    from sweeps.plan import split
    from sweeps.progress import Progress
    from sweeps.state import mark_pending

    begun = time.monotonic()
    check([], config_dirs)
    options, sweep, overrides = read(given, config_dirs)
    if "search" in sweep:
        from sweeps.search.command import search

        return search(sweep, options, overrides, config_dirs, arguments, trainer)
    asked, jobs = plan(options, sweep, overrides, config_dirs)
    for line in ignored({key for job in asked for key in job}, jobs):
        print(f"sweeps: {line}", file=sys.stderr)
    if any(job.dry_run for job in jobs):
        print(dry_run(jobs, options))
        return 0
    places = {place: str(writable(place)) for place in dict.fromkeys(job.output_dir for job in jobs)}
    jobs = [replace(job, output_dir=places[job.output_dir]) for job in jobs]

    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.receive)
    console = Console(width=None if sys.stdout.isatty() else 200)  # a file has no width
    if len(jobs) < len(asked):
        console.print(f"{len(asked)} jobs are {len(jobs)}: the others differ in nothing that their algorithm reads")
    for line in take_stock((job, job.seed_list) for job in jobs):
        console.print(line, highlight=False)
    show = Progress(jobs, console)
    units = split([(job, show.open_seeds(job)) for job in jobs], options.n_jobs, options.seeds_per_process)
    failed = 0
    with follow(jobs, Path(options.sweep or options.output_dir).stem, show.say):
        if units:
            backend = make_backend(options, trainer, len(units))
            try:
                mark_pending(units)  # while the processes start
                show.say(f"{show.line()}: {len(units)} units on {options.n_jobs} processes")
                with show:
                    failed = drive(units, backend, options, show, stop)
            finally:
                backend.close()
        show.console.print(show.table())
        show.say(f"{show.line()} · took {duration(time.monotonic() - begun)} · records in {', '.join(places)}")
        if failed or stop:
            show.say(f"re-run the same command to resume what is not done: python -m sweeps {shlex.join(arguments)}")
    return 128 + stop.signal if stop.signal else int(failed > 0)


def read(given: Sequence[str], config_dirs: Sequence[str]) -> tuple[Options, dict[str, Any], Overrides]:
    """A sweep's options, what else its file says, and what else the command line says. Raises UserError."""
    own, overrides = parse(given, config_dirs)
    options = check_options(own)
    if options.sweep is None and not overrides:
        raise UserError(f"sweep: missing, allowed is {', '.join(descriptions(config_dirs))} or the path of a YAML file")
    sweep = load(options.sweep, config_dirs) if options.sweep else {}
    of_file = {key: sweep.pop(key) for key in OPTIONS.keys() & sweep.keys() - {"sweep"}}
    if "output_dir" in own and "search" not in sweep:
        overrides = {**overrides, "output_dir": [own["output_dir"]]}  # above that of a block
    return check_options({**of_file, **own}), sweep, overrides


def plan(
    options: Options, sweep: Mapping[str, Any], overrides: Overrides, config_dirs: Sequence[str]
) -> tuple[list[Overrides], list[Config]]:
    """The jobs that a sweep asks for, and those that they are. Raises UserError."""
    from sweeps.plan import resolve

    asked = expand({"output_dir": options.output_dir, **sweep}, overrides)
    return asked, resolve(asked, config_dirs)


def dry_run(jobs: Sequence[Config], options: Options) -> str:
    """What a sweep would take."""
    from sweeps.plan import forecast

    found, rates = [look(job) for job in jobs], Rates()
    seconds = forecast(found, options.n_jobs, options.seeds_per_process, rates)
    time_ = f"\nabout {duration(seconds)} on {options.n_jobs} processes, by {rates}" if rates.sources else ""
    return f"{counts(found)}{time_}\ndry run: nothing was trained or written"


def writable(path: str) -> Path:
    """The absolute path of a directory, made if need be. Raises UserError if nothing can be written there."""
    directory = path_of(path).resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise UserError(f"output_dir: cannot write {directory}: {error.strerror}") from None
    return directory


if __name__ == "__main__":
    sys.exit(main())
