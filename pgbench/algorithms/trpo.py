"""Trust region policy optimisation (slides, Algorithms 3 and 4).

NPG's step d, shortened by a line search until the policy itself, not its expansion, improves and stays near:

    theta_k+1 = theta_k + alpha^i d,

with the first i in 0..L for which L(theta_k, theta_k+1) >= 0 and KL(theta_k || theta_k+1) <= delta.
"""

from dataclasses import replace

from pgbench.advantages import estimate
from pgbench.algorithms.npg import natural_gradient_step
from pgbench.config import Config
from pgbench.critic import Metrics, fit_critic
from pgbench.natural import dot, line_search
from pgbench.rollout import Rollout
from pgbench.state import State
from pgbench.surrogate import Surrogate


def update(state: State, rollout: Rollout, config: Config) -> tuple[State, Metrics]:
    """One iteration of TRPO for all seeds; each metric is [S]."""
    hp = config.hyperparameters
    batch = estimate(state, rollout, config)
    state, critic_metrics = fit_critic(state, batch, config)

    surrogate = Surrogate(state, batch)
    g = surrogate.gradient()
    step, step_metrics = natural_gradient_step(surrogate, g, hp)
    theta, accepted, tries = line_search(
        surrogate.evaluate,
        state.theta,
        step,
        dot(g, step),
        delta=hp.delta,
        backtracks=hp.line_search_steps,
        shrink=hp.line_search_shrink,
        accept=hp.line_search_accept,
    )
    search_metrics = {"line_search_accepted": accepted, "line_search_steps": tries}

    return replace(state, theta=theta), critic_metrics | step_metrics | search_metrics | surrogate.diagnostics(g, theta)
