"""What a task has to say."""

from typing import Any, ClassVar, Protocol

import numpy as np

Rows = tuple[np.ndarray, ...]
"""One array [n] for each number that is observed of n environments."""

Outcome = tuple[np.ndarray | float, np.ndarray]
"""Rewards [n] (one number where all are the same) and whether the episode ended [n]."""


class Task(Protocol):
    """Dynamics, reward, end and reset of n environments, whose states are columns [K, n]."""

    dtype: ClassVar[type[np.floating[Any]]]
    """what Gymnasium keeps the state in between steps"""
    n_random: ClassVar[int]
    """random numbers that a reset takes"""

    def start(self, u: np.ndarray) -> np.ndarray:
        """Initial states [K, n] from numbers uniform in [0, 1), u [n_random, n]."""

    def step(self, state: np.ndarray, action: np.ndarray) -> Outcome:
        """Moves the states, in place; each action [n] is a number within the action space."""

    def observe(self, state: np.ndarray) -> Rows:
        """What is seen of states [K, n]."""
