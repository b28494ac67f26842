"""The trials of one study in Optuna's journal: asked once, told once, whatever was killed in between.

All that a study knows is in the journal, a file of JSON lines in the sweep's directory, which optuna-dashboard opens as
it stands. Its writer holds the sweep's lock.
"""

import json
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pgbench.config import Config, to_plain
from pgbench.errors import UserError
from reports.normalization import load_bounds
from reports.possible import returns as possible_returns
from reports.statistics import Interval
from sweeps.expand import Overrides
from sweeps.plan import resolve
from sweeps.search.objective import NEVER, Objective, solved_at
from sweeps.search.pruners import halved, looks, pruner
from sweeps.search.samplers import INSTALL, learner, points, size
from sweeps.search.schema import Search
from sweeps.search.space import Dimension, Params, deciding, encode, relevant

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

JOURNAL = "journal.log"
PLAN = "plan"  # attribute of a study: what it will take
STATES = {"COMPLETE": "done", "RUNNING": "running", "PRUNED": "pruned", "FAIL": "failed"}
TRIALS, CONFIRMATION = "trials", "confirmation"  # directories of the runs


@dataclass(frozen=True)
class Subject:
    """What a study searches: one job of the sweep, the space its algorithm reads, and the sweep's directory."""

    job: Overrides
    search: Search
    space: tuple[Dimension, ...]
    directory: Path
    config_dirs: tuple[str, ...] = ()

    @cached_property
    def base(self) -> list[Config]:
        """The defaults: the job as its file has it, one config a task, with the tuning seeds."""
        return self.jobs({}, self.search.seed_list, TRIALS)

    @cached_property
    def name(self) -> str:
        """`<algorithm>-<env>`, or `<algorithm>-<number of tasks>tasks`."""
        one = self.base[0]
        envs = one.env.id if len(self.base) == 1 else f"{len(self.base)}tasks"
        return re.sub(r"[^A-Za-z0-9.-]+", "_", f"{one.algorithm.name}-{envs}")

    @cached_property
    def objectives(self) -> list[Objective]:
        """How a run of each task is scored."""
        search, found = self.search, []
        ranges = list((search.tasks or {}).values()) or [(0.0, 1.0)]
        for config, (low, high) in zip(self.base, ranges, strict=True):
            steps = search.objective == "steps_to_threshold"
            threshold = solved_at(config.env.id, search.threshold) if steps else math.nan
            evaluation = config.evaluation
            if search.returns == "evaluations" and evaluation.every is None:
                raise UserError(
                    "search.returns: got 'evaluations', but no run makes any: set evaluation.every to the environment "
                    "steps between two of them"
                )
            evaluated = evaluation.deterministic if search.returns == "evaluations" else None
            found.append(
                Objective(search.objective, search.statistic, threshold, low, high, bool(search.tasks), evaluated)
            )
        return found

    @cached_property
    def possible(self) -> Interval:
        """The least and the most a score can be: a mean over the tasks."""
        ends = [_possible(config, objective) for config, objective in zip(self.base, self.objectives, strict=True)]
        return Interval(*np.mean(ends, axis=0))

    def jobs(self, params: Params, seeds: Sequence[int], where: str) -> list[Config]:
        """The jobs of a setting, one a task. Raises UserError."""
        common = {**self.job, **params, "seeds": list(seeds), "output_dir": str(self.directory / where)}
        tasks = [{"env": env} for env in self.search.tasks] if self.search.tasks else [{}]
        return [job for task in tasks for job in resolve([{**common, **task}], self.config_dirs)]

    @property
    def definition(self) -> dict[str, Any]:
        """Everything that decides the study, but for how many trials it has: these may be raised later."""
        search = {key: value for key, value in asdict(self.search).items() if key not in ("space", "confirm")}
        if search["sampler"] not in ("grid", "qmc"):
            search.pop("trials")
        if search["returns"] == "training":
            search.pop("returns")  # older studies have none
        else:
            search["evaluation"] = to_plain(self.base[0].evaluation)
        space = {dimension.key: dimension.plain() for dimension in self.space}
        jobs, steps = [config.identity for config in self.base], [config.total_steps for config in self.base]
        plain: dict[str, Any] = json.loads(
            json.dumps({"search": search, "space": space, "jobs": to_plain(jobs), "steps": steps})
        )
        return plain


