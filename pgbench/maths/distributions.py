"""The two action distributions, as functions of their parameters y.

y [..., D] is what the policy network puts out: logits of a categorical (D = A), or mean | log standard deviation of a
diagonal Gaussian (D = 2A). Densities in nats. `fisher` is the Fisher information in y, the metric M of F = J^T M J.
"""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Distribution(Protocol):
    """What a policy asks of its action distribution. Leading axes are free; a comes from `sample`."""

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Standard noise [*shape, A], float32, of which `sample` makes actions."""

    def sample(self, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Actions a ~ pi(.; y)."""

    def mode(self, y: np.ndarray) -> np.ndarray:
        """The most likely actions."""

    def log_prob(self, y: Tensor, a: Tensor) -> Tensor:
        """log pi(a; y) [...]."""

    def score(self, y: Tensor, a: Tensor) -> Tensor:
        """d log pi(a; y) / dy [..., D]."""

    def entropy(self, y: Tensor) -> Tensor:
        """-E log pi [...]."""

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """KL(pi(.; old) || pi(.; new)) [...]."""

    def fisher(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """dy -> M dy [..., D], M = E[score score^T] = Hessian of KL(y || .) at y."""


class Categorical:
    """pi(a) = softmax(y)_a; actions are integers [...]."""

    def __init__(self, n_actions: int):
        self.n_actions = n_actions

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Gumbel noise: argmax(y + noise) has the distribution softmax(y)."""
        exponential = rng.standard_exponential((*shape, self.n_actions), dtype=np.float32)
        return -np.log(np.maximum(exponential, np.finfo(np.float32).tiny))

    def sample(self, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.argmax(y + noise, -1)

    def mode(self, y: np.ndarray) -> np.ndarray:
        return np.argmax(y, -1)

    def log_prob(self, y: Tensor, a: Tensor) -> Tensor:
        return y.log_softmax(-1).gather(-1, a.unsqueeze(-1)).squeeze(-1)

    def score(self, y: Tensor, a: Tensor) -> Tensor:
        """onehot(a) - softmax(y)."""
        return y.softmax(-1).neg_().scatter_add_(-1, a.unsqueeze(-1), y.new_ones(()).expand(*a.shape, 1))

    def entropy(self, y: Tensor) -> Tensor:
        """-sum p log p."""
        log_p = y.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """sum p_old (log p_old - log p_new)."""
        log_old = old.log_softmax(-1)
        return (log_old.exp() * (log_old - new.log_softmax(-1))).sum(-1)

    def fisher(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """(diag(p) - p p^T) dy."""
        p = y.softmax(-1)

        def product(dy: Tensor) -> Tensor:
            weighted = p * dy
            return torch.addcmul(weighted, p, weighted.sum(-1, keepdim=True), value=-1)

        return product


class DiagonalGaussian:
    """pi(a) = prod_i Normal(a_i; mean_i, exp(log_std_i)^2); actions are vectors [..., A]."""

    def __init__(self, n_actions: int):
        self.n_actions = n_actions

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal((*shape, self.n_actions), dtype=np.float32)

    def sample(self, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return y[..., : self.n_actions] + np.exp(y[..., self.n_actions :]) * noise

    def mode(self, y: np.ndarray) -> np.ndarray:
        return y[..., : self.n_actions]

    def log_prob(self, y: Tensor, a: Tensor) -> Tensor:
        """-1/2 sum (z^2 + 2 log std + log 2 pi), z = (a - mean) / std."""
        mean, log_std = y.chunk(2, -1)
        z = (a - mean) * torch.exp(-log_std)
        return -0.5 * (z.square() + 2 * log_std + math.log(2 * math.pi)).sum(-1)

    def score(self, y: Tensor, a: Tensor) -> Tensor:
        """z / std for the mean, z^2 - 1 for the log standard deviation."""
        mean, log_std = y.chunk(2, -1)
        inverse_std = torch.exp(-log_std)
        z = (a - mean) * inverse_std
        return torch.cat([z * inverse_std, z.square() - 1], -1)

    def entropy(self, y: Tensor) -> Tensor:
        """sum log std + 1/2 log 2 pi e."""
        return (y.chunk(2, -1)[1] + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """sum log(std_new / std_old) + (std_old^2 + (mean_old - mean_new)^2) / (2 std_new^2) - 1/2."""
        (mean_old, log_old), (mean_new, log_new) = old.chunk(2, -1), new.chunk(2, -1)
        squares = torch.exp(2 * (log_old - log_new)) + ((mean_old - mean_new) * torch.exp(-log_new)).square()
        return (log_new - log_old + 0.5 * (squares - 1)).sum(-1)

    def fisher(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """dmean / std^2 and 2 dlog_std."""
        precision = torch.exp(-2 * y[..., self.n_actions :])
        metric = torch.cat([precision, torch.full_like(precision, 2)], -1)
        return lambda dy: metric * dy
