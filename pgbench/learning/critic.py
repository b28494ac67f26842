"""Fits V_phi, the baseline of Algorithm 1 (line 6): minimise ||V_phi(s_t) - R_t||^2 by Adam."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pgbench.config import Config
from pgbench.learning.advantages import Batch
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics


def fit_critic(learner: Learner, batch: Batch, config: Config) -> tuple[Learner, Metrics]:
    """`critic_steps` Adam steps on the mean squared error, each over the whole batch or `critic_batch` of it.

    The metrics are of the critic before the fit.

    Nothing is fitted where no value enters the update (REINFORCE with a baseline that is not learned).
    """
    network = learner.critic
    if network is None:
        return learner, {}
    error, spread = batch.values - batch.targets, batch.targets.var(correction=0)
    metrics: Metrics = {"value_loss": error.square().mean()}
    if spread > 0:  # of constant targets no share can be explained
        metrics["explained_variance"] = 1 - error.var(correction=0) / spread
    hp, phi, adam = config.hyperparameters, learner.phi, learner.critic_adam
    for _, (obs, targets) in zip(range(hp.critic_steps), draws(batch, hp.critic_batch, learner.rng), strict=False):
        critic = network.linearize(phi, obs)
        descent = (targets[:, None] - critic.y).mul_(2 / len(targets))
        adam, step = adam.step(critic.vjp(descent), hp.critic_learning_rate)
        phi = phi + step
    return replace(learner, phi=phi, critic_adam=adam), metrics


def draws(batch: Batch, size: int | None, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Observations [M, O] and targets [M] without end: the whole batch, or the pieces of `size` (the rest of the
    division aside) of one random order after another."""
    count = len(batch.targets)
    while size is None or size >= count:
        yield batch.obs, batch.targets
    while True:
        order = torch.from_numpy(rng.permutation(count)[: count // size * size])
        yield from zip(batch.obs[order].split(size), batch.targets[order].split(size), strict=True)
