"""What a tracker is: one method for a row, one for the end. Built-in ones and your own come through the same door.

`tracking.backend=module:name` names a callable that takes a `Run` and gives a `Tracker`. It is called in the follower's
process, never in a training process, and its module is imported only there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

BUILT_IN = {
    "wandb": "pgbench.tracking.weights_and_biases:WandbRun",
    "tensorboard": "pgbench.tracking.tensorboard:TensorBoardRun",
}
NEEDS = {"wandb": "wandb", "tensorboard": "tensorboard"}
"""The package that each built-in tracker imports."""

Row = Mapping[str, float | int]
"""`env_steps` and: the cells of a row of metrics.csv with its `seconds`; or, under `evaluation/`, one evaluation."""


@dataclass(frozen=True)
class Run:
    """One seed's run, as a tracker is told of it."""

    directory: Path
    """where its records lie"""
    files: Path
    """the job's directory, for what a tracker writes itself"""
    id: str
    """made once for this run directory and kept through all resumes"""
    name: str
    """for people: `trpo CartPole-v1 delta=0.01 seed 0`"""
    group: str
    job_type: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    """the content of config.yaml: algorithm, env, hyperparameters, total_steps, seed, job, provenance"""
    sent: int
    """rows it was given before; the next row given is number `sent`, unless the tracker's `held` says otherwise"""
    settings: Mapping[str, Any]
    """the keys of `tracking`: project, entity, mode, ..."""
    live: bool
    """whether the run is followed while it trains; patience is then short"""
    system_pid: int | None = None
    """the training process whose system metrics belong to this run: one run per job"""
    memory: dict[str, Any] = field(default_factory=dict)
    """plain data that the tracker may change and finds again at the next start"""


class Tracker(Protocol):
    """May have `held`: how many rows it holds for certain. Rows from there on are then given (again)."""

    def row(self, row: Row) -> None:
        """The next row, in the order of the records."""

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """No more rows for now: the run is done, diverged, failed, stopped (no process trains it) or running.

        What was given must be safe when this returns. `summary`: `pgbench.tracking.summary.summarize`.
        """


class Unavailable(Exception):
    """The tracker cannot be reached now; the message says why. The follower tries again later."""
