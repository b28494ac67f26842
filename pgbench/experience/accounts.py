"""What one seed has done so far: steps, episodes and their returns."""

from collections import deque
from typing import Any

import numpy as np

TRAILING = 100
Episode = tuple[int, float, int, int]
"""env_steps when it ended, undiscounted return, length, 1 if the environment ended it (0: the time limit)"""


class Account:
    """Steps and episodes of one seed; `recent` holds return and length of its last 100 finished episodes."""

    def __init__(self, n_envs: int):
        self.env_steps = self.episodes = 0
        self.running_return = np.zeros(n_envs)
        self.running_length = np.zeros(n_envs, int)
        self.recent: deque[tuple[float, int]] = deque(maxlen=TRAILING)

    def trailing(self) -> tuple[float, float]:
        """Mean return and length of the last 100 finished episodes; NaN before the first."""
        return tuple(np.mean(list(self.recent), 0).tolist()) if self.recent else (float("nan"), float("nan"))

    def take(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, live: np.ndarray
    ) -> list[Episode]:
        """Takes in a batch [T, N], rewards as the environment gave them, float64; the episodes that ended, in order of
        time. A return is the sum of its own episode's rewards and of no others."""
        steps = self.env_steps + live.sum(1).cumsum()
        lengths = live.cumsum(0)
        begin, before = np.zeros(live.shape[1], int), -self.running_length
        rows: list[Episode] = []
        for t, n in np.argwhere(terminated | truncated).tolist():
            value = float(self.running_return[n] + rewards[begin[n] : t + 1, n].sum())
            length = int(lengths[t, n] - before[n])
            self.running_return[n], begin[n], before[n] = 0, t + 1, lengths[t, n]
            rows.append((int(steps[t]), value, length, int(terminated[t, n])))
            self.recent.append((value, length))
        running = np.arange(len(live))[:, None] >= begin
        self.running_return = self.running_return + np.where(running, rewards, 0).sum(0)
        self.running_length = lengths[-1] - before
        self.env_steps, self.episodes = int(steps[-1]), self.episodes + len(rows)
        return rows

    def save(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {**vars(self), "running_return": self.running_return.copy(), "recent": list(self.recent)}

    def load(self, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        vars(self).update({**saved, "running_return": saved["running_return"].copy()})
        self.recent = deque(map(tuple, saved["recent"]), TRAILING)
