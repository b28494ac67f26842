"""`python -m pgbench`: trains one job; with -m, Hydra's multirun; `rerun RUN` makes a recorded run again."""

import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from pgbench.commands import fail
from pgbench.composition import (
    check,
    choices,
    compose,
    for_hydra,
    own_algorithms,
    parse,
    searchpath,
    split,
    values,
    with_overrides,
)
from pgbench.config import CONF, GROUPS, Config, to_plain
from pgbench.errors import UserError
from pgbench.plugins import look_beside
from pgbench.runs.forecast import Hint, Rates, counts, duration, ignored, look, seconds_of
from pgbench.runs.recorded import read_config
from pgbench.runs.records import last_return
from pgbench.terminal import print_anything, show
from pgbench.validation import keys, own_defaults, own_keys, validate

HELP = """pgbench trains one job: one algorithm on one environment over some seeds.
  python -m pgbench algorithm=trpo env=cartpole seeds=10 total_steps=200000 output_dir=runs
  python -m pgbench rerun runs/trpo-CartPole-v1-0123456789/seed-0 output_dir=again     makes a recorded run again
  python -m pgbench -m algorithm=vpg,npg env=cartpole hydra/launcher=joblib            Hydra's multirun
  python -m pgbench algorithm=ppo --config-dir examples/ppo/conf                       configs and code of your own

Code of your own, `module:name` in a config, is looked for as Python does: in the working directory, among what is
installed, on PYTHONPATH; and in the directory that holds a --config-dir (examples/ppo for examples/ppo/conf)."""


def run(config: Config, bar: bool, arguments: Sequence[str] = ()) -> None:
    """Runs the job, with a bar of its progress if that is wanted; Ctrl-C and SIGTERM stop it after a checkpoint.

    `arguments`: what `python -m sweeps` would be given for the same; where there are any, a long job says so.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pgbench.api import train
    from pgbench.runs.job import Interrupted

    received: list[int] = []

    def ask_to_stop(number: int, frame: Any) -> None:
        received.append(number)

    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        columns = (TextColumn("{task.completed:,} of {task.total:,} env-steps"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not bar) as progress:
            task = progress.add_task("", total=config.total_steps * len(config.seed_list))
            hint = Hint(config, f"python -m sweeps {shlex.join(arguments)}", tell) if arguments else None

            def show(steps: int) -> None:
                progress.update(task, completed=steps)
                if hint:
                    hint(steps)

            runs = train(config, show, tell, lambda: bool(received))
    except Interrupted:
        tell(f"stopped after a checkpoint; re-run the same command to resume ({config.job_dir})")
        sys.exit(128 + received[0])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    print(config.job_dir)
    print("  ".join(f"seed {run.seed}: {run.status}{_ended(run.directory)}" for run in runs))


def _ended(directory: Path) -> str:
    """The return a run ended with: the mean of its last 100 training episodes."""
    found = last_return(directory)
    return "" if found is None else f", return {found:.1f}"


def tell(line: str) -> None:
    """A line to the person, beside the command's output."""
    print(f"pgbench: {line}", file=sys.stderr)


def dry_run(configs: Sequence[Config]) -> str:
    """What jobs would take, one after another in this process, the seeds of each in lockstep."""
    jobs, rates = [look(config) for config in configs], Rates()
    seconds = sum(seconds_of(list(job.left.values()), rates(job.config)) for job in jobs if job.left)
    time = f"\nabout {duration(seconds)} in one process, by {rates}" if rates.sources else ""
    return f"{counts(jobs)}{time}\ndry run: nothing was trained or written"


def told(overrides: Sequence[str], configs: Sequence[Config]) -> bool:
    """Warns of what no job reads; where this is a dry run, tells what the jobs would take and gives True."""
    for line in ignored((override.key_or_group for override in parse(overrides)), configs):
        tell(line)
    if any(config.dry_run for config in configs):
        print(dry_run(configs))
        return True
    return False