def _possible(config: Config, objective: Objective) -> Interval:
    if objective.kind == "steps_to_threshold":
        return Interval(0.0, NEVER * (1 if objective.normalised else config.total_steps))
    changes = {"env.wrappers": config.env.wrappers, **{f"env.kwargs.{key}": x for key, x in config.env.kwargs.items()}}
    ends = possible_returns(changes, load_bounds().get(config.env.id))
    scaled = [(end - objective.low) / (objective.high - objective.low) for end in ends]
    return Interval(min(scaled), max(scaled)) if objective.normalised else ends


def subject(
    job: Overrides,
    search: Search,
    space: tuple[Dimension, ...],
    directory: Path,
    config_dirs: tuple[str, ...] = (),
) -> Subject:
    """The study of a job, its space without what nobody reads. Raises UserError, also for bounds out of range."""
    whole = Subject(job, search, space, directory, config_dirs)
    kept = relevant(space, [config for params in deciding(space) for config in _valid(whole, params)])
    found = Subject(job, search, kept, directory, config_dirs)
    assert found.objectives  # raises where a threshold is missing
    for dimension in kept:
        if dimension.key.startswith("algorithm."):
            continue  # two of them may be right only together
        for value in dimension.choices or dimension.grid(2):
            try:
                found.jobs({dimension.key: value}, [0], TRIALS)
            except UserError as error:
                raise UserError(f"search.space.{dimension.key}: {error}") from None
    return found


def _valid(subject: Subject, params: Params) -> list[Config]:
    """The jobs of a setting; none if it is a mistake, as some combinations of choices are."""
    try:
        return subject.jobs(params, [0], TRIALS)
    except UserError:
        if not params:
            raise
        return []


