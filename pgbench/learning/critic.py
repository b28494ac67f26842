"""Fits V_phi, the baseline of Algorithm 1 (line 6): minimise ||V_phi(s_t) - R_t||^2 by full-batch Adam."""

from dataclasses import replace

from pgbench.config import Config
from pgbench.learning.advantages import Batch
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics


def fit_critic(learner: Learner, batch: Batch, config: Config) -> tuple[Learner, Metrics]:
    """`critic_steps` Adam steps on the mean squared error. The metrics are of the critic before the fit.

    Nothing is fitted where no value enters the update (REINFORCE with a baseline that is not learned).
    """
    network = learner.critic
    if network is None:
        return learner, {}
    error, spread = batch.values - batch.targets, batch.targets.var(correction=0)
    metrics: Metrics = {"value_loss": error.square().mean()}
    if spread > 0:  # of constant targets no share can be explained
        metrics["explained_variance"] = 1 - error.var(correction=0) / spread
    phi, adam = learner.phi, learner.critic_adam
    for _ in range(config.hyperparameters.critic_steps):
        critic = network.linearize(phi, batch.obs)
        descent = (batch.targets[:, None] - critic.y).mul_(2 / len(batch.targets))
        adam, step = adam.step(critic.vjp(descent), config.hyperparameters.critic_learning_rate)
        phi = phi + step
    return replace(learner, phi=phi, critic_adam=adam), metrics
