"""Performance of one policy by another's data, the surrogate, and TRPO's line search (slides, "Trust Region Policy
Optimization")."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from equations.learners import GIVEN_PHI, KINDS, make_case
from equations.mdp import (
    MDP,
    exact_gradient,
    learner,
    policy_table,
    random_mdp,
    table,
    trajectories,
    weighted,
)
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st
from pgbench.state import State
from torch import Tensor

from pgbench.algorithms import npg, trpo
from pgbench.learning.advantages import estimate
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.natural import dot, line_search


def exact_surrogate(mdp: MDP, state: State) -> Surrogate:
    """L(theta_k, theta) as an expectation: all trajectories of pi_k with their probabilities and exact advantages."""
    listed, pi = trajectories(mdp), table(mdp, state)
    config = make_config("reinforce", advantage="td_residual", baseline="learned", gamma=1.0)
    batch = estimate(state, listed.rollout, config)
    v, q = mdp.values(pi)
    live = torch.from_numpy(listed.live)
    exact = (q - v[:, None])[listed.states, listed.actions][live][None]
    return Surrogate(state, weighted(listed, pi, replace(batch, phi=exact)))


@given(seed=st.integers(0, 1000), other=st.integers(1001, 2000))
def test_performance_difference_is_the_expected_advantage_under_the_new_policy(seed: int, other: int) -> None:
    """J(pi~) - J(pi) = E_tau~pi~[sum_t A^pi(s_t, a_t)] for any two policies: trajectory by trajectory, and as a
    telescoping sum r_t + V(s_t+1) - V(s_t)."""
    mdp = random_mdp(seed)
    old, new = (table(mdp, learner(mdp, s)) for s in (seed, other))
    v, q = mdp.values(old)
    listed = trajectories(mdp)
    probability, live = listed.probability(new), torch.from_numpy(listed.live)
    advantage = torch.where(live, (q - v[:, None])[listed.states, listed.actions], 0.0).sum(0)
    expected = mdp.performance(new) - mdp.performance(old)
    torch.testing.assert_close((probability * advantage).sum(), expected, rtol=1e-10, atol=1e-12)

    total = torch.from_numpy(listed.rollout.rewards[0]).sum(0)
    telescoped = total - v[torch.from_numpy(listed.states[0])]  # V(s_T) = 0
    torch.testing.assert_close((probability * telescoped).sum(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_surrogate_at_theta_k_is_the_policy_gradient(seed: int) -> None:
    """grad L(theta_k, theta) = grad J at theta = theta_k; by pgbench and by differences of its L."""
    mdp = random_mdp(seed)
    state = learner(mdp, seed)
    surrogate, exact = exact_surrogate(mdp, state), exact_gradient(mdp, state)
    torch.testing.assert_close(surrogate.gradient()[0], exact, rtol=1e-10, atol=1e-12)
    e = 1e-6
    for unit in torch.eye(len(exact)).double()[:: len(exact) // 7]:
        ahead, behind = (surrogate.evaluate(slice(None), state.theta + sign * e * unit)[0] for sign in (1, -1))
        torch.testing.assert_close((ahead - behind)[0] / (2 * e), exact @ unit, rtol=1e-6, atol=1e-8)


def error_and_kl(mdp: MDP, state: State, surrogate: Surrogate, theta: Tensor) -> tuple[float, float]:
    """|J(theta) - (J(theta_k) + L(theta_k, theta))| and the mean KL over the states that pi_k visits, all exact."""
    pi, new = table(mdp, state), policy_table(mdp, state.policy.mlp, theta[0])
    visits = mdp.visits(pi)
    kl = state.policy.distribution.kl(pi.log(), new.log())
    improvement = surrogate.evaluate(slice(None), theta)[0][0]
    error = mdp.performance(new) - mdp.performance(pi) - improvement
    return float(error.abs()), float(visits @ kl / visits.sum())


@given(seed=st.integers(0, 1000), size=st.floats(0.01, 3.0))
def test_surrogate_error_is_at_most_c_times_the_root_of_kl(seed: int, size: float) -> None:
    """|J(theta) - (J(theta_k) + L)| <= C sqrt(KL) for any two policies, with a C that depends on pi_k alone.

    The error is sum_t sum_s (P~_t(s) - P_t(s)) E_a~pi~[A(s, a)]; |P~_t - P_t|_1 <= sum over the visits of |pi~ - pi|_1
    <= H sqrt(2 KL), for H steps on average (Pinsker, Jensen). Over at most n times t that is C = n H sqrt(2) max |A|.
    """
    mdp = random_mdp(seed)
    state = learner(mdp, seed)
    pi = table(mdp, state)
    v, q = mdp.values(pi)
    c = mdp.n * float(mdp.visits(pi).sum() * (q - v[:, None]).abs().max()) * 2**0.5
    d = torch.from_numpy(np.random.default_rng(seed).normal(size=state.theta.shape))
    error, kl = error_and_kl(mdp, state, exact_surrogate(mdp, state), state.theta + size * d)
    assert error <= c * kl**0.5


@pytest.mark.parametrize("seed", range(3))
def test_surrogate_error_falls_like_kl_along_a_path(seed: int) -> None:
    """J(theta_k + e d) - (J(theta_k) + L) is O(e^2) = O(KL): exponent 1, where the bound above promises 1/2."""
    mdp = random_mdp(seed)
    state = learner(mdp, seed)
    surrogate = exact_surrogate(mdp, state)
    d = torch.from_numpy(np.random.default_rng(seed).normal(size=state.theta.shape))
    sizes = 2.0 ** -np.arange(11, 15)
    errors, divergences = np.log([error_and_kl(mdp, state, surrogate, state.theta + e * d) for e in sizes]).T
    assert np.diff(errors) / np.diff(divergences) == pytest.approx(np.ones(3), abs=0.1)


def search(kl: list[float], improvement: list[float], **changes: float) -> tuple[Tensor, list[int], list[int]]:
    """The line search from theta = 0 along steps of length one, where a candidate at distance x has KL kl x^2 and
    improvement improvement x - x^2 / 2 (so that `expected` is `improvement`); the rows differ in both."""
    curvature, slope = torch.tensor(kl).double(), torch.tensor(improvement).double()

    def evaluate(rows: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        x = theta[:, 0]
        return slope[rows] * x - x**2 / 2, curvature[rows] * x**2

    options: dict[str, Any] = {"delta": 0.01, "backtracks": 10, "shrink": 0.5, "accept": 0.0, **changes}
    start = torch.zeros(len(kl), 1).double()
    new, accepted, tries = line_search(evaluate, start, torch.ones_like(start), slope, **options)
    return new[:, 0], accepted.tolist(), tries.tolist()


def test_line_search_takes_the_first_step_that_passes_both_tests() -> None:
    """Algorithm 3: KL x^2 <= 1/100 asks for x <= 1/10 (i = 4), improvement x/8 - x^2/2 >= 0 for x <= 1/4 (i = 2)."""
    new, accepted, tries = search([1.0, 0.001, 1e-9, 1.0], [9.0, 9.0, 0.125, 0.125])
    assert tries == [4, 0, 2, 4]
    assert accepted == [1, 1, 1, 1]
    assert new.tolist() == [0.5**4, 1.0, 0.25, 0.5**4]


def test_line_search_may_ask_for_a_share_of_the_linear_improvement() -> None:
    """accept = 1/2 of x: x - x^2/2 >= x/2 for x <= 1, and of 1/4 x: x <= 1/4; 0 is the slides' L >= 0 (x <= 1/2)."""
    assert search([0.0, 0.0], [1.0, 0.25])[2] == [0, 1]
    assert search([0.0, 0.0], [1.0, 0.25], accept=0.5)[2] == [0, 2]


