"""CartPole-v0 and -v1: Gymnasium 1.4.0, gymnasium/envs/classic_control/cartpole.py.

A pole hinged on a cart that is pushed left or right. State and observation: x, x', theta, theta' (theta = 0 upright).
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pgbench.experience.tasks.task import Outcome, Rows

GRAVITY = 9.8
CART, POLE = 1.0, 0.1  # masses
TOTAL = POLE + CART
LENGTH = 0.5  # half the pole's
POLE_MOMENT = POLE * LENGTH
FORCE = 10.0
TAU = 0.02  # seconds a step
MAX_X, MAX_THETA = 2.4, 12 * 2 * math.pi / 360


@dataclass(frozen=True)
class CartPole:
    sutton_barto_reward: bool = False
    """-1 for falling and 0 else, instead of 1 a step"""

    dtype: ClassVar[type[np.floating[Any]]] = np.float64
    n_random: ClassVar[int] = 4

    def start(self, u: np.ndarray) -> np.ndarray:
        return -0.05 + 0.1 * u

    def step(self, state: np.ndarray, action: np.ndarray) -> Outcome:
        x, x_dot, theta, theta_dot = state
        force = 2 * FORCE * action - FORCE
        cos, sin = np.cos(theta), np.sin(theta)
        # https://coneural.org/florian/papers/05_cart_pole.pdf
        push = (force + POLE_MOMENT * np.square(theta_dot) * sin) / TOTAL
        theta_acc = (GRAVITY * sin - cos * push) / (LENGTH * (4.0 / 3.0 - POLE * np.square(cos) / TOTAL))
        x_acc = push - POLE_MOMENT * theta_acc * cos / TOTAL
        x += TAU * x_dot
        x_dot += TAU * x_acc
        theta += TAU * theta_dot
        theta_dot += TAU * theta_acc
        fell = (np.abs(x) > MAX_X) | (np.abs(theta) > MAX_THETA)
        return 0.0 - fell if self.sutton_barto_reward else 1.0, fell

    def observe(self, state: np.ndarray) -> Rows:
        return tuple(state)
