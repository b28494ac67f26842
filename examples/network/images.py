"""A small image task: a bright dot in one half of a dim, noisy picture; name the half."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

SIZE = 8


class Dot(gym.Env):
    """Eight pictures an episode; reward 1 for the right half, so the best return is 8 and chance gives 4."""

    observation_space = spaces.Box(0, 255, (SIZE, SIZE, 1), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.steps = 0
        return self._draw(), {}

    def _draw(self) -> np.ndarray:
        picture = self.np_random.integers(0, 60, (SIZE, SIZE, 1), dtype=np.uint8)
        row, self.column = self.np_random.integers(SIZE, size=2)
        picture[row, self.column] = 255
        return picture

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        reward = float(action == (self.column >= SIZE // 2))
        self.steps += 1
        return self._draw(), reward, self.steps == 8, False, {}


gym.register("Dot-v0", entry_point=Dot)
