"""Any Gymnasium environment, one object each."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from pgbench.config import Env
from pgbench.errors import UserError
from pgbench.experience.locomotion import quick
from pgbench.experience.making import FRESH, make_env
from pgbench.policy import ActionSpace


class GymEnvs:
    """Any Gymnasium environment, one object each.

    A running episode is saved as the state of its generator at the reset and the actions since: replaying them leads
    to the same state in every environment whose randomness comes from its `np_random`, MuJoCo's included.
    """

    def __init__(self, env: Env, n_envs: int, seeds: Sequence[np.random.SeedSequence]):
        self.envs = [quick(make_env(env)) for _ in range(len(seeds) * n_envs)]
        self.id = env.id
        self.n_envs = n_envs
        size = int(np.prod(self.envs[0].observation_space.shape or ()))
        self.obs = np.zeros((len(seeds), n_envs, size), np.float32)
        self.final_obs = self.obs.copy()
        # Flat views: one row an environment.
        self._obs, self._final = self.obs.reshape(-1, size), self.final_obs.reshape(-1, size)
        actions = ActionSpace.of(self.envs[0].action_space)
        assert actions
        self.actions = actions
        self._origin: list[Any] = [None] * len(self.envs)
        # Of each running episode, every step's actions of all environments: one object shared, instead of one each.
        self._taken: list[list[Any]] = [[] for _ in self.envs]
        children = [child for seed in seeds for child in seed.spawn(n_envs)]
        for i, child in enumerate(children):
            self.envs[i].reset(seed=int(child.generate_state(1, np.uint64)[0]))
            self._begin(i)

    def _begin(self, i: int) -> None:
        """Starts an episode with environment i's own generator."""
        self._origin[i] = self.envs[i].unwrapped.np_random.bit_generator.state
        self._taken[i] = []
        self._obs[i] = self.envs[i].reset()[0]

    def step(self, actions: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        terminated, truncated = np.zeros(live.shape, bool), np.zeros(live.shape, bool)
        rewards = np.zeros(live.shape)
        todo: Any = self.actions.to_env(actions.reshape(len(self.envs), *actions.shape[2:]))
        if self.actions.discrete:
            todo = todo.tolist()
        kept = todo.copy()  # an environment may change what it is given
        obs, reward_row, envs, taken = self._obs, rewards.reshape(-1), self.envs, self._taken
        for i in np.flatnonzero(live).tolist():
            # A reward may be a number, or an array of one.
            obs[i], reward_row[i : i + 1], ended, cut, _ = envs[i].step(todo[i])
            taken[i].append(kept)
            if ended or cut:
                place = np.unravel_index(i, live.shape)
                terminated[place], truncated[place] = ended, cut and not ended
                self._final[i] = obs[i]
                self._begin(i)
        return rewards, terminated, truncated

    def save(self, s: int) -> dict[str, Any]:
        mine = range(s * self.n_envs, (s + 1) * self.n_envs)
        return {
            "origins": [self._origin[i] for i in mine],
            "actions": [np.array([kept[i] for kept in self._taken[i]]) for i in mine],
            "obs": self.obs[s].copy(),
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        for n, (origin, actions) in enumerate(zip(saved["origins"], saved["actions"], strict=True)):
            i = s * self.n_envs + n
            self.envs[i].unwrapped.np_random.bit_generator.state = origin
            self._begin(i)
            for action in actions.astype(int).tolist() if self.actions.discrete else actions:
                self._taken[i].append({i: copy(action)})
                self._obs[i] = self.envs[i].step(action)[0]
        if not np.array_equal(self.obs[s], saved.get("obs", self.obs[s]), equal_nan=True):  # older ones lack them
            raise UserError(
                f"env.id: the running episodes of '{self.id}', replayed, lead elsewhere than they did, so this run "
                f"cannot go on as it was; to train anew, {FRESH}"
            )

    def close(self) -> None:
        for env in self.envs:
            env.close()
