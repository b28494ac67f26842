"""MountainCar-v0: Gymnasium 1.4.0, gymnasium/envs/classic_control/mountain_car.py.

A car too weak for the hill before it. State and observation: position, velocity. Actions: left, none, right.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pgbench.experience.tasks.task import Outcome, Rows

FORCE, GRAVITY = 0.001, 0.0025
MIN_POSITION, MAX_POSITION, GOAL = -1.2, 0.6, 0.5
MAX_SPEED = 0.07


@dataclass(frozen=True)
class MountainCar:
    goal_velocity: float = 0
    """least velocity at the goal"""

    dtype: ClassVar[type[np.floating[Any]]] = np.float64
    n_random: ClassVar[int] = 1

    def start(self, u: np.ndarray) -> np.ndarray:
        return np.concatenate([-0.6 + 0.2 * u, np.zeros_like(u)])

    def step(self, state: np.ndarray, action: np.ndarray) -> Outcome:
        position, velocity = state
        velocity += (action - 1) * FORCE + np.cos(3 * position) * -GRAVITY
        velocity.clip(-MAX_SPEED, MAX_SPEED, out=velocity)
        position += velocity
        position.clip(MIN_POSITION, MAX_POSITION, out=position)
        velocity[(position == MIN_POSITION) & (velocity < 0)] = 0  # a wall
        return -1.0, (position >= GOAL) & (velocity >= self.goal_velocity)

    def observe(self, state: np.ndarray) -> Rows:
        return tuple(state)
