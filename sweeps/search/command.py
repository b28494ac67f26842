"""`python -m sweeps sweep=FILE` where the file says `search:`. The same command resumes."""

import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pgbench.errors import UserError, nearest
from pgbench.files import write_atomic
from pgbench.runs.forecast import Rates, duration, ignored
from pgbench.runs.lock import Held, lock
from pgbench.terminal import path_of
from pgbench.validation import keys
from sweeps.expand import expand
from sweeps.options import Options
from sweeps.search import schema
from sweeps.search.confirmation import winner_file
from sweeps.search.space import parse_space
from sweeps.search.study import Study, Subject, open_storage, subject

HYPERPARAMETERS = "hyperparameters"  # directory of the winners' files


def search(
    sweep: Mapping[str, Any],
    options: Options,
    overrides: Mapping[str, Sequence[Any]],
    config_dirs: Sequence[str],
    arguments: Sequence[str],
    trainer: str,
) -> int:
    """Searches every job of a sweep, confirms, writes tables and winners. Gives the exit status. Raises UserError."""
    from sweeps.__main__ import writable

    subjects = plan(sweep, overrides, path_of(options.output_dir).resolve(), tuple(config_dirs))
    bases = [config for each in subjects for config in each.base]
    for line in ignored({key for each in subjects for key in each.job}, bases):
        print(f"sweeps: {line}", file=sys.stderr)
    if any(config.dry_run for config in bases):
        print(dry_run(subjects, options))
        return 0
    directory = writable(options.output_dir)
    try:
        with lock(directory):
            return _run(subjects, directory, str(sweep.get("description", "")), options, arguments, trainer)
    except Held as error:
        raise UserError(f"output_dir: {error} searches in {directory}; wait for it, or choose another one") from None


def dry_run(subjects: Sequence[Subject], options: Options) -> str:
    """What a search would take, if no trial is stopped early."""
    lines, rates, seconds = [], Rates(), 0.0
    for each in subjects:
        wanted, steps = each.search, sum(config.total_steps for config in each.base)
        trials = wanted.trials * len(wanted.seed_list)
        confirmed = (wanted.confirm.best + 1) * len(wanted.confirm.seed_list)
        runs = (trials + confirmed) * len(each.base)
        lines.append(
            f"{each.name}: at most {runs} runs ({trials * len(each.base)} in {wanted.trials} trials, the others to "
            f"confirm): {(trials + confirmed) * steps:,} env-steps"
        )
        seconds += sum((trials + confirmed) * config.total_steps * rates(config) for config in each.base)
    lines += [f"at most about {duration(seconds / options.n_jobs)} on {options.n_jobs} processes, by {rates}"]
    return "\n".join([*lines, "dry run: nothing was trained or written"])


def plan(
    sweep: Mapping[str, Any],
    overrides: Mapping[str, Sequence[Any]],
    directory: Path,
    config_dirs: tuple[str, ...] = (),
) -> list[Subject]:
    """The studies of a sweep file: one for each of its jobs. Raises UserError."""
    ours = {key: values for key, values in overrides.items() if key.startswith("search.")}
    wanted = schema.read(sweep["search"], ours)
    common = {key: value for key, value in sweep.items() if key != "search"}
    others = {key: values for key, values in overrides.items() if key not in ours}
    space, jobs = parse_space(wanted.space), expand(common, others)
    if "${" in str(directory) or any("output_dir" in job for job in jobs):
        raise UserError("output_dir: a search has one directory; write it beside `jobs`, without ${...}")
    if any("seeds" in job for job in jobs):
        raise UserError("seeds: a search has search.seeds and search.confirm.seeds; set these")
    subjects = [subject(job, wanted, space, directory, config_dirs) for job in jobs]
    known = [name for name, _ in keys()]
    for key in (dimension.key for dimension in space):  # own keys are known to the algorithm that reads them
        if key not in known and not any(key == kept.key for each in subjects for kept in each.space):
            raise UserError(f"search.space.{key}: no such key{nearest(key, known)}")
    for each in subjects:
        if not each.space:
            raise UserError(f"search.space: {each.name} reads none of {', '.join(d.key for d in space)}")
    names = [each.name for each in subjects]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"jobs: {len(names)} jobs, but {', '.join(sorted(repeated))} more than once; one study each")
    return subjects


