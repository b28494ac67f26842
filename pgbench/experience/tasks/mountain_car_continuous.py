"""MountainCarContinuous-v0: Gymnasium 1.4.0, gymnasium/envs/classic_control/continuous_mountain_car.py.

A car too weak for the hill before it. State and observation: position, velocity. The action is a force in [-1, 1], and
costs its square. Gymnasium keeps the state in float32, except that of a reset; here that is rounded, too.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pgbench.experience.tasks.task import Outcome, Rows

# Arrays, which NumPy multiplies with and compares to in half the time of Python's numbers: this task is all overhead.
THREE, POWER, MAX_SPEED, MIN_SPEED, MIN_POSITION, MAX_POSITION, GOAL, ZERO = (
    np.array(value, np.float32) for value in (3, 0.0015, 0.07, -0.07, -1.2, 0.6, 0.45, 0)
)
GRAVITY, PRIZE, COST = (np.array(value) for value in (0.0025, 100.0, 0.1))


@dataclass(frozen=True)
class MountainCarContinuous:
    goal_velocity: float = 0
    """least velocity at the goal"""

    dtype: ClassVar[type[np.floating[Any]]] = np.float32
    n_random: ClassVar[int] = 1

    def start(self, u: np.ndarray) -> np.ndarray:
        return np.concatenate([-0.6 + 0.2 * u, np.zeros_like(u)]).astype(np.float32)

    def step(self, state: np.ndarray, action: np.ndarray) -> Outcome:
        position, velocity = state
        slope = (GRAVITY * np.cos(THREE * position, dtype=np.float64)).astype(np.float32)
        velocity += action * POWER - slope
        velocity.clip(MIN_SPEED, MAX_SPEED, out=velocity)
        position += velocity
        position.clip(MIN_POSITION, MAX_POSITION, out=position)
        velocity[(position == MIN_POSITION) & (velocity < ZERO)] = 0  # a wall
        arrived = (position >= GOAL) & (velocity >= self.goal_velocity)
        return PRIZE * arrived - COST * np.square(action, dtype=np.float64), arrived

    def observe(self, state: np.ndarray) -> Rows:
        return tuple(state)
