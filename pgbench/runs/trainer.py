"""The training loop: all seeds of a job in lockstep, one iteration at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pgbench.algorithms import load_update, own_metrics
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.experience.accounts import Account, Episode
from pgbench.experience.collector import Collector
from pgbench.experience.environments import stepped_together
from pgbench.experience.making import check_env
from pgbench.experience.rollout import Rollout
from pgbench.learning.learner import Learner, initial_learner
from pgbench.learning.surrogate import Metrics
from pgbench.policy import Policy
from pgbench.runs.records import METRICS

Row = dict[str, Any]
ALGORITHM_STREAM = 3
"""Child of SeedSequence(seed) that `learner.rng` draws from; 0 and 1 are parameters and experience."""


class Trainer:
    """S learners and their environments. `iterate` trains every live seed once.

    Seed k has streams of its own, spawned from SeedSequence(k): parameters, action noise, environments. Seeds act
    together where their environments are one array (one collector), else one after another (a collector each).
    """

    def __init__(self, config: Config, seeds: Sequence[int]):
        self.config = config = config.effective
        self.seeds = tuple(seeds)
        check_env(config.env)
        spawned = [np.random.SeedSequence(seed).spawn(2) for seed in seeds]
        streams = [experience for _, experience in spawned]
        groups = [streams] if stepped_together(config.env) else [[stream] for stream in streams]
        self.collectors = [Collector(config, group) for group in groups]
        envs = self.collectors[0].envs
        self.update, self.metrics = load_update(config), {**METRICS, **own_metrics(config)}
        self.learners: list[Learner] = [
            initial_learner(
                config,
                envs.obs.shape[-1],
                envs.actions,
                np.random.default_rng(init),
                np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ALGORITHM_STREAM,))),
            )
            for seed, (init, _) in zip(self.seeds, spawned, strict=True)
        ]
        self.iterations = [0] * len(self.seeds)
        self.diverged = [""] * len(self.seeds)
        """of each seed, the quantity that was not finite; empty where all are"""

    def _collector(self, s: int) -> tuple[Collector, int]:
        """Who collects for the s-th seed, and its index there."""
        return (self.collectors[0], s) if len(self.collectors) == 1 else (self.collectors[s], 0)

    def account(self, s: int) -> Account:
        """What the s-th seed has done so far."""
        collector, row = self._collector(s)
        return collector.accounts[row]

    def policy(self, s: int) -> Policy:
        """The s-th seed's policy as it is now."""
        collector, row = self._collector(s)
        learner, envs = self.learners[s], collector.envs
        return Policy(
            learner.network,
            learner.distribution,
            learner.theta,
            envs.obs.shape[-1],
            collector.normalizers[row].standardizer,
            envs.actions,
            self.config.env,
            learner.critic,
            learner.phi,
            {
                "algorithm": self.config.algorithm.name,
                "job": self.config.job_name,
                "seed": self.seeds[s],
                "env_steps": self.account(s).env_steps,
            },
        )

    @property
    def live(self) -> np.ndarray:
        """Which seeds still train, bool [S]: neither diverged nor at total_steps."""
        steps = np.array([self.account(s).env_steps for s in range(len(self.seeds))])
        return (steps < self.config.total_steps) & (np.array(self.diverged) == "")

    def iterate(self) -> dict[int, tuple[Row, list[Episode]]]:
        """Collects, updates, and gives each live seed's row of metrics and its finished episodes, by index."""
        live = self.live
        found: dict[int, tuple[Row, list[Episode]]] = {}
        first = 0
        for collector in self.collectors:
            group = slice(first, first := first + len(collector.accounts))
            if not live[group].any():
                continue
            learners = self.learners[group]
            network = learners[0].network.act([learner.theta for learner in learners])
            begun = [account.env_steps for account in collector.accounts]
            batches = collector.collect(network, learners[0].distribution, live[group])
            for row, (rollout, episodes) in batches.items():  # one by one: a batch then stays in cache
                s = group.start + row
                learner, metrics = self._updated(self.learners[s], rollout, self.config.at(begun[row]))
                self.iterations[s] += 1
                row_of = self._row(s, metrics)
                found[s] = row_of, episodes
                self.diverged[s] = _not_finite(learner, row_of, metrics)
                if not self.diverged[s]:
                    self.learners[s] = learner
        return found

    def _updated(self, learner: Learner, rollout: Rollout, config: Config) -> tuple[Learner, Metrics]:
        """What the update gives. Raises UserError where that is something else than a learner and metrics."""
        given = self.update(learner, rollout, config)
        name = f"algorithm.update: '{config.algorithm.update}'"
        if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Learner)):
            raise UserError(f"{name} gives {type(given).__name__}, it must give a tuple (learner, metrics)")
        shape, was = tuple(given[0].theta.shape), tuple(learner.theta.shape)
        if shape != was:
            raise UserError(f"{name} gives a theta of shape {shape}, it was given {was}")
        return given

    def _row(self, s: int, metrics: Metrics) -> Row:
        account = self.account(s)
        episode_return, episode_length = account.trailing()
        progress = {
            "iteration": self.iterations[s],
            "env_steps": account.env_steps,
            "episodes": account.episodes,
            "episode_return": episode_return,
            "episode_length": episode_length,
        }
        unknown = metrics.keys() - self.metrics.keys()
        if unknown or metrics.keys() & progress.keys():
            wrong = ", ".join(sorted(unknown or metrics.keys() & progress.keys()))
            raise UserError(
                f"algorithm.update: '{self.config.algorithm.update}' gives {wrong}, which its METRICS does not declare"
            )
        return progress | {name: self._number(name, x) for name, x in metrics.items()}

    def _number(self, name: str, value: Any) -> float | str:
        """A metric as it is written. Raises UserError for one that is not scalar."""
        try:
            return value.item() if hasattr(value, "item") else value
        except (ValueError, RuntimeError):
            raise UserError(
                f"algorithm.update: '{self.config.algorithm.update}' gives {name} of shape {tuple(value.shape)}, a "
                "metric is one number"
            ) from None

    def save(self, s: int) -> dict[str, Any]:
        """All that the s-th seed needs to go on bit for bit."""
        collector, row = self._collector(s)
        return {
            "iteration": self.iterations[s],
            "diverged": self.diverged[s],
            "learner": self.learners[s].tensors(),
            "rng": self.learners[s].rng.bit_generator.state,
            "collector": collector.save(row),
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        self.iterations[s] = saved["iteration"]
        self.diverged[s] = saved.get("diverged", "")
        self.learners[s] = self.learners[s].with_tensors(saved["learner"])
        self.learners[s].rng.bit_generator.state = saved["rng"]
        collector, row = self._collector(s)
        collector.load(row, saved["collector"])

    def close(self) -> None:
        for collector in self.collectors:
            collector.close()


def _not_finite(learner: Learner, row: Row, metrics: Metrics) -> str:
    """The first quantity of an update that is not finite, with its value; empty where all are."""
    for name in metrics:
        if not np.isfinite(row[name]):
            return f"{name} is {row[name]}"
    for name, tensor in learner.tensors().items():
        if not tensor.isfinite().all():
            return f"{name} holds a number that is not finite"
    return ""
