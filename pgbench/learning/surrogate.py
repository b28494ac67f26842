"""The surrogate objective of a batch, its gradient, and how far a new policy has moved.

Shapes: B transitions, P parameters.
"""

import torch
from torch import Tensor

from pgbench.learning.advantages import Batch
from pgbench.learning.learner import Learner
from pgbench.maths.natural import dot

Metrics = dict[str, Tensor | float]
"""Scalars by name."""


class Surrogate:
    """L(theta_k, theta) = 1/B sum over the batch of pi_theta(a|s) / pi_theta_k(a|s) Phi, as a function of theta.

    theta_k is the learner's policy, which collected the batch. Source: slides, "Surrogate Objective Function".

    The slides average over trajectories where this averages over transitions. That scales L, and so its gradient, by
    one over the mean length of an episode. The steps of NPG and TRPO do not depend on the scale of the gradient;
    Adam's hardly does (only through its epsilon); plain gradient ascent does, as if alpha were smaller.
    """

    def __init__(self, learner: Learner, batch: Batch):
        self.network, self.distribution = learner.network, learner.distribution
        self.batch, self.theta = batch, learner.theta
        self.linear = self.network.linearize(learner.theta, batch.obs)
        self.log_prob = self.distribution.log_prob(self.linear.y, batch.actions)

    def gradient(self) -> Tensor:
        """The policy gradient g = 1/B sum of Phi grad log pi_theta_k(a|s) [P]. It is the gradient of L at theta_k."""
        score = self.distribution.score(self.linear.y, self.batch.actions)
        return self.linear.vjp(score * (self.batch.weights / len(self.batch.weights))[:, None])

    def evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """For a candidate theta [P]: the improvement L(theta_k, theta) - L(theta_k, theta_k), and the mean over the
        batch of KL(pi_theta_k(.|s) || pi_theta(.|s)) in nats; each [].

        L(theta_k, theta_k) is the mean of Phi. It is zero in expectation for exact advantages, so the slides' test is
        L(theta_k, theta) >= 0; in a batch it is not zero, and is subtracted here.
        """
        y = self.network(theta, self.batch.obs)
        ratio = torch.exp(self.distribution.log_prob(y, self.batch.actions) - self.log_prob)
        return ((ratio - 1) * self.batch.weights).mean(), self.distribution.kl(self.linear.y, y).mean()

    def diagnostics(self, g: Tensor, theta: Tensor) -> Metrics:
        """The metrics that every algorithm records of its step from theta_k to theta [P], scalars; g [P] is
        `gradient()`. Their meanings: METRICS in pgbench/runs/records.py."""
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
