"""A search as plain data, for figures and spreadsheets: search.json and trials.csv in the sweep's directory."""

import csv
import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pgbench.config import to_plain
from pgbench.files import write_atomic
from sweeps.search.confirmation import Candidate, held_out, interval, scores
from sweeps.search.source import cost
from sweeps.search.study import STATES, Study

TABLE, CSV = "search.json", "trials.csv"
SAID = ("objective", "returns", "statistic", "direction", "sampler", "pruner", "batch", "seed")
RESAMPLES = 100
LEAST_TRIALS = 10  # complete ones, for importances


def write(
    directory: Path, description: str, studies: Sequence[tuple[Study, Sequence[Candidate]]], over: bool = True
) -> dict[str, Any]:
    """Writes both files anew from the journal and the records, and gives what search.json holds.

    Importances are left out unless the search is over: they take seconds, and whoever stopped it waits.
    """
    told = [describe(study, candidates, over) for study, candidates in studies]
    content: dict[str, Any] = {"format": 1, "description": description, "studies": told}
    write_atomic(directory / TABLE, (json.dumps(_plain(content), indent=1) + "\n").encode())
    write_atomic(directory / CSV, _csv(content["studies"]).encode())
    return content


def describe(study: Study, candidates: Sequence[Candidate], over: bool) -> dict[str, Any]:
    """One study: what was searched and how, its trials, importances, confirmation and cost."""
    subject, search = study.subject, study.search
    trials = [_trial(study, trial) for trial in study.trials]
    return {
        "name": subject.name,
        "algorithm": subject.base[0].algorithm.name,
        "envs": [config.env.id for config in subject.base],
        "total_steps": subject.base[0].total_steps,
        "space": [dimension.plain() for dimension in subject.space],
        "defaults": defaults(study),
        **{key: getattr(search, key) for key in SAID},
        "thresholds": [objective.threshold for objective in subject.objectives],
        "tasks": search.tasks,
        "seeds": list(search.seed_list),
        "size": study.size,
        "trials": trials,
        "importance": importance(study) if over else {},
        "confirmation": confirmation(study, candidates),
        "cost": {
            "env_steps": sum(trial["env_steps"] for trial in trials),
            "seconds": sum(trial["seconds"] for trial in trials),
        },
    }


def defaults(study: Study) -> dict[str, Any]:
    """The values the job's file has for what is searched; None where it has none, as below `network_kwargs`."""
    config = study.subject.base[0]
    found = {}
    for dimension in study.subject.space:
        value: Any = config
        for part in dimension.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
        found[dimension.key] = to_plain(value)
    return found


def confirmation(study: Study, candidates: Sequence[Candidate]) -> dict[str, Any] | None:
    """The candidates' scores on fresh seeds, who won and by how much, how optimistic the search was.

    `winner` is a trial, or None where no trial scores better than the defaults. `optimism` is the best trial's value in
    the search less its value on fresh seeds, `gain` is `held_out` less the defaults; both are positive for "better",
    whichever direction is better; both are None while no seed is done for all candidates. Intervals are 95% intervals
    over fresh seeds. None before there are any.
    """
    statistic, sign, objectives = study.search.statistic, 1 if study.maximize else -1, study.subject.objectives
    found = [(candidate, scores(candidate, study)) for candidate in candidates]
    rows = [_confirmed(study, candidate, each) for candidate, each in found if each]
    tuned = [row for row in rows if row["trial"] is not None]
    if not tuned:
        return None
    common = sorted(set.intersection(*(set(each) for _, each in found if each)))
    honest = held_out(np.array([[each[s] for s in common] for _, each in found if each]), statistic, study.maximize)
    winner, best = max(rows, key=lambda row: sign * row["confirmed"]["value"]), tuned[0]
    default = [np.array(list(each.values())) for candidate, each in found if candidate.trial is None and each]
    possible, gain = study.subject.possible, None
    if default and common:
        better, worse = (honest, default[0])[::sign]
        gain = interval(better, statistic, worse, possible)._asdict()
    pairs = [(job, objective) for c in candidates for job, objective in zip(c.jobs, objectives, strict=True)]
    return {
        "seeds": list(study.search.confirm.seed_list),
        "best": best["trial"],
        "searched": best["searched"],
        "optimism": sign * (best["searched"] - best["confirmed"]["value"]),
        "winner": winner["trial"],
        "confirmed": winner["confirmed"],
        "held_out": interval(honest, statistic, possible=possible)._asdict() if common else None,
        "gain": gain,
        "candidates": rows,
        "cost": cost([(job, seed, objective) for job, objective in pairs for seed in job.seed_list]),
    }


