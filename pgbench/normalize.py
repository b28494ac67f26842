"""Running moments, one set a seed, for observations and rewards of unlike scales."""

from typing import Any

import numpy as np


class RunningMoments:
    """Mean and variance of all vectors [S, D] seen so far, float64, merged batch by batch (Chan et al. 1983)."""

    def __init__(self, n_seeds: int, size: int):
        self.count = np.zeros(n_seeds)
        self.mean = np.zeros((n_seeds, size))
        self.var = np.ones((n_seeds, size))

    def update(self, s: int, batch: np.ndarray) -> None:
        """Adds a batch [B, D] to the s-th seed's moments."""
        count, mean, var = len(batch), batch.mean(0, dtype=np.float64), batch.var(0, dtype=np.float64)
        total = self.count[s] + count
        shift = mean - self.mean[s]
        spread = self.count[s] * self.var[s] + count * var + shift**2 * self.count[s] * count / total
        self.mean[s] += shift * count / total
        self.var[s] = spread / total
        self.count[s] = total

    def save(self, s: int) -> dict[str, Any]:
        return {"count": float(self.count[s]), "mean": self.mean[s].copy(), "var": self.var[s].copy()}

    def load(self, s: int, saved: dict[str, Any]) -> None:
        self.count[s], self.mean[s], self.var[s] = saved["count"], saved["mean"], saved["var"]


def standardize(x: np.ndarray, mean: np.ndarray, var: np.ndarray, clip: float = 10.0) -> np.ndarray:
    """(x - mean) / sqrt(var), clipped to +-clip; x [S, ..., D], mean and var [S, D]."""
    shape = (len(mean), *[1] * (x.ndim - 2), -1)
    scaled = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + 1e-8)
    return np.clip(scaled, -clip, clip).astype(x.dtype)
