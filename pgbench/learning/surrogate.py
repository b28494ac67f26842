"""The surrogate objective of a batch, its gradient, and how far a new policy has moved."""

import torch
from torch import Tensor

from pgbench.learning.advantages import Batch
from pgbench.learning.learner import Learner
from pgbench.maths.natural import dot

Metrics = dict[str, Tensor | float]
"""Scalars by name."""


class Surrogate:
    """L(theta_k, theta) = mean of pi_theta(a|s) / pi_theta_k(a|s) Phi over a batch (slides, "Surrogate Objective").

    The mean is over transitions, not trajectories: a factor that no natural step notices, nor Adam but for its
    epsilon.
    """

    def __init__(self, learner: Learner, batch: Batch):
        self.network, self.distribution = learner.network, learner.distribution
        self.batch, self.theta = batch, learner.theta
        self.linear = self.network.linearize(learner.theta, batch.obs)
        self.log_prob = self.distribution.log_prob(self.linear.y, batch.actions)

    def gradient(self) -> Tensor:
        """g = mean of Phi grad log pi [P]: the policy gradient, which is grad L at theta_k."""
        score = self.distribution.score(self.linear.y, self.batch.actions)
        return self.linear.vjp(score * (self.batch.weights / len(self.batch.weights))[:, None])

    def evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """L(theta_k, theta) - L(theta_k, theta_k) and the mean KL(theta_k || theta).

        The second term of the first vanishes for exact advantages, and is what the slides leave out.
        """
        y = self.network(theta, self.batch.obs)
        ratio = torch.exp(self.distribution.log_prob(y, self.batch.actions) - self.log_prob)
        return ((ratio - 1) * self.batch.weights).mean(), self.distribution.kl(self.linear.y, y).mean()

    def diagnostics(self, g: Tensor, theta: Tensor) -> Metrics:
        """What every algorithm records of its step from theta_k to theta."""
        step = theta - self.theta
        obtained, kl = self.evaluate(theta)
        return {
            "entropy": self.distribution.entropy(self.linear.y).mean(),
            "kl": kl,
            "surrogate_expected": dot(g, step),
            "surrogate_obtained": obtained,
            "gradient_norm": dot(g, g).sqrt(),
            "step_norm": dot(step, step).sqrt(),
        }
