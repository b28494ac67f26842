"""What `python -m sweeps.status DIR` says of a search: trials, the best so far, time left. It only reads."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pgbench.errors import UserError
from pgbench.runs.lock import holder
from sweeps.search.samplers import INSTALL
from sweeps.search.study import CONFIRMATION, JOURNAL, PLAN, STATES, TRIALS
from sweeps.status import LISTED, Standing, scan


def report(directory: Path) -> str:
    """A row a study, then what failed, in plain text. Raises UserError without Optuna."""
    from rich.console import Console
    from rich.table import Table

    from pgbench.runs.forecast import duration

    # A part that has not begun has no directory, or none with a run.
    runs = {part: _scan(directory / part) for part in (TRIALS, CONFIRMATION)}
    rate = sum(run.rate for each in runs.values() for run in each)
    studies = _studies(directory)
    confirming = runs[CONFIRMATION]
    to_go = sum(_left(study, not confirming) for study in studies) + sum(run.left for run in confirming)
    to_go -= sum(run.steps for run in runs[TRIALS] if run.state == "running")
    table = Table("study", "trials", *STATES.values(), "best", "in trial", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    failed = []
    for study in studies:
        count, best = _counts(study), _best(study)
        value = [f"{best.value:.6g}", str(best.number)] if best else ["-", "-"]
        ended = sum(count[state] for state in ("done", "pruned", "failed"))
        size = study.user_attrs.get(PLAN, {}).get("size", "?")
        table.add_row(study.study_name, f"{ended} of {size}", *(str(count[s]) for s in STATES.values()), *value)
        failed += [
            f"failed: {study.study_name} trial {trial.number}: {trial.user_attrs.get('message', '')}"
            for trial in study.get_trials(deepcopy=False)
            if trial.state.name == "FAIL"
        ]
    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as capture:
        console.print(table)
    confirmed = Counter(run.state for run in runs[CONFIRMATION])
    lines = (
        [f"confirmation: {', '.join(f'{n} {state}' for state, n in sorted(confirmed.items()))}"] if confirmed else []
    )
    by = holder(directory)
    if to_go <= 0:
        lines.append("the search is over")
    elif by is None:
        lines.append("nobody searches here now; re-run the same command to resume")
    elif rate:
        lines.append(f"{rate:,.0f} env-steps/s, at most {duration(max(0, to_go) / rate)} left")
    more = [f"... and {len(failed) - LISTED} more"] if len(failed) > LISTED else []
    return "\n".join([capture.get().rstrip(), *lines, *failed[:LISTED], *more])


def _studies(directory: Path) -> list[Any]:
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UserError(f"{directory} holds a search, which needs Optuna: {INSTALL}") from None
    storage = JournalStorage(JournalFileBackend(str(directory / JOURNAL)))
    return [optuna.load_study(study_name=each, storage=storage) for each in optuna.get_all_study_names(storage)]


def _counts(study: Any) -> Counter[str]:
    return Counter(STATES.get(trial.state.name, "waiting") for trial in study.get_trials(deepcopy=False))


def _best(study: Any) -> Any:
    try:
        return study.best_trial
    except ValueError:  # none is complete
        return None


def _left(study: Any, confirmation: bool) -> int:
    """Environment steps of the trials to come, at most; of the confirmation as well if that is wanted."""
    plan, count = study.user_attrs.get(PLAN), _counts(study)
    if not plan:
        return 0
    ended = sum(count[state] for state in ("done", "pruned", "failed"))
    return int((plan["size"] - ended) * plan["trial_steps"] + confirmation * plan["confirm_steps"])


def _scan(directory: Path) -> list[Standing]:
    try:
        return scan(directory)
    except UserError:
        return []
