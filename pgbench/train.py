"""The training loop: all seeds of a job in lockstep, one iteration at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pgbench.algorithms import UPDATES
from pgbench.config import Config
from pgbench.rollout import Collector
from pgbench.state import State, initial_state, stack, where

Row = dict[str, Any]


class Trainer:
    """S learners and their environments. `iterate` trains every live seed once.

    Seed k has streams of its own, spawned from SeedSequence(k): parameters, action noise, environments.
    """

    def __init__(self, config: Config, seeds: Sequence[int]):
        self.config, self.seeds = config, tuple(seeds)
        spawned = [np.random.SeedSequence(seed).spawn(2) for seed in seeds]
        self.collector = Collector(config, [experience for _, experience in spawned])
        envs = self.collector.envs
        self.state: State = initial_state(
            config,
            envs.obs.shape[-1],
            envs.n_actions,
            envs.discrete,
            [np.random.default_rng(init) for init, _ in spawned],
        )
        self.iterations = np.zeros(len(seeds), int)
        self.diverged = np.zeros(len(seeds), bool)

    @property
    def live(self) -> np.ndarray:
        """Which seeds still train, bool [S]: neither diverged nor at total_steps."""
        steps = np.array([account.env_steps for account in self.collector.accounts])
        return (steps < self.config.total_steps) & ~self.diverged

    def iterate(self) -> dict[int, tuple[Row, list[tuple[Any, ...]]]]:
        """Collects, updates, and gives each live seed's row of metrics and rows of finished episodes, by index."""
        live = self.live
        rollout, episodes = self.collector.collect(self.state.policy, self.state.theta.numpy(), live)
        states, rows = [self.state.rows(slice(s, s + 1)) for s in range(len(self.seeds))], {}
        for s in np.flatnonzero(live).tolist():  # one by one: its batch then stays in cache
            update = UPDATES[self.config.algorithm.name]
            states[s], metrics = update(states[s], rollout.rows(slice(s, s + 1)), self.config)
            rows[s] = {name: values.item() for name, values in metrics.items()}
        new = stack(states)
        finite = new.finite()
        self.state = where(finite, new, self.state)
        self.diverged |= ~finite.numpy()
        return {s: (self._row(s, metrics), self._episodes(s, episodes[s])) for s, metrics in rows.items()}

    def _row(self, s: int, metrics: Row) -> Row:
        self.iterations[s] += 1
        account = self.collector.accounts[s]
        episode_return, episode_length = self.collector.trailing(s)
        progress = {
            "iteration": int(self.iterations[s]),
            "env_steps": account.env_steps,
            "episodes": account.episodes,
        }
        return {**progress, "episode_return": episode_return, "episode_length": episode_length, **metrics}

    def _episodes(self, s: int, episodes: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(int(self.iterations[s]), *episode) for episode in episodes]

    def save(self, s: int) -> dict[str, Any]:
        """All that the s-th seed needs to go on bit for bit."""
        return {
            "iteration": int(self.iterations[s]),
            "state": {name: tensor[s].clone() for name, tensor in self.state.tensors().items()},
            "collector": self.collector.save(s),
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        self.iterations[s] = saved["iteration"]
        for name, tensor in self.state.tensors().items():
            tensor[s] = saved["state"][name]
        self.collector.load(s, saved["collector"])

    def close(self) -> None:
        self.collector.envs.close()
