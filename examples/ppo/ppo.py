"""PPO with a clipped ratio (Schulman et al. 2017): several epochs of Adam on minibatches of

    mean of min(rho A, clip(rho, 1 - c, 1 + c) A),    rho = pi_theta(a|s) / pi_theta_k(a|s),

whose gradient is that of rho A where the minimum is not the clipped term, and zero elsewhere.
"""

from dataclasses import dataclass, replace

import torch

from pgbench.config import Config, OpenFraction, PositiveInt
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import estimate
from pgbench.learning.critic import fit_critic
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics, Surrogate


@dataclass(frozen=True)
class Hyperparameters:
    clip: OpenFraction = 0.2
    """c, the ratio's way from 1 after which a step gains nothing"""
    epochs: PositiveInt = 10
    """times each batch is gone through"""
    minibatch: PositiveInt = 256
    """transitions of one step"""


METRICS = {"clip_fraction": "share of the batch whose ratio is clipped after the last epoch"}


@torch.inference_mode()
def update(learner: Learner, rollout: Rollout, config: Config) -> tuple[Learner, Metrics]:
    """One iteration of PPO."""
    hp = config.hyperparameters
    batch = estimate(learner, rollout, config)
    learner, critic_metrics = fit_critic(learner, batch, config)

    surrogate = Surrogate(learner, batch)  # remembers log pi_theta_k
    theta, adam = learner.theta, learner.policy_adam
    for _ in range(hp.epochs):
        order = torch.from_numpy(learner.rng.permutation(len(batch.weights)))
        for rows in order.split(hp.minibatch):
            policy = learner.network.linearize(theta, batch.obs[rows])
            actions, weights = batch.actions[rows], batch.weights[rows]
            ratio = torch.exp(learner.distribution.log_prob(policy.y, actions) - surrogate.log_prob[rows])
            factor = torch.where(clipped(ratio, weights, hp.clip), 0.0, ratio * weights) / len(rows)
            score = learner.distribution.score(policy.y, actions)
            adam, step = adam.step(policy.vjp(score * factor[:, None]), hp.learning_rate)
            theta = theta + step

    ratio = torch.exp(
        learner.distribution.log_prob(learner.network(theta, batch.obs), batch.actions) - surrogate.log_prob
    )
    metrics: Metrics = {"clip_fraction": clipped(ratio, batch.weights, hp.clip).float().mean()}
    learner = replace(learner, theta=theta, policy_adam=adam)
    return learner, critic_metrics | metrics | surrogate.diagnostics(surrogate.gradient(), theta)


def clipped(ratio: torch.Tensor, weights: torch.Tensor, clip: float) -> torch.Tensor:
    """Where the clipped term is the smaller one."""
    return torch.where(weights > 0, ratio > 1 + clip, ratio < 1 - clip)
