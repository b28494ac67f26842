"""The best trials and the defaults, trained again on fresh seeds: what the search found, without its luck.

The value of the best of many noisy trials is too high, since luck helped to choose it. Fresh seeds know nothing of that
choice. Picking the winner among the candidates is a second, smaller choice, on these seeds; `held_out` gives each
seed's score of whoever wins on the other seeds, which no choice has touched.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import yaml

from pgbench.config import Config
from pgbench.runs.records import is_over, read_status, seed_dir
from reports.statistics import (
    UNBOUNDED,
    difference_interval,
    iqm_difference_interval,
    iqm_interval,
    mean_interval,
    within,
)
from reports.statistics import Interval as Ends
from sweeps.search.objective import Array, pooled
from sweeps.search.space import Params
from sweeps.search.study import CONFIRMATION, Study

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Interval(NamedTuple):
    value: float
    low: float
    high: float


INTERVALS = {
    "mean": (mean_interval, difference_interval),
    "iqm": (iqm_interval, iqm_difference_interval),
}
"""The reports' own: of one sample, and of a difference."""


@dataclass(frozen=True)
class Candidate:
    """A setting to confirm: a trial, or the defaults (`trial` None)."""

    trial: int | None
    searched: float | None
    """its value in the search"""
    params: Params
    jobs: list[Config]

    @property
    def name(self) -> str:
        return "defaults" if self.trial is None else f"trial {self.trial}"


def candidates(study: Study) -> list[Candidate]:
    """The best `confirm.best` trials with different parameters that trained all their runs, then the defaults."""
    best: dict[str, FrozenTrial] = {}
    for trial in ranked(study):
        best.setdefault(str(sorted(trial.params.items())), trial)
    seeds, jobs = study.search.confirm.seed_list, study.subject.jobs
    chosen = [(trial, study.params(trial)) for trial in list(best.values())[: study.search.confirm.best]]
    found = [Candidate(t.number, t.value, params, jobs(params, seeds, CONFIRMATION)) for t, params in chosen]
    return [*found, Candidate(None, None, {}, jobs({}, seeds, CONFIRMATION))] if found else []


def ranked(study: Study) -> "list[FrozenTrial]":
    """The trials that are complete and were not cut between their runs, the best first."""
    whole = [t for t in study.trials if t.state.name == "COMPLETE" and "cut" not in t.user_attrs]
    return sorted(whole, key=lambda t: ((-1 if study.maximize else 1) * (t.value or 0.0), t.number))


def scores(candidate: Candidate, study: Study) -> dict[int, float]:
    """Seed -> score, over the fresh seeds that are done on every task; several tasks by their mean."""
    found = {}
    for seed in study.search.confirm.seed_list:
        each = [
            objective.score(objective.read(seed_dir(job.job_dir, seed)), job.total_steps)
            for job, objective in zip(candidate.jobs, study.subject.objectives, strict=True)
            if is_over(read_status(seed_dir(job.job_dir, seed)), job.total_steps)
        ]
        if len(each) == len(candidate.jobs) and np.isfinite(each).all():
            found[seed] = float(np.mean(each))
    return found


def held_out(table: Array, statistic: str, maximize: bool) -> Array:
    """Per seed, the score of the candidate that wins on all other seeds: [C, S] -> [S]."""
    sign = 1 if maximize else -1
    others = [[sign * pooled(np.delete(row, s), statistic) for row in table] for s in range(table.shape[1])]
    return np.array([table[int(np.argmax(values)), s] for s, values in enumerate(others)])


def interval(sample: Array, statistic: str, other: Array | None = None, possible: Ends = UNBOUNDED) -> Interval:
    """A statistic over seeds [S], or its difference from another sample's [S'], with its 95% interval.

    Student's and Welch's for means, winsorised for the IQM; as far as scores can be so, unless one is beyond that. NaN
    ends with fewer than two seeds, NaN throughout without any.
    """
    samples = [sample] if other is None else [sample, other]
    if not all(map(len, samples)):
        return Interval(np.nan, np.nan, np.nan)
    single, difference = INTERVALS[statistic]
    value = pooled(sample, statistic) - (0.0 if other is None else pooled(other, statistic))
    ends, width = single(sample) if other is None else difference(sample, other), possible.high - possible.low
    if not any(np.min(each) < possible.low or np.max(each) > possible.high for each in samples):  # else: another task
        ends = within(ends, possible if other is None else Ends(-width, width))
    return Interval(value, float(ends.low), float(ends.high))


def winner_file(name: str, config: Config, other: Params, provenance: dict[str, Any]) -> str:
    """A hyperparameters file with all values that a config's records depend on; its comment says where from.

    `other`: values of the winner that are no hyperparameters, to be given beside the file.
    """
    said = yaml.safe_dump(provenance, sort_keys=False, width=110, default_flow_style=None)
    if other:
        said += "use it with: " + " ".join(f"{key}={value}" for key, value in other.items()) + "\n"
    comment = "".join(f"# {line}".rstrip() + "\n" for line in said.splitlines())
    values = {**config.recorded["hyperparameters"], "name": name}
    content = {"defaults": ["default", "_self_"], "name": name, **values}
    return comment + yaml.safe_dump(content, sort_keys=False, default_flow_style=None)
