"""What one seed saw in one iteration: plain arrays, between acting and learning."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rollout:
    """T steps of N environments. Steps that are not `live` belong to no batch."""

    obs: np.ndarray
    """[T, N, O], as the networks see them"""
    actions: np.ndarray
    """[T, N], or [T, N, A] before clipping to the action space"""
    rewards: np.ndarray
    """[T, N], as the learner sees them"""
    terminated: np.ndarray
    """the environment ended the episode, bool [T, N]"""
    truncated: np.ndarray
    """the time limit cut it, bool [T, N]"""
    live: np.ndarray
    """bool [T, N]"""
    next_obs: np.ndarray
    """observations after the last step [N, O]"""
    cut_obs: np.ndarray
    """final observations of the truncated steps, in the order of np.argwhere(truncated) [K, O]"""

    @property
    def last(self) -> np.ndarray:
        """Steps after which another trajectory, or the end of the batch, follows, bool [T, N]."""
        last: np.ndarray = self.terminated | self.truncated
        last[-1] = True
        return last
