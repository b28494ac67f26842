"""Vanilla policy gradient with GAE (slides, Algorithm 1).

g = 1/B sum_t A_t grad log pi(a_t | s_t),    theta_k+1 = theta_k + alpha g    (or Adam's step)
"""

from dataclasses import replace

import torch

from pgbench.config import Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import estimate
from pgbench.learning.critic import fit_critic
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics, Surrogate


@torch.inference_mode()  # no autograd: the derivatives are written out
def update(learner: Learner, rollout: Rollout, config: Config) -> tuple[Learner, Metrics]:
    """One iteration of REINFORCE or VPG."""
    hp = config.hyperparameters
    batch = estimate(learner, rollout, config)
    learner, critic_metrics = fit_critic(learner, batch, config)

    surrogate = Surrogate(learner, batch)
    g = surrogate.gradient()
    adam, step = learner.policy_adam.step(g, hp.learning_rate)
    theta = learner.theta + (step if hp.optimizer == "adam" else hp.learning_rate * g)

    return replace(learner, theta=theta, policy_adam=adam), critic_metrics | surrogate.diagnostics(g, theta)