def rerun(arguments: Sequence[str]) -> Config:
    """`rerun RUN [key=value ...]`: the config of a run's record, with changes. Raises UserError."""
    if not arguments or "=" in arguments[0]:
        raise UserError("rerun: give a run's directory or its config.yaml, then key=value as usual")
    return with_overrides(read_config(Path(arguments[0])), arguments[1:])


def describe(config_dirs: Sequence[str]) -> str:
    """The text of --help."""
    config = compose([], config_dirs)

    def default(key: str) -> Any:
        value: Any = to_plain(config)
        for part in key.split("."):
            value = value[part]
        return _shown(value)

    own: list[str] = []
    for name, spec in own_algorithms(config_dirs).items():
        given = own_defaults(spec)
        own += ["", f"== Keys of algorithm={name} =="]
        own += [_row(f"{key}={_shown(given.get(key, '...'))}", meaning) for key, meaning in own_keys(spec).items()]
    groups = [f"  {group:<18}{', '.join(choices(group, config_dirs))}" for group in GROUPS]
    rows = [_row(f"{key}={default(key)}", meaning) for key, meaning in keys()]
    head = [HELP, "", "== Groups and their choices (group=choice) ==", *groups, "", "== Keys (key=value) =="]
    foot = [
        "",
        "Any Gymnasium environment with Discrete or Box actions and observations that flatten to numbers goes:",
        "env.id=Some-v1 or env.id=module:Some-v1.",
    ]
    return "\n".join([*head, *rows, *own, *foot])


def _row(key: str, meaning: str) -> str:
    return f"  {key:<52} {meaning}"


def _shown(value: Any) -> Any:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else value


def expand(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> list[list[str]]:
    """The overrides of each job of a multirun, without those for Hydra itself. Raises UserError."""
    several = []
    for override in parse(overrides):
        if override.key_or_group.startswith("hydra"):
            continue
        if not override.is_sweep_override():
            several.append([override.input_line])
        elif override.key_or_group in GROUPS:
            several.append([f"{override.key_or_group}={choice}" for choice in values(override, config_dirs)])
        else:
            values(override)  # raises for what is no list
            several.append([f"{override.get_key_element()}={text}" for text in override.sweep_string_iterator()])
    return [list(job) for job in product(*several)]


def multirun(overrides: Sequence[str], config_dirs: Sequence[str], flags: Sequence[str]) -> int:
    """Hydra's own command: -m, --cfg, its launchers; gives the exit status. Raises UserError before anything is
    trained; what a job meets later is told, and the others go on."""
    import hydra
    from omegaconf import DictConfig, OmegaConf

    check(parse(overrides), config_dirs)
    if told(overrides, [compose(job, config_dirs) for job in expand(overrides, config_dirs)]):
        return 0

    with tempfile.NamedTemporaryFile("r", prefix="pgbench-", encoding="utf-8") as mistakes:
        path = mistakes.name

        def task(composed: DictConfig) -> None:
            content: Any = OmegaConf.to_container(composed, resolve=True)
            try:
                run(validate(content), bar=False)
            except UserError as error:  # perhaps in a process of a launcher
                fail(error)
                with open(path, "a", encoding="utf-8") as file:
                    file.write("1")

        search = [searchpath(config_dirs)] if config_dirs else []
        sys.argv[:] = ["pgbench", *flags, *for_hydra(overrides, config_dirs), *search]
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(task)()
        return 2 if mistakes.read() else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit status."""
    print_anything()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        overrides, config_dirs, flags = split(arguments)
        if {"-h", "--help"} & set(flags):
            show(describe(config_dirs))
        elif overrides[:1] == ["rerun"]:
            look_beside(config_dirs)
            config = rerun(overrides[1:])
            if not told(overrides[2:], [config]):
                run(config, bar=sys.stderr.isatty())
        elif flags or any(override.key_or_group.startswith("hydra") for override in parse(overrides)):
            return multirun(overrides, config_dirs, flags)
        else:
            config = compose(overrides, config_dirs)
            if not told(overrides, [config]):
                run(config, sys.stderr.isatty(), arguments)
    except UserError as error:
        fail(error)
        return 2
    return 0
