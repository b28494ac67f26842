"""Following runs from afar. The local records are the truth; a tracker is a sink, and this file alone knows W&B."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pgbench.config import Config
from pgbench.errors import UserError


class Tracker(Protocol):
    def log(self, seed: int, row: Mapping[str, Any]) -> None:
        """One iteration of one seed."""

    def finish(self, seed: int, status: str) -> None:
        """The seed's run has ended: done, diverged, failed, or stopped until somebody goes on with it."""


class NoTracker:
    def log(self, seed: int, row: Mapping[str, Any]) -> None: ...

    def finish(self, seed: int, status: str) -> None: ...


class WandbTracker:
    """A W&B run a seed, in the job's group, with env_steps as the x-axis. Offline needs neither key nor network."""

    def __init__(self, config: Config, seeds: Sequence[int]):
        import wandb

        tracking = config.tracking
        tags = [config.algorithm.name, config.env.id, config.hyperparameters.name, *tracking.tags]
        self.runs = {}
        try:
            for seed in seeds:
                self.runs[seed] = wandb.init(
                    project=tracking.project,
                    entity=tracking.entity,
                    group=tracking.group or config.job_name,
                    name=f"{config.job_name}-seed-{seed}",
                    id=f"{config.job_name}-seed-{seed}",
                    tags=tags,
                    config={**config.identity, "seed": seed},
                    dir=str(config.job_dir),
                    mode=tracking.mode,
                    resume="allow",
                    reinit="create_new",
                    settings=wandb.Settings(silent=True, console="off"),
                )
                self.runs[seed].define_metric("env_steps")
                self.runs[seed].define_metric("*", step_metric="env_steps")
        except wandb.errors.UsageError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"tracking: {reason}; log in with `wandb login`, or set tracking.mode=offline") from None

    def log(self, seed: int, row: Mapping[str, Any]) -> None:
        self.runs[seed].log({name: value for name, value in row.items() if value == value})

    def finish(self, seed: int, status: str) -> None:
        run = self.runs.pop(seed)
        run.summary["status"] = status
        run.finish(exit_code=int(status == "failed"))


def make_tracker(config: Config, seeds: Sequence[int]) -> Tracker:
    """The tracker `tracking.backend` names."""
    return WandbTracker(config, seeds) if config.tracking.backend == "wandb" else NoTracker()
