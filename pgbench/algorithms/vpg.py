"""Vanilla policy gradient with GAE (slides, Algorithm 1).

g = 1/B sum_t A_t grad log pi(a_t | s_t),    theta_k+1 = theta_k + alpha g    (or Adam's step)
"""

from dataclasses import replace

from pgbench.advantages import estimate
from pgbench.config import Config
from pgbench.critic import Metrics, fit_critic
from pgbench.rollout import Rollout
from pgbench.state import State
from pgbench.surrogate import Surrogate


def update(state: State, rollout: Rollout, config: Config) -> tuple[State, Metrics]:
    """One iteration of REINFORCE or VPG for all seeds; each metric is [S]."""
    hp = config.hyperparameters
    batch = estimate(state, rollout, config)
    state, critic_metrics = fit_critic(state, batch, config)

    surrogate = Surrogate(state, batch)
    g = surrogate.gradient()
    adam, step = state.policy_adam.step(g, hp.learning_rate)
    theta = state.theta + (step if hp.optimizer == "adam" else hp.learning_rate * g)

    return replace(state, theta=theta, policy_adam=adam), critic_metrics | surrogate.diagnostics(g, theta)
