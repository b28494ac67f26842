"""Natural policy gradient (slides, Algorithm 2).

Maximising J(theta_k) + g.d subject to 1/2 d.F d <= delta, with F the Hessian of the mean KL, gives

    d = sqrt(2 delta / g.F^-1 g) F^-1 g,    theta_k+1 = theta_k + d,

with x = F^-1 g from conjugate gradient on F x = g, which needs only products F v.
"""

from dataclasses import replace

import torch
from torch import Tensor

from pgbench.config import Config, Hyperparameters
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import estimate
from pgbench.learning.critic import fit_critic
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics, Surrogate
from pgbench.maths.natural import conjugate_gradient, dot, fisher_vector_product, natural_step


def natural_gradient_step(surrogate: Surrogate, g: Tensor, hp: Hyperparameters) -> tuple[Tensor, Metrics]:
    """d [P], lines 6 and 7 of Algorithm 2, with (F + c I) x = g for a damping c."""
    fisher = fisher_vector_product(surrogate.linear, surrogate.distribution)
    x, residual = conjugate_gradient(lambda v: fisher(v) + hp.cg_damping * v, g, hp.cg_iterations)
    return natural_step(x, g, hp.delta), {"cg_residual": residual, "natural_norm": dot(g, x)}


@torch.inference_mode()  # no autograd: the derivatives are written out
def update(learner: Learner, rollout: Rollout, config: Config) -> tuple[Learner, Metrics]:
    """One iteration of NPG."""
    batch = estimate(learner, rollout, config)
    learner, critic_metrics = fit_critic(learner, batch, config)

    surrogate = Surrogate(learner, batch)
    g = surrogate.gradient()
    step, step_metrics = natural_gradient_step(surrogate, g, config.hyperparameters)
    theta = learner.theta + step

    return replace(learner, theta=theta), critic_metrics | step_metrics | surrogate.diagnostics(g, theta)
