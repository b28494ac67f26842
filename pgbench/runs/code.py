"""Which code made a run, and what becomes of runs that other code made."""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.plugins import source
from pgbench.runs.lock import Held, lock
from pgbench.runs.records import CHECKPOINT, PROVENANCE, is_over, policy_file, read_status, seed_dir

PACKAGE = Path(__file__).resolve().parents[1]
NUMBERS = ("maths", "experience", "learning", "algorithms", "policy.py", "config.py", "runs/trainer.py")
"""The parts of the package that decide what a run records."""
RETIRED = "retired"
"""Directory of a job's runs that were trained anew, `<seed>-<time>`; nothing reads it."""


def code(config: Config) -> str:
    """A digest of the source that decides what a job records: ours, and the modules it names by `module:name`."""
    own = hashlib.sha256()
    modules = own_modules(config)
    for module in modules:
        own.update(f"{module}\n".encode() + source(module))
    return _package() + (f"+{own.hexdigest()[:12]}" if modules else "")


def own_modules(config: Config) -> list[str]:
    """The modules outside this package and Gymnasium that a job names."""
    hp = config.effective.hyperparameters
    specs = [config.algorithm.update, config.algorithm.advantage, hp.network, config.env.id]
    specs += [hp.critic_network] if config.algorithm.uses_critic else []
    specs += [str(wrapper.get("wrapper")) for wrapper in config.env.wrappers]
    modules = {spec.partition(":")[0] for spec in specs if ":" in spec}
    return sorted(module for module in modules if module.partition(".")[0] not in ("pgbench", "gymnasium"))


@cache
def _package() -> str:
    digest = hashlib.sha256()
    for part in NUMBERS:
        for path in sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / part]:
            digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def made_by(directory: Path) -> str | None:
    """The digest of the code that last trained a run; None where that is not known."""
    try:
        last = json.loads((directory / PROVENANCE).read_text(encoding="utf-8").splitlines()[-1])
        return str(last["code"])
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return None


def take_stock(jobs: Iterable[tuple[Config, Sequence[int]]]) -> list[str]:
    """Looks at runs before they are trained: what a person should know, a line each.

    Runs that other code made are left alone if they are over; those half way are refused (UserError) unless the config
    says `other_code=resume`; with `other_code=retrain` both are set aside and begin anew.
    """
    over, half, retired, short = [], [], [], []
    for config, seeds in jobs:
        mine = code(config)
        for seed in seeds:
            directory = seed_dir(config.job_dir, seed)
            status = read_status(directory)
            maker, ended = made_by(directory), is_over(status, config.total_steps)
            if maker not in (None, mine):
                if config.other_code == "retrain":
                    retired.append(_retire(directory))
                    continue
                if ended:
                    over.append(directory)
                elif (directory / CHECKPOINT).exists() and config.other_code == "refuse":
                    half.append(directory)
            passed = [steps for steps in config.snapshots if ended and steps <= status.get("env_steps", 0)]
            short += [
                directory / policy_file(steps) for steps in passed if not (directory / policy_file(steps)).exists()
            ]
    if half:
        raise UserError(
            f"{_some(half)} half way, by other code: other_code=resume goes on with it all the same, "
            "other_code=retrain trains anew"
        )
    lines = []
    if retired:
        lines.append(f"{len(retired)} runs by other code are set aside (now {_path(retired)}) and trained anew")
    if over:
        lines.append(
            f"{len(over)} runs are left as other code made them ({_path(over)}); other_code=retrain trains anew"
        )
    if short:
        lines.append(
            f"{len(short)} snapshots were not kept when their runs passed them ({_path(short)}); train in another "
            "output_dir to have them"
        )
    return lines


def _retire(directory: Path) -> Path:
    """Sets a run aside. Raises UserError while another process trains it."""
    target = directory.parent / RETIRED / f"{directory.name.removeprefix('seed-')}-{time.strftime('%Y%m%dT%H%M%S')}"
    try:
        with lock(directory):
            target.parent.mkdir(exist_ok=True)
            directory.rename(target)
    except Held as error:
        raise UserError(f"other_code: {directory} is being trained by {error}; stop that first") from None
    return target


def _some(directories: Sequence[Path]) -> str:
    count = len(directories)
    return f"{directories[0]} stands" if count == 1 else f"{count} runs ({_path(directories)}) stand"


def _path(paths: Sequence[Path]) -> str:
    return str(paths[0]) + (", ..." if len(paths) > 1 else "")
