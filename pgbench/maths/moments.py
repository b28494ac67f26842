"""Running mean and variance, and what standardises with them."""

from dataclasses import dataclass

import numpy as np


class RunningMoments:
    """Mean and variance [D] of all vectors seen so far, float64, merged batch by batch (Chan et al. 1983)."""

    def __init__(self, size: int):
        self.count = 0.0
        self.mean = np.zeros(size)
        self.var = np.ones(size)

    def update(self, batch: np.ndarray) -> None:
        """Adds a batch [B, D]; the variance is that of the population (divided by the count)."""
        count, mean, var = len(batch), batch.mean(0, dtype=np.float64), batch.var(0, dtype=np.float64)
        total = self.count + count
        shift = mean - self.mean
        spread = self.count * self.var + count * var + shift**2 * self.count * count / total
        self.mean = self.mean + shift * count / total
        self.var = spread / total
        self.count = total


@dataclass(frozen=True)
class Standardizer:
    """x -> (x - mean) / sqrt(var), clipped to +-10; mean and var [D] or whatever broadcasts against x [..., D]."""

    mean: np.ndarray
    var: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Standardised x, in its own type."""
        return np.clip((x - self.mean) / np.sqrt(self.var + 1e-8), -10, 10).astype(x.dtype)
