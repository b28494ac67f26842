"""Trials as work for the sweeps' driver: each trial is jobs and seeds of ordinary runs, and their records decide it."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.runs.code import code, made_by, take_stock
from pgbench.runs.records import is_over, read_status, seed_dir
from sweeps.plan import Unit, split
from sweeps.search.confirmation import Candidate, candidates
from sweeps.search.objective import Objective, pooled
from sweeps.search.pruners import ALONG
from sweeps.search.study import TRIALS, Study
from sweeps.state import WITHDRAWN, mark_pending, withdraw

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Run = tuple[Config, int, Objective]
"""A job, a seed, and how it is scored."""


@dataclass
class Open:
    """A trial that has been asked and not told."""

    trial: "FrozenTrial"
    runs: list[Run] = field(default_factory=list)
    twin: int | None = None
    """the first trial with the same parameters: it is trained once, and this one ends as that one does"""
    mistake: str | None = None
    """why its setting cannot be trained at all"""
    stopped: bool = False
    """told to stop early by the pruner"""


class StudySource:
    """The units of one study: trials until it has them all, then the confirmation. Told of every unit that ends."""

    def __init__(self, study: Study, slots: int, seeds_per_process: int | None, say: Callable[[str], None]):
        self.study, self.slots, self.size, self.say = study, slots, seeds_per_process, say
        self.search = study.search
        self.flying: set[tuple[str, int]] = set()
        self.todo: list[Unit] = []
        self.candidates: list[Candidate] | None = None
        self.asked = sum(trial.state.name != "WAITING" for trial in study.trials)
        self.open: dict[int, Open] = {}
        self._look_back()
        self._begin([trial for trial in study.trials if trial.state.name == "RUNNING"])

    @property
    def over(self) -> bool:
        """Whether nothing more will come, and nothing is under way."""
        return self.candidates is not None and not self.todo and not self.flying

    def look(self) -> None:
        """Reads the records of what runs: reports, stops early, tells what has ended."""
        for each in self.open.values():
            if each.runs and not each.stopped and self._report(each):
                self._stop(each)
        ended = [each for each in self.open.values() if self._over(each)]
        if self.search.batch is None or (len(ended) == len(self.open) and self._room() == 0):
            for each in sorted(ended, key=lambda each: each.trial.number):
                self._tell(each)
                del self.open[each.trial.number]

    def more(self, free: int) -> list[Unit]:
        """Units for `free` slots, as far as there are any now."""
        while len(self.todo) < free and (count := self._askable()):
            self._begin([self.study.ask() for _ in range(count)])
            self.asked += count
        if self.candidates is None and not self.open and self.asked >= self.study.size:
            self._confirm()
        units, self.todo = self.todo[: max(0, free)], self.todo[max(0, free) :]
        return units

    def ended(self, unit: Unit) -> None:
        """These seeds of a job are over: done, stopped early, or given up."""
        self.flying -= {(unit.config.job_name, seed) for seed in unit.seeds}

    def _room(self) -> int:
        """How many trials the batch under way still lacks."""
        batch = self.search.batch or 1
        return min(-self.asked % batch, max(0, self.study.size - self.asked))

    def _askable(self) -> int:
        """How many trials to ask for now: what a batch lacks, a new one once the last was told, or one."""
        left = max(0, self.study.size - self.asked)
        whole = self.search.batch if self.search.batch and not self.open else 0
        return min(1, left) if self.search.batch is None else self._room() or min(whole, left)

    def _begin(self, trials: Sequence["FrozenTrial"]) -> None:
        """Opens trials and plans their runs."""
        for trial in trials:
            self.open[trial.number] = self._open(trial)
        for trial in trials:
            self._plan(self.open[trial.number])

    def _open(self, trial: "FrozenTrial") -> Open:
        equal = (other.number for other in self.study.trials[: trial.number] if other.params == trial.params)
        if (twin := next(equal, None)) is not None:
            return Open(trial, twin=twin)
        subject = self.study.subject
        try:
            jobs = subject.jobs(self.study.params(trial), self.search.seed_list, TRIALS)
        except UserError as error:
            return Open(trial, mistake=str(error))
        pairs = list(zip(jobs, subject.objectives, strict=True))
        each = Open(trial, [(job, seed, objective) for job, objective in pairs for seed in self.search.seed_list])
        # The driver may have been killed between a verdict and the telling of it, or between a report and its verdict.
        marked = any((seed_dir(job.job_dir, seed) / WITHDRAWN).exists() for job, seed, _ in each.runs)
        if marked or self.study.verdict(trial):
            self._stop(each)
        return each

    def _plan(self, each: Open) -> None:
        """Makes units of the runs of a trial that are not done."""
        if each.stopped:
            return
        jobs = {config.job_name: config for config, _, _ in each.runs}
        workers = max(1, self.slots // max(1, self.search.batch or self.slots))
        self._add(split(self._left(jobs.values()), workers, 1 if self.search.pruner == "wilcoxon" else self.size))

    def _left(self, jobs: Iterable[Config]) -> list[tuple[Config, list[int]]]:
        """The seeds of these jobs that are not done, once a person was told what there is of them."""
        todo = [(config, config.seed_list) for config in jobs]
        for line in take_stock(todo):
            self.say(line)
        left = [(config, [seed for seed in seeds if not _done(config, seed)]) for config, seeds in todo]
        return [(config, seeds) for config, seeds in left if seeds]

    def _look_back(self) -> None:
        """Says which trials of an earlier command other code has trained."""
        subject = self.study.subject
        other = {
            trial.number
            for trial in self.study.trials
            if trial.state.name == "COMPLETE"
            for job in subject.jobs(self.study.params(trial), self.search.seed_list, TRIALS)
            if any(made_by(seed_dir(job.job_dir, seed)) not in (None, code(job)) for seed in job.seed_list)
        }
        if other:
            which = f"{min(other)}{', ...' if len(other) > 1 else ''}"
            self.say(
                f"{subject.name}: {len(other)} trials ({which}) were trained by other code and count as they are; "
                "another output_dir searches anew"
            )

    def _add(self, units: Sequence[Unit]) -> None:
        mark_pending(units)
        self.todo += units
        self.flying |= {(unit.config.job_name, seed) for unit in units for seed in unit.seeds}

    def _stop(self, each: Open) -> None:
        each.stopped = True
        withdraw(seed_dir(config.job_dir, seed) for config, seed, _ in each.runs if not _done(config, seed))

    def _over(self, each: Open) -> bool:
        """Whether no run of a trial is under way or still to come."""
        if each.twin is not None:
            return each.twin not in self.open or self._over(self.open[each.twin])
        return not any((config.job_name, seed) in self.flying for config, seed, _ in each.runs)

    def _report(self, each: Open) -> bool:
        """Reports what the records newly say of a trial, in order; whether it is to stop there."""
        done = max(self.study.trials[each.trial.number].intermediate_values, default=-1)
        return any(
            value == value and self.study.report(each.trial, value, at) for at, value in self._values(each, done)
        )

    def _values(self, each: Open, done: int) -> Iterator[tuple[int, float]]:
        """Step and value of what can be reported after `done`: along training, or run by run."""
        if self.search.pruner in ALONG:
            yield from self._along(each, [step for step in self.study.looks if step > done])
        elif self.search.pruner == "wilcoxon":
            for place in range(done + 1, len(each.runs)):
                if not _done(*each.runs[place][:2]):
                    return
                yield place, score(each.runs[place])

    def _along(self, each: Open, steps: Sequence[int]) -> Iterator[tuple[int, float]]:
        if not steps or min(_reached(*run[:2]) for run in each.runs) < steps[0]:
            return
        curves = [objective.read(seed_dir(config.job_dir, seed)) for config, seed, objective in each.runs]
        tables = zip(each.runs, curves, strict=True)
        ends = [math.inf if _done(*run[:2]) else max(curve.steps, default=0) for run, curve in tables]
        for step in steps:
            if step > min(ends):  # a status may be ahead of a table that was cut back to a checkpoint
                return
            values = [run[2].progress(curve, step) for run, curve in zip(each.runs, curves, strict=True)]
            yield step, pooled(values, self.search.statistic)

    def _tell(self, each: Open) -> None:
        """Ends a trial whose runs are over."""
        state, value, notes = self._as_twin(each) if each.twin is not None else self._end(each)
        if state == "FAIL":
            self.say(f"failed: {self.study.subject.name} trial {each.trial.number}: {notes['message']}")
        self.study.tell(each.trial, state, value, notes)

    def _as_twin(self, each: Open) -> tuple[str, float | None, dict[str, Any]]:
        """As the first trial with the same parameters has ended."""
        twin = self.study.trials[each.twin or 0]
        told = self.study.trials[each.trial.number].intermediate_values
        for step, value in twin.intermediate_values.items():
            if step not in told:
                self.study.report(each.trial, value, step)
        notes = {**twin.user_attrs, "env_steps": 0, "seconds": 0.0, "twin": twin.number}
        return twin.state.name, twin.value if twin.state.name == "COMPLETE" else None, notes

    def _end(self, each: Open) -> tuple[str, float | None, dict[str, Any]]:
        """State, value and notes of a trial from its records."""
        if each.mistake is not None:
            return "FAIL", None, {"message": each.mistake}
        notes: dict[str, Any] = {"jobs": list(dict.fromkeys(run[0].job_name for run in each.runs)), **cost(each.runs)}
        ended = [run for run in each.runs if _done(*run[:2])]
        if each.stopped and self.search.pruner in ALONG:
            return "PRUNED", None, notes
        if each.stopped:  # between runs: the mean of those seen says more than "pruned"
            trial = self.study.trials[each.trial.number]
            ended, notes["cut"] = [each.runs[place] for place in sorted(trial.intermediate_values)], True
        elif len(ended) < len(each.runs):
            return (
                "FAIL",
                None,
                {**notes, "message": f"{len(each.runs) - len(ended)} of its {len(each.runs)} runs failed"},
            )
        scores = [score(run) for run in ended]
        value = pooled(scores, self.search.statistic)
        if math.isnan(value):
            what = "made an evaluation" if self.search.returns == "evaluations" else "finished an episode"
            return "FAIL", None, {**notes, "message": f"a run has not {what}"}
        return "COMPLETE", value, {**notes, "scores": scores}

    def _confirm(self) -> None:
        """Plans the confirmation: once every trial was told."""
        self.candidates = candidates(self.study)
        todo = self._left(job for candidate in self.candidates for job in candidate.jobs)
        self._add(split(todo, self.slots, self.size))


class Source:
    """All studies of a search, side by side: the one that has asked for fewest trials comes first."""

    def __init__(self, studies: Sequence[StudySource]):
        self.studies = studies
        self.home: dict[tuple[str, int], StudySource] = {}

    def more(self, free: int) -> list[Unit] | None:
        """Units for `free` slots; None once there will be no more."""
        for study in self.studies:
            study.look()
        units: list[Unit] = []
        for study in sorted(self.studies, key=lambda study: study.asked):
            for unit in study.more(free - len(units)):
                units.append(unit)
                self.home |= {(unit.config.job_name, seed): study for seed in unit.seeds}
        return None if not units and all(study.over for study in self.studies) else units

    def ended(self, unit: Unit) -> None:
        """These seeds of a job are over, however that was."""
        self.home[unit.config.job_name, unit.seeds[0]].ended(unit)


def score(run: Run) -> float:
    """A run's score, from its records."""
    config, seed, objective = run
    return objective.score(objective.read(seed_dir(config.job_dir, seed)), config.total_steps)


def cost(runs: Sequence[Run]) -> dict[str, float]:
    """Environment steps of some runs, and seconds of training: runs in lockstep in one process share theirs."""
    steps, seconds = 0, dict[Any, float]()
    for config, seed, _ in runs:
        read = read_status(seed_dir(config.job_dir, seed))
        steps += read.get("env_steps", 0)
        process = (config.job_dir, read.get("host"), read.get("pid"))
        seconds[process] = max(seconds.get(process, 0.0), read.get("seconds", 0.0))
    return {"env_steps": steps, "seconds": round(sum(seconds.values()), 3)}


def _done(config: Config, seed: int) -> bool:
    return is_over(read_status(seed_dir(config.job_dir, seed)), config.total_steps)


def _reached(config: Config, seed: int) -> float:
    """How far a run has come, environment steps; infinity once it is over."""
    read = read_status(seed_dir(config.job_dir, seed))
    return math.inf if is_over(read, config.total_steps) else float(read.get("env_steps", 0))
