"""Gymnasium's CartPole for all seeds in one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

from pgbench.config import Env
from pgbench.policy import ActionSpace


class _AnyAction(spaces.MultiDiscrete):
    """Ours come from the policy, and gymnasium's check of them takes a sixth of its step."""

    def contains(self, x: Any) -> bool:
        return True


class CartPoles:
    """Gymnasium's CartPole for all seeds in one array: its dynamics, with resets from each seed's own generator."""

    actions = ActionSpace(discrete=True, size=2)

    def __init__(self, env: Env, n_envs: int, seeds: Sequence[np.random.SeedSequence], limit: int | None):
        assert limit is not None
        self.n_envs, self.limit, self.append_time = n_envs, limit, env.append_time
        self.rngs = [np.random.default_rng(seed.spawn(1)[0]) for seed in seeds]
        self.sim = CartPoleVectorEnv(len(seeds) * n_envs, max_episode_steps=limit)
        self.sim.action_space = _AnyAction(np.full(self.sim.num_envs, 2))
        self.sim.reset(seed=0)  # the states are drawn anew below, from the seeds' generators
        for s in range(len(seeds)):
            self._begin(s, np.arange(n_envs))
        assert self.sim.state is not None
        self.obs = self.final_obs = self._observe(self.sim.state.T.astype(np.float32))

    def _begin(self, s: int, which: np.ndarray) -> None:
        assert self.sim.state is not None
        columns = s * self.n_envs + which
        self.sim.state[:, columns] = self.rngs[s].uniform(-0.05, 0.05, (4, len(which)))
        self.sim.steps[columns] = 0

    def _observe(self, obs: np.ndarray) -> np.ndarray:
        """Observations [S, N, O] of the states [S N, 4], float32."""
        if self.append_time:
            obs = np.column_stack([obs, (self.sim.steps / self.limit).astype(np.float32)])
        return obs.reshape(len(self.rngs), self.n_envs, -1)

    def step(self, actions: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sim = self.sim
        assert sim.state is not None
        frozen = None if live.all() else ~live.ravel()
        if frozen is not None:
            kept = sim.state[:, frozen], sim.steps[frozen]
        obs, reward, terminated, truncated, _ = sim.step(actions.ravel())
        done = sim.prev_done  # emptied below, or its next step would reset once more, from its one generator
        if frozen is not None:
            sim.state[:, frozen], sim.steps[frozen] = kept
            obs[frozen] = kept[0].T
            reward[frozen], terminated[frozen], truncated[frozen], done[frozen] = 0, False, False, False
        if done.any():
            truncated &= ~terminated
            self.final_obs = self._observe(obs.copy())
            ended = done.reshape(live.shape)
            for s in np.flatnonzero(ended.any(1)).tolist():
                self._begin(s, np.flatnonzero(ended[s]))
            obs[done] = sim.state[:, done].T
            done[:] = False
        self.obs = self._observe(obs)
        return reward.reshape(live.shape), terminated.reshape(live.shape), truncated.reshape(live.shape)

    def save(self, s: int) -> dict[str, Any]:
        assert self.sim.state is not None
        mine = slice(s * self.n_envs, (s + 1) * self.n_envs)
        return {
            "rng": self.rngs[s].bit_generator.state,
            "state": self.sim.state[:, mine].copy(),
            "steps": self.sim.steps[mine].copy(),
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        assert self.sim.state is not None
        mine = slice(s * self.n_envs, (s + 1) * self.n_envs)
        self.rngs[s].bit_generator.state = saved["rng"]
        self.sim.state[:, mine], self.sim.steps[mine] = saved["state"], saved["steps"]
        self.obs = self._observe(self.sim.state.T.astype(np.float32))

    def close(self) -> None: ...
