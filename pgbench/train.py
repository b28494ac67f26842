"""The training loop: all seeds of a job in lockstep, one iteration at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pgbench.algorithms import UPDATES
from pgbench.config import Config
from pgbench.critic import Metrics
from pgbench.envs import stepped_together
from pgbench.rollout import Account, Collector
from pgbench.state import State, initial_state, stack, where

Row = dict[str, Any]
Episode = tuple[Any, ...]


class Trainer:
    """S learners and their environments. `iterate` trains every live seed once.

    Seed k has streams of its own, spawned from SeedSequence(k): parameters, action noise, environments. Seeds act
    together where their environments are one array (one collector), else one after another (a collector each).
    """

    def __init__(self, config: Config, seeds: Sequence[int]):
        self.config, self.seeds = config, tuple(seeds)
        spawned = [np.random.SeedSequence(seed).spawn(2) for seed in seeds]
        streams = [experience for _, experience in spawned]
        groups = [streams] if stepped_together(config.env) else [[stream] for stream in streams]
        self.collectors = [Collector(config, group) for group in groups]
        envs = self.collectors[0].envs
        self.state: State = initial_state(
            config,
            envs.obs.shape[-1],
            envs.n_actions,
            envs.discrete,
            [np.random.default_rng(init) for init, _ in spawned],
        )
        self.iterations = np.zeros(len(seeds), int)
        self.diverged = np.zeros(len(seeds), bool)

    def _collector(self, s: int) -> tuple[Collector, int]:
        """Who collects for the s-th seed, and its index there."""
        return (self.collectors[0], s) if len(self.collectors) == 1 else (self.collectors[s], 0)

    def account(self, s: int) -> Account:
        """What the s-th seed has done so far."""
        collector, row = self._collector(s)
        return collector.accounts[row]

    @property
    def live(self) -> np.ndarray:
        """Which seeds still train, bool [S]: neither diverged nor at total_steps."""
        steps = np.array([self.account(s).env_steps for s in range(len(self.seeds))])
        return (steps < self.config.total_steps) & ~self.diverged

    @torch.inference_mode()
    def iterate(self) -> dict[int, tuple[Row, list[Episode]]]:
        """Collects, updates, and gives each live seed's row of metrics and rows of finished episodes, by index."""
        live, theta = self.live, self.state.theta.numpy()
        states = [self.state.rows(slice(s, s + 1)) for s in range(len(self.seeds))]
        found: dict[int, tuple[Row, list[Episode]]] = {}
        first = 0
        for collector in self.collectors:
            group = slice(first, first := first + collector.n_seeds)
            if not live[group].any():
                continue
            rollout, episodes = collector.collect(self.state.policy, theta[group], live[group])
            for row in np.flatnonzero(live[group]).tolist():  # one by one: its batch then stays in cache
                s, update = group.start + row, UPDATES[self.config.algorithm.name]
                states[s], metrics = update(states[s], rollout.rows(slice(row, row + 1)), self.config)
                self.iterations[s] += 1
                found[s] = self._row(s, metrics), [(int(self.iterations[s]), *episode) for episode in episodes[row]]
        new = stack(states)
        finite = new.finite()
        self.state = where(finite, new, self.state)
        self.diverged |= ~finite.numpy()
        return found

    def _row(self, s: int, metrics: Metrics) -> Row:
        account = self.account(s)
        episode_return, episode_length = account.trailing()
        progress = {
            "iteration": int(self.iterations[s]),
            "env_steps": account.env_steps,
            "episodes": account.episodes,
            "episode_return": episode_return,
            "episode_length": episode_length,
        }
        return progress | {name: values.item() for name, values in metrics.items()}

    def save(self, s: int) -> dict[str, Any]:
        """All that the s-th seed needs to go on bit for bit."""
        collector, row = self._collector(s)
        return {
            "iteration": int(self.iterations[s]),
            "state": {name: tensor[s].clone() for name, tensor in self.state.tensors().items()},
            "collector": collector.save(row),
        }

    @torch.inference_mode()
    def load(self, s: int, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        self.iterations[s] = saved["iteration"]
        for name, tensor in self.state.tensors().items():
            tensor[s] = saved["state"][name]
        collector, row = self._collector(s)
        collector.load(row, saved["collector"])

    def close(self) -> None:
        for collector in self.collectors:
            collector.envs.close()
