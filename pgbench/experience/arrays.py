"""Environments of all seeds as one array: what the tasks share."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from pgbench.experience.tasks import Task
from pgbench.policy import ActionSpace


class ArrayEnvs:
    """S x N episodes of one task, stepped at once, with resets from each seed's own stream.

    Columns of `state` [K, S N] are environments, seed by seed; `steps` [S N] counts those of the running episodes.
    `made` is one environment of Gymnasium's with the same keywords: its spaces and its time limit hold here, too.
    """

    def __init__(
        self, task: Task, made: gym.Env, append_time: bool, n_envs: int, seeds: Sequence[np.random.SeedSequence]
    ):
        self.task, self.n_envs = task, n_envs
        self.limit = made.spec.max_episode_steps if made.spec else None
        self.time = self.limit if append_time else None
        actions = ActionSpace.of(made.action_space)
        assert actions
        self.actions = actions
        self.bounds = (actions.low, actions.high) if actions.low is not None and actions.high is not None else None
        self.rngs = [np.random.default_rng(seed.spawn(1)[0]) for seed in seeds]
        count, size = len(seeds) * n_envs, int(np.prod(made.observation_space.shape or ()))
        self.steps = np.zeros(count, np.int32)
        self.obs = np.zeros((len(seeds), n_envs, size), np.float32)
        self.final_obs = self.obs.copy()
        # Flat views: one row an environment.
        self._obs, self._final = self.obs.reshape(count, -1), self.final_obs.reshape(count, -1)
        start = self._start(np.full(len(seeds), n_envs))
        self.state = start.astype(task.dtype)
        self._observe(start, slice(None))

    def _start(self, counts: np.ndarray) -> np.ndarray:
        """Initial states of counts [S] episodes of each seed, seed by seed [K, sum(counts)]."""
        drawn = [self.rngs[s].random((self.task.n_random, counts[s])) for s in np.flatnonzero(counts)]
        return self.task.start(np.concatenate(drawn, 1))

    def _observe(self, state: np.ndarray, which: Any) -> None:
        """Fills in the observations of some environments, whose states are given [K, n]."""
        for i, values in enumerate(self.task.observe(state)):
            self._obs[which, i] = values
        if self.time:
            self._obs[which, -1] = self.steps[which] / self.time

    def step(self, actions: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Acts in the live [S, N] environments; the rest stand still. Reward, terminated, truncated, each [S, N].
        Actions beyond a Box are clipped to it."""
        which = slice(None) if np.count_nonzero(live) == live.size else live.reshape(-1).nonzero()[0]
        action, state = actions.reshape(-1)[which], self.state[:, which]
        if self.bounds:
            action = action.clip(*self.bounds)
        rewards, terminated = np.zeros(live.size), np.zeros(live.size, bool)
        rewards[which], terminated[which] = self.task.step(state, action)
        self.steps += live.reshape(-1)
        if isinstance(which, np.ndarray):  # else `state` is a view
            self.state[:, which] = state
        self._observe(state, which)
        over = terminated | (self.steps >= self.limit) if self.limit else terminated
        truncated = over ^ terminated
        if len(ended := over.nonzero()[0]):
            self._begin(ended)
        return rewards.reshape(live.shape), terminated.reshape(live.shape), truncated.reshape(live.shape)

    def _begin(self, which: np.ndarray) -> None:
        """Starts the next episodes of some environments."""
        self._final[which] = self._obs[which]
        start = self._start(np.bincount(which // self.n_envs, minlength=len(self.rngs)))
        self.state[:, which], self.steps[which] = start, 0
        self._observe(start, which)

    def save(self, s: int) -> dict[str, Any]:
        """Everything the s-th seed's environments need to go on, in builtins and arrays."""
        mine = slice(s * self.n_envs, (s + 1) * self.n_envs)
        return {
            "rng": self.rngs[s].bit_generator.state,
            "state": self.state[:, mine].copy(),
            "steps": self.steps[mine].copy(),
            "obs": self.obs[s].copy(),
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        """Goes back to where `save` was called."""
        mine = slice(s * self.n_envs, (s + 1) * self.n_envs)
        self.rngs[s].bit_generator.state = saved["rng"]
        self.state[:, mine], self.steps[mine], self.obs[s] = saved["state"], saved["steps"], saved["obs"]

    def close(self) -> None: ...