def _run(
    subjects: Sequence[Subject],
    directory: Path,
    description: str,
    options: Options,
    arguments: Sequence[str],
    trainer: str,
) -> int:
    from rich.console import Console

    from sweeps.backends import make_backend
    from sweeps.driver import Stop, drive
    from sweeps.search import table
    from sweeps.search.progress import SearchProgress
    from sweeps.search.source import Source, StudySource

    begun = time.monotonic()
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.receive)
    storage = open_storage(directory)
    studies = [Study(each, storage) for each in subjects]
    show = SearchProgress(studies, Console())
    sources = [StudySource(study, options.n_jobs, options.seeds_per_process, show.say) for study in studies]
    show.say(show.line())
    backend = make_backend(options, trainer, options.n_jobs)
    try:
        with show:
            failed = drive([], backend, options, show, stop, Source(sources))
    finally:
        backend.close()
        found = [(source.study, source.candidates or []) for source in sources]
        content = table.write(directory, description, found, over=not stop)
    show.console.print(show.table())
    if not stop:
        for source, told in zip(sources, content["studies"], strict=True):
            show.say(summary(told))
            if path := write_winner(source.study, told, directory):
                show.say(f"winner: {path}")
    show.say(f"took {duration(time.monotonic() - begun)} · {table.TABLE}, {table.CSV} and the journal in {directory}")
    if failed or stop:
        show.say(f"re-run the same command to resume: python -m sweeps {shlex.join(arguments)}")
    return 128 + stop.signal if stop.signal else int(failed > 0 or stop.failures)


def summary(told: Mapping[str, Any]) -> str:
    """One study's result: the best trial in the search and on fresh seeds, the winner there, its gain."""
    found = told["confirmation"]
    if not found:
        return f"{told['name']}: no trial was trained to its end, nothing to confirm"
    by_trial = {each["trial"]: each["confirmed"] for each in found["candidates"]}
    best = (
        f"{told['name']}: trial {found['best']} was best in the search with {found['searched']:.4g}, and scores "
        f"{_interval(by_trial[found['best']])} on fresh seeds ({len(found['seeds'])}; optimism {found['optimism']:.3g})"
    )
    if found["winner"] is None:
        return f"{best}; no confirmed trial beats the defaults, which score {_interval(found['confirmed'])} there"
    won = (
        ""
        if found["winner"] == found["best"]
        else f"; there trial {found['winner']} wins, {_interval(found['confirmed'])}"
    )
    gain = f"; gain on the defaults, the choice held out, {_interval(found['gain'])}" if found["gain"] else ""
    return best + won + gain


def write_winner(study: Study, told: Mapping[str, Any], directory: Path) -> Path | None:
    """Writes the winner's hyperparameters file, with its provenance. None, and no file, if no trial won."""
    found, name = told["confirmation"], f"tuned-{study.subject.name}"
    path = directory / HYPERPARAMETERS / f"{name}.yaml"
    if not found or found["winner"] is None:
        path.unlink(missing_ok=True)  # of an earlier confirmation
        return None
    params = study.params(study.trials[found["winner"]])
    config = study.subject.jobs(params, study.search.seed_list, "")[0]
    honest, gain = found["held_out"], found["gain"]
    provenance = {
        "found by a search of": f"{told['name']}, {told['total_steps']} environment steps a run",
        "space": {dimension.key: _written(dimension) for dimension in study.subject.space},
        "searched": f"{len(told['trials'])} trials by {told['sampler']} (seed {told['seed']}), "
        f"pruner {told['pruner']}, {told['cost']['env_steps']} environment steps",
        "objective": f"{told['objective']}, {told['statistic']} over tuning seeds {told['seeds']}",
        "value in the search": f"{study.trials[found['winner']].value:.6g} (trial {found['winner']})",
        "on fresh seeds": f"{_interval(found['confirmed'])}, seeds {found['seeds']}",
        "with the choice among the best held out": _interval(honest) if honest else "not compared",
        "defaults": {dimension.key: told["defaults"][dimension.key] for dimension in study.subject.space},
        "gain on the defaults": _interval(gain) if gain else "not compared",
    }
    path.parent.mkdir(exist_ok=True)
    other = {key: value for key, value in params.items() if not key.startswith("hyperparameters.")}
    write_atomic(path, winner_file(name, config, other, provenance).encode())
    return path


def _written(dimension: Any) -> str:
    """A dimension in words."""
    if dimension.kind == "choice":
        return f"one of {list(dimension.choices)}"
    scale = ", logarithmic" if dimension.log else f", step {dimension.step:g}" if dimension.step else ""
    return f"{dimension.kind} from {dimension.low:g} to {dimension.high:g}{scale}"


def _interval(found: Mapping[str, Any]) -> str:
    value, low, high = (found[key] for key in ("value", "low", "high"))
    return f"{value:.4g} [{low:.4g}, {high:.4g}]" if low == low else f"{value:.4g}"
