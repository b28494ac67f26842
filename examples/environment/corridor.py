"""An environment of one's own, registered as Gymnasium does it, and a wrapper around it."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Corridor(gym.Env):
    """Walk to the right end of a corridor: -1 a step. Observes the place, 0 at the left end to 1 at the right."""

    action_space = spaces.Discrete(2)

    def __init__(self, length: int = 8):
        self.length = length
        self.observation_space = spaces.Box(0, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(self.length // 2))
        return self._observe(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.place = max(0, self.place + (1 if action == 1 else -1))
        return self._observe(), -1.0, self.place == self.length, False, {}

    def _observe(self) -> np.ndarray:
        return np.array([self.place / self.length], np.float32)


class Slippery(gym.ActionWrapper):
    """Turns an action around with a probability, drawn from the environment's own generator so that runs resume."""

    def __init__(self, env: gym.Env, probability: float = 0.1):
        super().__init__(env)
        self.probability = probability

    def action(self, action: int) -> int:
        return 1 - action if self.unwrapped.np_random.random() < self.probability else action


gym.register("Corridor-v0", entry_point=Corridor, max_episode_steps=100)
