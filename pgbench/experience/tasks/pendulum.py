"""Pendulum-v1: Gymnasium 1.4.0, gymnasium/envs/classic_control/pendulum.py.

A pendulum to be swung up and held by a torque. State: theta (0 upright) and theta'.
Observed: cos theta, sin theta, theta'.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy import pi

from pgbench.experience.tasks.arithmetic import square
from pgbench.experience.tasks.task import Outcome, Rows

DT = 0.05  # seconds a step
M = L = 1.0
MAX_SPEED = 8.0


@dataclass(frozen=True)
class Pendulum:
    g: float = 10.0
    """gravity"""

    dtype: ClassVar[type[np.floating[Any]]] = np.float64
    n_random: ClassVar[int] = 2

    def start(self, u: np.ndarray) -> np.ndarray:
        high = np.array([[pi], [1.0]])
        return -high + 2 * high * u

    def step(self, state: np.ndarray, action: np.ndarray) -> Outcome:
        theta, speed = state
        # The torque's share is float32, in Gymnasium as here. Only its square may round differently (u**2 of a scalar
        # is powf), by less than float32 resolves of the reward.
        cost = square((theta + pi) % (2 * pi) - pi) + 0.1 * square(speed) + 0.001 * (action * action)
        speed += (3 * self.g / (2 * L) * np.sin(theta) + 3.0 / (M * L**2) * action) * DT
        speed.clip(-MAX_SPEED, MAX_SPEED, out=speed)
        theta += speed * DT
        return -cost, np.zeros(len(theta), bool)

    def observe(self, state: np.ndarray) -> Rows:
        theta, speed = state
        return np.cos(theta), np.sin(theta), speed