def test_line_search_tries_l_backtracks_and_no_more() -> None:
    """i = 0, ..., L: x = 1/8 passes with L = 3 and not with L = 2, when L + 1 and a rejection are reported."""
    needed = 0.01 * 8**2  # KL of 1/100 at x = 1/8
    assert search([needed], [9.0], backtracks=3)[1:] == ([1], [3])
    new, accepted, tries = search([needed], [9.0], backtracks=2)
    assert (new.tolist(), accepted, tries) == ([0.0], [0], [3])


@given(seed=st.integers(0, 2**32 - 1), fails=st.lists(st.booleans(), min_size=1, max_size=5))
def test_line_search_that_fails_leaves_theta_bitwise(seed: int, fails: list[bool]) -> None:
    """Rows that fail every test keep theta bit for bit, and do not hold up the others."""
    theta = torch.randn(len(fails), 3, generator=torch.manual_seed(seed))
    failing = torch.tensor(fails)

    def evaluate(rows: Tensor, candidate: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones(len(rows)), torch.where(failing[rows], 1.0, 0.0)

    step = torch.ones_like(theta)
    new, accepted, tries = line_search(
        evaluate, theta, step, torch.ones(len(fails)), delta=0.5, backtracks=4, shrink=0.8, accept=0.0
    )
    assert torch.equal(new, torch.where(failing[:, None], theta, theta + step))
    assert accepted.tolist() == [int(not fail) for fail in fails]
    assert tries.tolist() == [5 if fail else 0 for fail in fails]


@pytest.mark.parametrize("kind", KINDS)
@given(rng_seed=st.integers(0, 2**16), delta=st.sampled_from([1e-3, 0.1, 1.0]), accept=st.sampled_from([0.0, 0.6]))
def test_trpo_step_satisfies_both_tests_of_algorithm_3(kind: str, rng_seed: int, delta: float, accept: float) -> None:
    """TRPO's theta_k+1 = theta_k + alpha^i d, d the NPG step: L >= 0 and KL <= delta hold there, and not both at any
    earlier i; where none passes, theta_k+1 is theta_k bit for bit."""
    case = make_case(kind, seeds=3, rng_seed=rng_seed)
    config = make_config(
        "trpo", delta=delta, line_search_steps=4, line_search_accept=accept, cg_damping=0.1, **GIVEN_PHI
    )
    hp, surrogate = config.hyperparameters, case.surrogate
    g = surrogate.gradient()
    d, _ = npg.natural_gradient_step(surrogate, g, hp)
    new, metrics = trpo.update(case.state, case.rollout, config)
    steps = [hp.line_search_shrink**i * d for i in range(5)]
    passes = []
    for step in steps:
        improvement, kl = surrogate.evaluate(slice(None), case.state.theta + step)
        passes.append((improvement >= accept * dot(g, step)) & (kl <= delta))
    for s, passing in enumerate(torch.stack(passes, 1).tolist()):
        first = passing.index(True) if any(passing) else 5
        assert metrics["line_search_steps"][s] == first
        assert metrics["line_search_accepted"][s] == (first < 5)
        step = steps[first][s] if first < 5 else torch.zeros_like(d[s])
        assert torch.equal(new.theta[s], case.state.theta[s] + step)
