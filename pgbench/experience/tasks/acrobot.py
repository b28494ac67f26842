"""Acrobot-v1: Gymnasium 1.4.0, gymnasium/envs/classic_control/acrobot.py (the variant it calls "book").

Two links, the joint between them driven; the goal is to swing the tip one link's length above the upper joint. State:
theta1 (0: hanging down), theta2 (relative to the first link), theta1', theta2'. Observed: cos and sin of both angles,
and the velocities.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy import pi

from pgbench.experience.tasks.arithmetic import square
from pgbench.experience.tasks.task import Rows, Step

DT = 0.2  # seconds a step
M1 = M2 = 1.0  # masses
L1 = 1.0  # length of the first link
LC1 = LC2 = 0.5  # centres of mass
I1 = I2 = 1.0  # moments of inertia
G = 9.8
MAX_SPEED = np.array([[4 * pi], [9 * pi]])


@dataclass(frozen=True)
class Acrobot:
    dtype: ClassVar[type[np.floating[Any]]] = np.float64

    def reset(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.uniform(-0.1, 0.1, (4, n)).astype(np.float32)

    def step(self, state: np.ndarray, action: np.ndarray) -> Step:
        torque = action - 1.0
        # Runge-Kutta of fourth order
        k1 = derivative(state, torque)
        k2 = derivative(state + DT / 2 * k1, torque)
        k3 = derivative(state + DT / 2 * k2, torque)
        k4 = derivative(state + DT * k3, torque)
        new = state + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        wrap(new[:2])
        new[2:] = np.minimum(np.maximum(new[2:], -MAX_SPEED), MAX_SPEED)
        theta1, theta2 = new[:2]
        up = -np.cos(theta1) - np.cos(theta2 + theta1) > 1.0
        return tuple(new), up - 1.0, up

    def observe(self, state: np.ndarray) -> Rows:
        theta1, theta2, speed1, speed2 = state
        return np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2), speed1, speed2


def derivative(state: np.ndarray, torque: np.ndarray) -> np.ndarray:
    """d state / dt [4, n]: Sutton and Barto, Reinforcement Learning, section 11.3 of the first edition."""
    theta1, theta2, speed1, speed2 = state
    cos2, sin2 = np.cos(theta2), np.sin(theta2)
    d1 = M1 * LC1**2 + M2 * (L1**2 + LC2**2 + 2 * L1 * LC2 * cos2) + I1 + I2
    d2 = M2 * (LC2**2 + L1 * LC2 * cos2) + I2
    phi2 = M2 * LC2 * G * np.cos(theta1 + theta2 - pi / 2)
    phi1 = (
        -M2 * L1 * LC2 * square(speed2) * sin2
        - 2 * M2 * L1 * LC2 * speed2 * speed1 * sin2
        + (M1 * LC1 + M2 * L1) * G * np.cos(theta1 - pi / 2)
        + phi2
    )
    acceleration2 = (torque + d2 / d1 * phi1 - M2 * L1 * LC2 * square(speed1) * sin2 - phi2) / (
        M2 * LC2**2 + I2 - square(d2) / d1
    )
    acceleration1 = -(d2 * acceleration2 + phi1) / d1
    return np.array([speed1, speed2, acceleration1, acceleration2])


def wrap(angles: np.ndarray) -> None:
    """Brings angles into [-pi, pi] by whole turns, in place and one by one, as the rounding depends on it."""
    while (over := angles > pi).any():
        angles[over] -= 2 * pi
    while (under := angles < -pi).any():
        angles[under] += 2 * pi
