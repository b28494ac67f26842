"""Trust region policy optimisation (slides, Algorithms 3 and 4).

NPG's step d, shortened by a line search until the policy itself, not its expansion, improves and stays near:

    theta_k+1 = theta_k + alpha^i d,

with the first i in 0..L for which L(theta_k, theta_k+1) >= 0 and KL(theta_k || theta_k+1) <= delta.
"""

from dataclasses import replace

import torch

from pgbench.algorithms.npg import natural_gradient_step
from pgbench.config import Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import estimate
from pgbench.learning.critic import fit_critic
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics, Surrogate
from pgbench.maths.natural import dot, line_search


@torch.inference_mode()  # no autograd: the derivatives are written out
def update(learner: Learner, rollout: Rollout, config: Config) -> tuple[Learner, Metrics]:
    """One iteration of TRPO."""
    hp = config.hyperparameters
    batch = estimate(learner, rollout, config)
    learner, critic_metrics = fit_critic(learner, batch, config)

    surrogate = Surrogate(learner, batch)
    g = surrogate.gradient()
    step, step_metrics = natural_gradient_step(surrogate, g, hp)
    theta, accepted, tries = line_search(
        surrogate.evaluate,
        learner.theta,
        step,
        dot(g, step),
        delta=hp.delta,
        backtracks=hp.line_search_steps,
        shrink=hp.line_search_shrink,
        accept=hp.line_search_accept,
    )
    search_metrics: Metrics = {"line_search_accepted": int(accepted), "line_search_steps": tries}

    metrics = critic_metrics | step_metrics | search_metrics | surrogate.diagnostics(g, theta)
    return replace(learner, theta=theta), metrics
