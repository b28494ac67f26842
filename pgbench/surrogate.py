"""The surrogate objective of a batch, its gradient, and how far a new policy has moved."""

import torch
from torch import Tensor

from pgbench.advantages import Batch
from pgbench.natural import dot
from pgbench.networks import Linearized
from pgbench.state import Policy, State

Metrics = dict[str, Tensor]


class Surrogate:
    """L(theta_k, theta) = mean of pi_theta(a|s) / pi_theta_k(a|s) Phi over a batch (slides, "Surrogate Objective").

    The mean is over transitions, not trajectories: a factor that no natural step notices, nor Adam but for its
    epsilon.
    """

    def __init__(self, state: State, batch: Batch):
        self.policy: Policy = state.policy
        self.batch, self.theta = batch, state.theta
        self.linear: Linearized = self.policy.mlp.linearize(state.theta, batch.obs)
        self.log_prob = self.policy.distribution.log_prob(self.linear.y, batch.actions)

    def gradient(self) -> Tensor:
        """g = mean of Phi grad log pi [S, P]: the policy gradient, which is grad L at theta_k."""
        score = self.policy.distribution.score(self.linear.y, self.batch.actions)
        return self.linear.vjp(score * (self.batch.phi / self.batch.phi.shape[1]).unsqueeze(-1))

    def evaluate(self, rows: Tensor | slice, theta: Tensor) -> tuple[Tensor, Tensor]:
        """L(theta_k, theta) - L(theta_k, theta_k) and the mean KL(theta_k || theta) of the given rows, each [rows].

        The second term of the first vanishes for exact advantages, and is what the slides leave out.
        """
        everything = isinstance(rows, slice) or len(rows) == len(self.theta)
        pick = (lambda x: x) if everything else (lambda x: x[rows])
        y = self.policy.mlp(theta, pick(self.batch.obs))
        ratio = torch.exp(self.policy.distribution.log_prob(y, pick(self.batch.actions)) - pick(self.log_prob))
        improvement = ((ratio - 1) * pick(self.batch.phi)).mean(1)
        return improvement, self.policy.distribution.kl(pick(self.linear.y), y).mean(1)

    def diagnostics(self, g: Tensor, theta: Tensor) -> Metrics:
        """What every algorithm records of its step from theta_k to theta."""
        step = theta - self.theta
        obtained, kl = self.evaluate(slice(None), theta)
        return {
            "entropy": self.policy.distribution.entropy(self.linear.y).mean(1),
            "kl": kl,
            "surrogate_expected": dot(g, step),
            "surrogate_obtained": obtained,
            "gradient_norm": dot(g, g).sqrt(),
            "step_norm": dot(step, step).sqrt(),
        }
