"""What a task has to say."""

from typing import Any, ClassVar, Protocol

import numpy as np

Rows = tuple[np.ndarray, ...]
"""One array [n] for each component of a state or observation of n environments."""


Step = tuple[Rows, np.ndarray | float, np.ndarray]
"""New states, rewards (one number where all are the same) and whether the episode ended [n]."""


class Task(Protocol):
    """Dynamics, reward, end and reset of n environments."""

    dtype: ClassVar[type[np.floating[Any]]]
    """what Gymnasium keeps the state in between steps"""

    def reset(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Initial states [K, n]."""

    def step(self, state: np.ndarray, action: np.ndarray) -> Step:
        """Acts once in states [K, n]; each action [n] is a number within the action space."""

    def observe(self, state: np.ndarray) -> Rows:
        """What is seen of states [K, n]."""