def _confirmed(study: Study, candidate: Candidate, found: dict[int, float]) -> dict[str, Any]:
    return {
        "trial": candidate.trial,
        "searched": candidate.searched,
        "params": candidate.params or defaults(study),
        "jobs": [job.job_name for job in candidate.jobs],
        "scores": {str(seed): value for seed, value in found.items()},
        "confirmed": interval(
            np.array(list(found.values())), study.search.statistic, possible=study.subject.possible
        )._asdict(),
    }


def importance(study: Study) -> dict[str, dict[str, float]]:
    """How much each parameter decides whether a trial is among the best tenth, with 95% bootstrap intervals.

    PED-ANOVA (Watanabe et al. 2023), shares that add up to 1; trials are redrawn. Empty with fewer than LEAST_TRIALS
    complete trials.
    """
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(complete) < LEAST_TRIALS or len(study.subject.space) < 2:
        return {}
    rng = np.random.default_rng(0)
    whole = _shares(study, complete)
    draws = []
    for _ in range(RESAMPLES):
        drawn = [complete[i] for i in rng.integers(len(complete), size=len(complete))]
        if len({trial.number for trial in drawn}) > 1:
            draws.append(_shares(study, drawn))
    ends = {key: np.quantile([draw[key] for draw in draws], [0.025, 0.975]) for key in whole}
    return {key: {"value": whole[key], "low": float(ends[key][0]), "high": float(ends[key][1])} for key in whole}


def _shares(study: Study, trials: Sequence[Any]) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    copy = optuna.create_study(direction=study.search.direction)
    copy.add_trials(list(trials))
    names = [dimension.key for dimension in study.subject.space]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental
        found = get_param_importances(copy, evaluator=PedAnovaImportanceEvaluator(), params=names)
    return {name: float(found.get(name, 0.0)) for name in names}


def _trial(study: Study, trial: Any) -> dict[str, Any]:
    notes = trial.user_attrs
    return {
        "number": trial.number,
        "state": STATES.get(trial.state.name, "waiting"),
        "value": trial.value if trial.state.name == "COMPLETE" else None,
        "params": study.params(trial) if len(trial.params) == len(study.subject.space) else {},
        "along": {str(step): value for step, value in sorted(trial.intermediate_values.items())},
        **{key: notes.get(key, 0) for key in ("env_steps", "seconds")},
        **{key: notes[key] for key in ("jobs", "scores", "cut", "twin", "message") if key in notes},
    }


def _csv(studies: Sequence[dict[str, Any]]) -> str:
    """A row a trial of each study; a column a searched key, empty where the study does not search it."""
    searched = list(dict.fromkeys(dimension["key"] for study in studies for dimension in study["space"]))
    head = ["study", "number", "state", "value", "env_steps", "seconds", "message", *searched]
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(head)
    for study in studies:
        for trial in study["trials"]:
            row = {**trial, **trial["params"], "study": study["name"]}
            writer.writerow(["" if row.get(key) is None else row[key] for key in head])
    return lines.getvalue()


def _plain(value: Any) -> Any:
    """As JSON takes it: NaN and infinity become null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
