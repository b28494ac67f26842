"""Any Gymnasium environment, one object each."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from pgbench.config import Env
from pgbench.errors import UserError
from pgbench.plugins import load
from pgbench.policy import ActionSpace


def make_env(env: Env) -> gym.Env:
    """One environment with a flat observation. Raises UserError for an id, keyword or space that will not do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            _hush_mujoco(env.id)
            made = gym.make(env.id, disable_env_checker=True, **env.kwargs)
            for wrapper in env.wrappers:
                keywords = {key: value for key, value in wrapper.items() if key != "wrapper"}
                made = load(wrapper["wrapper"], "env.wrappers")(made, **keywords)
    except (gym.error.Error, ImportError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        hint = f" with env.kwargs={env.kwargs}" if env.kwargs else ""
        raise UserError(f"env.id: cannot make '{env.id}'{hint}: {reason}") from None
    if ActionSpace.of(made.action_space) is None:
        raise UserError(f"env.id: '{env.id}' has action space {made.action_space}; supported are Discrete and Box")
    if not made.observation_space.is_np_flattenable:
        raise UserError(f"env.id: '{env.id}' has observation space {made.observation_space}, which cannot be flattened")
    if env.append_time and time_limit(made) is None:
        raise UserError(
            f"env.append_time: '{env.id}' has no time limit; set +env.kwargs.max_episode_steps or leave it off"
        )
    if isinstance(made.observation_space, spaces.Box) and len(made.observation_space.shape) == 1:
        return made
    return gym.wrappers.FlattenObservation(made)


def _hush_mujoco(env_id: str) -> None:
    """Sends MuJoCo's notes on gymnasium's models to the log, instead of terminal and file for every environment."""
    if env_id in gym.registry and "mujoco" in str(gym.registry[env_id].entry_point):
        import mujoco

        mujoco.set_mju_user_warning(logging.getLogger("mujoco").info)


def time_limit(made: gym.Env) -> int | None:
    return made.spec.max_episode_steps if made.spec else None


class GymEnvs:
    """Any Gymnasium environment, one object each.

    A running episode is saved as the state of its generator at the reset and the actions since: replaying them leads
    to the same state in every environment whose randomness comes from its `np_random`, MuJoCo's included.
    """

    def __init__(self, env: Env, n_envs: int, seeds: Sequence[np.random.SeedSequence]):
        self.envs = [make_env(env) for _ in range(len(seeds) * n_envs)]
        self.n_envs = n_envs
        self.limit = time_limit(self.envs[0]) if env.append_time else None
        space, action_space = self.envs[0].observation_space, self.envs[0].action_space
        assert isinstance(space, spaces.Box)
        self.size = int(np.prod(space.shape))
        self.obs = np.zeros((len(seeds), n_envs, self.size + env.append_time), np.float32)
        self.final_obs = self.obs.copy()
        # Flat views: one row an environment.
        self._obs, self._final = (
            self.obs.reshape(-1, self.obs.shape[-1]),
            self.final_obs.reshape(-1, self.obs.shape[-1]),
        )
        actions = ActionSpace.of(action_space)
        assert actions
        self.actions = actions
        self._origin: list[Any] = [None] * len(self.envs)
        self._actions: list[list[Any]] = [[] for _ in self.envs]
        children = [child for seed in seeds for child in seed.spawn(n_envs)]
        for i, child in enumerate(children):
            self.envs[i].reset(seed=int(child.generate_state(1, np.uint64)[0]))
            self._begin(i)

    def _begin(self, i: int) -> None:
        """Starts an episode with environment i's own generator."""
        self._origin[i] = self.envs[i].unwrapped.np_random.bit_generator.state
        self._actions[i] = []
        self._observe(self._obs[i], self.envs[i].reset()[0], 0)

    def _observe(self, row: np.ndarray, obs: np.ndarray, elapsed: int) -> None:
        row[: self.size] = obs
        if self.limit:
            row[-1] = elapsed / self.limit

    def step(self, actions: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rewards = np.zeros(live.shape)
        terminated, truncated = np.zeros(live.shape, bool), np.zeros(live.shape, bool)
        reward_row, terminated_row, truncated_row = rewards.ravel(), terminated.ravel(), truncated.ravel()
        todo = self.actions.to_env(actions.reshape(len(self.envs), *actions.shape[2:]))
        if self.actions.discrete:
            todo = todo.tolist()
        for i in np.flatnonzero(live).tolist():
            obs, reward_row[i], ended, cut, _ = self.envs[i].step(todo[i])
            self._actions[i].append(todo[i])
            self._observe(self._obs[i], obs, len(self._actions[i]))
            if ended or cut:
                terminated_row[i], truncated_row[i] = ended, cut and not ended
                self._final[i] = self._obs[i]
                self._begin(i)
        return rewards, terminated, truncated

    def save(self, s: int) -> dict[str, Any]:
        mine = range(s * self.n_envs, (s + 1) * self.n_envs)
        return {
            "origins": [self._origin[i] for i in mine],
            "actions": [np.array(self._actions[i]) for i in mine],
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        for n, (origin, actions) in enumerate(zip(saved["origins"], saved["actions"], strict=True)):
            i = s * self.n_envs + n
            self.envs[i].unwrapped.np_random.bit_generator.state = origin
            self._begin(i)
            self._actions[i] = actions.astype(int).tolist() if self.actions.discrete else list(actions)
            for elapsed, action in enumerate(self._actions[i], 1):
                self._observe(self._obs[i], self.envs[i].step(action)[0], elapsed)

    def close(self) -> None:
        for env in self.envs:
            env.close()
