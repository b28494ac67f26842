"""MountainCarContinuous-v0: Gymnasium 1.4.0, gymnasium/envs/classic_control/continuous_mountain_car.py.

A car too weak for the hill before it. State and observation: position, velocity. The action is a force in [-1, 1], and
costs its square. Gymnasium keeps the state in float32 but for that of a reset; here that is rounded, too.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pgbench.experience.tasks.task import Rows, Step

POWER, GRAVITY = 0.0015, 0.0025
MIN_POSITION, MAX_POSITION, GOAL = -1.2, 0.6, 0.45
MAX_SPEED = 0.07


@dataclass(frozen=True)
class MountainCarContinuous:
    goal_velocity: float = 0
    """least velocity at the goal"""

    dtype: ClassVar[type[np.floating[Any]]] = np.float32

    def reset(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return np.stack([rng.uniform(-0.6, -0.4, n), np.zeros(n)]).astype(np.float32)

    def step(self, state: np.ndarray, action: np.ndarray) -> Step:
        position, velocity = state
        slope = (GRAVITY * np.cos(3 * position, dtype=np.float64)).astype(np.float32)
        velocity = velocity + (action * POWER - slope)
        velocity = np.minimum(np.maximum(velocity, -MAX_SPEED), MAX_SPEED)
        position = np.minimum(np.maximum(position + velocity, MIN_POSITION), MAX_POSITION)
        velocity[(position == np.float32(MIN_POSITION)) & (velocity < 0)] = 0  # the wall
        arrived = (position >= GOAL) & (velocity >= self.goal_velocity)
        return (position, velocity), 100.0 * arrived - 0.1 * np.square(action, dtype=np.float64), arrived

    def observe(self, state: np.ndarray) -> Rows:
        return tuple(state)
