"""From the records of runs to the value of a trial. Pure functions of arrays, and the readers of a run's curve.

    final_return        the last y there is, at T or less than an iteration later
    area                1/T integral_0^T y(g) dg, the mean height of the learning curve
    steps_to_threshold  min {g: y(g) >= threshold}, over 100 episodes of training; 2 T where it is never reached

y(g) is the last value at or before environment step g, T is total_steps: the mean return of the last 100 training
episodes, or that of an evaluation's episodes (`returns`). A run that diverged keeps its last return.
2 T for "never" is the penalised average of algorithm configuration (PAR2, Hutter et al. 2009).
Over several tasks a run's return y becomes (y - low) / (high - low), and its steps a share of T, before all runs are
pooled by the mean or the interquartile mean (Agarwal et al. 2021, arXiv 2108.13264).
"""

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgbench.errors import UserError
from pgbench.runs.records import EVALUATIONS_FILE, METRICS_FILE
from reports.statistics import iqm, mean

Array = NDArray[np.float64]
WINDOW = 100  # episodes a return must be the mean of before it counts as reaching a threshold
NEVER = 2.0  # times total_steps


@dataclass(frozen=True)
class Curve:
    """A run's learning curve, [R] records with a return; `ready`: the first that may count as reaching a threshold."""

    steps: Array
    returns: Array
    ready: int

    def until(self, step: float) -> "Curve":
        """The records at or before an environment step."""
        count = int(np.searchsorted(self.steps, step, side="right"))
        return Curve(self.steps[:count], self.returns[:count], self.ready)


@dataclass(frozen=True)
class Objective:
    """How a run is scored: `kind` and `statistic` as in the schema."""

    kind: str
    statistic: str
    threshold: float = math.nan
    low: float = 0.0
    high: float = 1.0
    normalised: bool = False
    evaluated: bool | None = None
    """None for returns of training, else those of evaluations: by the policy's mode, or drawing its actions"""

    def read(self, directory: Path) -> Curve:
        """A run's curve, of the returns that the objective is about."""
        return read_curve(directory) if self.evaluated is None else read_evaluations(directory, self.evaluated)

    def score(self, curve: Curve, total_steps: float) -> float:
        """The score of one run; NaN if it has not finished an episode."""
        if not len(curve.steps):
            return math.nan
        if self.kind == "steps_to_threshold":
            steps = steps_to_threshold(curve, self.threshold, NEVER * total_steps)
            return steps / total_steps if self.normalised else steps
        value = curve.returns[-1] if self.kind == "final_return" else area(curve, total_steps)
        return float((value - self.low) / (self.high - self.low)) if self.normalised else float(value)

    def progress(self, curve: Curve, step: float) -> float:
        """What a pruner compares at an environment step: the score of the curve so far.

        For steps_to_threshold it is the return, negated since fewer steps are better.
        """
        so_far = curve.until(step)
        if self.kind == "steps_to_threshold":
            return -replace(self, kind="final_return").score(so_far, step)
        return self.score(so_far, step)


def area(curve: Curve, total_steps: float) -> float:
    """1/T integral_0^T y(g) dg; before its first record the curve is as high as there."""
    ends = np.append(np.minimum(curve.steps[1:], total_steps), total_steps)
    begins = np.append(0.0, np.minimum(curve.steps[1:], total_steps))
    return float(np.sum(curve.returns * (ends - begins)) / total_steps)


def steps_to_threshold(curve: Curve, threshold: float, never: float) -> float:
    """min {steps_r: return_r >= threshold}, over records with a full window of episodes; `never` without one."""
    reached = np.flatnonzero(curve.returns[curve.ready :] >= threshold)
    return float(curve.steps[curve.ready + reached[0]]) if len(reached) else never


def pooled(scores: ArrayLike, statistic: str) -> float:
    """The mean, or the mean without the floor(n / 4) smallest and as many largest; NaN if any score is NaN."""
    values = np.asarray(scores, float)
    return float((iqm if statistic == "iqm" else mean)(values)) if len(values) else math.nan


def read_curve(directory: Path) -> Curve:
    """A run's curve from its metrics.csv; empty where there is none yet. A half-written last row is left out."""
    rows = [row for row in _rows(directory / METRICS_FILE) if row["episode_return"]]
    steps, returns, episodes = (
        np.array([float(row[name]) for row in rows]) for name in ("env_steps", "episode_return", "episodes")
    )
    finite = np.isfinite(returns)
    steps, returns, episodes = steps[finite], returns[finite], episodes[finite]
    return Curve(steps, returns, int(np.searchsorted(episodes, WINDOW)))


def read_evaluations(directory: Path, deterministic: bool) -> Curve:
    """The mean return of each evaluation of this kind in a run's evaluations.csv, by the steps its policy had seen."""
    found: dict[float, list[float]] = {}
    for row in _rows(directory / EVALUATIONS_FILE):
        if row["deterministic"] == str(int(deterministic)):
            found.setdefault(float(row["env_steps"]), []).append(float(row["return"]))
    steps = sorted(found)
    return Curve(np.array(steps), np.array([np.mean(found[step]) for step in steps]), 0)


def _rows(path: Path) -> list[dict[str, str]]:
    """A table's whole rows; none where there is no table yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))


def solved_at(env: str, given: float | None) -> float:
    """The threshold given, else Gymnasium's. Raises UserError where there is neither."""
    from gymnasium.envs.registration import registry

    spec = registry.get(env)
    found = given if given is not None else spec.reward_threshold if spec else None
    if found is None:
        raise UserError(f"search.threshold: missing, since Gymnasium states none for {env}; give the return to reach")
    return float(found)