def open_storage(directory: Path) -> "BaseStorage":
    """The journal of a directory, mended: the caller holds the directory's lock. Raises UserError without Optuna."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UserError(f"search: needs Optuna: {INSTALL}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = directory / JOURNAL
    mend(path)
    for left in directory.glob(f"{JOURNAL}.lock*"):  # of a writer that was killed; Optuna would wait 30 seconds
        left.unlink(missing_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def mend(path: Path) -> None:
    """Cuts a journal after its last whole line: Optuna would append to a torn one, and never read it again."""
    if not path.exists():
        return
    with open(path, "rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


class Study:
    """One study: asks, reports, tells. A trial is its number; `trials` reads all of them as Optuna keeps them."""

    def __init__(self, subject: Subject, storage: "BaseStorage"):
        """Opens the study, or makes it. Raises UserError where the journal holds another one of that name."""
        import optuna

        self.subject, self.search = subject, subject.search
        self.size = size(self.search, subject.space)
        self.points = points(self.search, subject.space)
        self.looks = looks(self.search, subject.base[0].total_steps)
        self.distributions = {dimension.key: dimension.distribution() for dimension in subject.space}
        self.study = optuna.create_study(
            storage=storage,
            study_name=subject.name,
            direction=self.search.direction,
            pruner=pruner(self.search),
            sampler=learner(self.search, 0),
            load_if_exists=True,
        )
        self.storage, self.id = storage, storage.get_study_id_from_name(subject.name)
        self._check()
        plan = {"size": self.size, "trial_steps": self.trial_steps, "confirm_steps": self.confirm_steps}
        if self.study.user_attrs.get(PLAN) != plan:
            self.study.set_user_attr(PLAN, plan)
        for trial in self.trials:
            if trial.state.name == "RUNNING":
                self._complete(trial)

    @property
    def trials(self) -> "list[FrozenTrial]":
        """All trials, by number."""
        return self.study.get_trials(deepcopy=False)

    @property
    def trial_steps(self) -> int:
        """Environment steps of a trial that is not stopped early."""
        return sum(config.total_steps for config in self.subject.base) * len(self.search.seed_list)

    @property
    def confirm_steps(self) -> int:
        """Environment steps of the confirmation."""
        confirm = self.search.confirm
        return sum(config.total_steps for config in self.subject.base) * len(confirm.seed_list) * (confirm.best + 1)

    @property
    def maximize(self) -> bool:
        return self.search.direction == "maximize"

    def params(self, trial: "FrozenTrial") -> Params:
        """A trial's parameters as a job takes them."""
        return {d.key: d.decode(trial.params[d.key]) for d in self.subject.space}

    def ask(self) -> "FrozenTrial":
        """The next trial, RUNNING from now on."""
        from optuna.trial import TrialState

        number = len(self.trials)
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if self.points and not waiting:
            point = {key: encode(value) for key, value in self.points(number).items()}
            self.study.enqueue_trial(point)
        self.study.sampler = learner(self.search, number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TPE's multivariate mode is experimental
            asked = self.study.ask(self.distributions)
        return self.trials[asked.number]

    def report(self, trial: "FrozenTrial", value: float, step: int) -> bool:
        """Notes a value along a trial, and gives whether the trial is to stop there."""
        self.storage.set_trial_intermediate_value(self._trial_id(trial), step, value)
        return self.verdict(self.trials[trial.number])

    def verdict(self, trial: "FrozenTrial") -> bool:
        """Whether a trial is to stop at its last report."""
        if not trial.intermediate_values:
            return False
        if self.search.pruner == "halving":
            ended = [other for other in self.trials if other.state.is_finished()]
            return halved(trial, ended, self.maximize)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Wilcoxon warns where it has nothing to compare with
            return bool(self.study.pruner.prune(self.study, trial))

    def tell(self, trial: "FrozenTrial", state: str, value: float | None, notes: Mapping[str, Any]) -> None:
        """Ends a trial: COMPLETE with its value, PRUNED or FAIL. `notes`: what the table says of it beside."""
        from optuna.trial import TrialState

        for key, note in notes.items():
            self.storage.set_trial_user_attr(self._trial_id(trial), key, note)
        self.study.tell(trial.number, value, TrialState[state])

    def _trial_id(self, trial: "FrozenTrial") -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.id, trial.number)

    def _check(self) -> None:
        """Notes what decides the study, or compares it with what was noted: Optuna itself ignores a change."""
        ours = self.subject.definition
        theirs = self.study.user_attrs.get("definition")
        if theirs is None and not self.trials:
            self.study.set_user_attr("definition", ours)
        elif theirs != ours:
            changed = list(_changes(theirs or {}, ours, ""))
            raise UserError(
                f"search: {self.subject.directory} holds the study {self.subject.name} with other "
                f"{', '.join(changed[:3]) or 'settings'}; choose another output_dir"
            )

    def _complete(self, trial: "FrozenTrial") -> None:
        """Gives a trial whose asking was killed the parameters it would have got: asks again on a copy without it."""
        import optuna

        missing = [key for key in self.distributions if key not in trial.params]
        if not missing:
            return
        if self.points:
            params = {key: encode(value) for key, value in self.points(trial.number).items()}
        else:
            copy = optuna.create_study(direction=self.search.direction, sampler=learner(self.search, trial.number))
            copy.add_trials([other for other in self.trials if other.number < trial.number])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                params = copy.ask(self.distributions).params
        for key in missing:
            kept = self.distributions[key].to_internal_repr(params[key])
            self.storage.set_trial_param(self._trial_id(trial), key, kept, self.distributions[key])


def _changes(theirs: Any, ours: Any, key: str) -> Any:
    """The dotted names of what differs between two plain values."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted({*theirs, *ours}):
            below = f"{key}.{name}" if key else name
            if theirs.get(name) != ours.get(name):
                yield from _changes(theirs.get(name), ours.get(name), below)
    else:
        yield key
