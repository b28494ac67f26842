"""MountainCar-v0: Gymnasium 1.4.0, gymnasium/envs/classic_control/mountain_car.py.

A car too weak for the hill before it. State and observation: position, velocity. Actions: left, none, right.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pgbench.experience.tasks.task import Rows, Step

FORCE, GRAVITY = 0.001, 0.0025
MIN_POSITION, MAX_POSITION, GOAL = -1.2, 0.6, 0.5
MAX_SPEED = 0.07


@dataclass(frozen=True)
class MountainCar:
    goal_velocity: float = 0
    """least velocity at the goal"""

    dtype: ClassVar[type[np.floating[Any]]] = np.float64

    def reset(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return np.stack([rng.uniform(-0.6, -0.4, n), np.zeros(n)])

    def step(self, state: np.ndarray, action: np.ndarray) -> Step:
        position, velocity = state
        velocity = velocity + ((action - 1) * FORCE + np.cos(3 * position) * -GRAVITY)
        velocity = np.minimum(np.maximum(velocity, -MAX_SPEED), MAX_SPEED)
        position = np.minimum(np.maximum(position + velocity, MIN_POSITION), MAX_POSITION)
        velocity[(position == MIN_POSITION) & (velocity < 0)] = 0  # the wall
        return (position, velocity), -1.0, (position >= GOAL) & (velocity >= self.goal_velocity)

    def observe(self, state: np.ndarray) -> Rows:
        return tuple(state)
