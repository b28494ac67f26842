"""Fits V_phi, the baseline of Algorithm 1 (line 6): minimise ||V_phi(s_t) - R_t||^2 by full-batch Adam."""

from dataclasses import replace

from torch import Tensor

from pgbench.advantages import Batch
from pgbench.config import Config
from pgbench.state import State

Metrics = dict[str, Tensor]


def fit_critic(state: State, batch: Batch, config: Config) -> tuple[State, Metrics]:
    """`critic_steps` Adam steps on the mean squared error of each seed. Metrics are of the critic before the fit.

    Nothing is fitted where no value enters the update (REINFORCE with a baseline that is not learned).
    """
    if not config.algorithm.uses_critic:
        return state, {}
    error = batch.values - batch.targets
    spread = batch.targets.var(1)
    metrics = {"value_loss": error.square().mean(1), "explained_variance": 1 - error.var(1) / spread}
    phi, adam = state.phi, state.critic_adam
    for _ in range(config.hyperparameters.critic_steps):
        critic = state.critic.linearize(phi, batch.obs)
        descent = (batch.targets.unsqueeze(-1) - critic.y).mul_(2 / batch.targets.shape[1])
        adam, step = adam.step(critic.vjp(descent), config.hyperparameters.critic_learning_rate)
        phi = phi + step
    return replace(state, phi=phi, critic_adam=adam), metrics
