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
from pgbench.experience.tasks.task import Outcome, Rows

DT = 0.2  # seconds a step
G = 9.8
MAX_SPEED = np.array([[4 * pi], [9 * pi]])


@dataclass(frozen=True)
class Acrobot:
    dtype: ClassVar[type[np.floating[Any]]] = np.float64
    n_random: ClassVar[int] = 4

    def start(self, u: np.ndarray) -> np.ndarray:
        return (-0.1 + 0.2 * u).astype(np.float32)

    def step(self, state: np.ndarray, action: np.ndarray) -> Outcome:
        torque = action - 1.0
        # Runge-Kutta of fourth order
        k1 = derivative(state, torque)
        k2 = derivative(state + DT / 2 * k1, torque)
        k3 = derivative(state + DT / 2 * k2, torque)
        k4 = derivative(state + DT * k3, torque)
        state += DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        angles, speeds = state[:2], state[2:]
        wrap(angles)
        speeds.clip(-MAX_SPEED, MAX_SPEED, out=speeds)
        theta1, theta2 = angles
        up = -np.cos(theta1) - np.cos(theta2 + theta1) > 1.0
        return up - 1.0, up

    def observe(self, state: np.ndarray) -> Rows:
        theta1, theta2, speed1, speed2 = state
        return np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2), speed1, speed2


def derivative(state: np.ndarray, torque: np.ndarray) -> np.ndarray:
    """d state / dt [4, n]: Sutton and Barto, Reinforcement Learning, section 11.3 of the first edition, with both
    links' mass, length and moment of inertia 1, and their centres of mass in the middle."""
    theta1, theta2, speed1, speed2 = state
    cos2, sin2 = np.cos(theta2), np.sin(theta2)
    d1 = 0.25 + (1.25 + cos2) + 1 + 1
    d2 = 0.25 + 0.5 * cos2 + 1
    phi2 = 0.5 * G * np.cos(theta1 + theta2 - pi / 2)
    squares = square(state[2:])
    phi1 = -0.5 * squares[1] * sin2 - speed2 * speed1 * sin2 + 1.5 * G * np.cos(theta1 - pi / 2) + phi2
    rate = np.empty_like(state)
    rate[:2] = state[2:]
    rate[3] = (torque + d2 / d1 * phi1 - 0.5 * squares[0] * sin2 - phi2) / (1.25 - square(d2) / d1)
    rate[2] = -(d2 * rate[3] + phi1) / d1
    return rate


def wrap(angles: np.ndarray) -> None:
    """Brings angles into [-pi, pi], in place, a turn at a time, as the rounding depends on it."""
    while (over := angles > pi).any():
        angles[over] -= 2 * pi
    while (under := angles < -pi).any():
        angles[under] += 2 * pi
