"""Performance of one policy by another's data, the surrogate, and TRPO's line search (slides, "Trust Region Policy
Optimization")."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from equations.learners import GIVEN_WEIGHTS, KINDS, make_cases
from equations.mdp import (
    MDP,
    exact_gradient,
    policy_table,
    random_learner,
    random_mdp,
    table,
    trajectories,
    weighted,
)
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pgbench.algorithms import npg, trpo
from pgbench.learning.advantages import estimate
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.natural import dot, line_search


def exact_surrogate(mdp: MDP, learner: Learner) -> Surrogate:
    """L(theta_k, theta) as an expectation: all trajectories of pi_k with their probabilities and exact advantages."""
    listed, pi = trajectories(mdp), table(mdp, learner)
    config = make_config("reinforce", advantage="td_residual", baseline="learned", gamma=1.0)
    batch = estimate(learner, listed.rollout, config)
    v, q = mdp.values(pi)
    live = torch.from_numpy(listed.live)
    exact = (q - v[:, None])[listed.states, listed.actions][live]
    return Surrogate(learner, weighted(listed, pi, replace(batch, weights=exact)))


@given(seed=st.integers(0, 1000), other=st.integers(1001, 2000))
def test_performance_difference_is_the_expected_advantage_under_the_new_policy(seed: int, other: int) -> None:
    """J(pi~) - J(pi) = E_tau~pi~[sum_t A^pi(s_t, a_t)] for any two policies: trajectory by trajectory, and as a
    telescoping sum r_t + V(s_t+1) - V(s_t)."""
    mdp = random_mdp(seed)
    old, new = (table(mdp, random_learner(mdp, s)) for s in (seed, other))
    v, q = mdp.values(old)
    listed = trajectories(mdp)
    probability, live = listed.probability(new), torch.from_numpy(listed.live)
    advantage = torch.where(live, (q - v[:, None])[listed.states, listed.actions], 0.0).sum(0)
    expected = mdp.performance(new) - mdp.performance(old)
    torch.testing.assert_close((probability * advantage).sum(), expected, rtol=1e-10, atol=1e-12)

    total = torch.from_numpy(listed.rollout.rewards).sum(0)
    telescoped = total - v[torch.from_numpy(listed.states[0])]  # V(s_T) = 0
    torch.testing.assert_close((probability * telescoped).sum(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_surrogate_at_theta_k_is_the_policy_gradient(seed: int) -> None:
    """grad L(theta_k, theta) = grad J at theta = theta_k; by pgbench and by differences of its L."""
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed)
    surrogate, exact = exact_surrogate(mdp, learner), exact_gradient(mdp, learner)
    torch.testing.assert_close(surrogate.gradient(), exact, rtol=1e-10, atol=1e-12)
    e = 1e-6
    for unit in torch.eye(len(exact)).double()[:: len(exact) // 7]:
        ahead, behind = (surrogate.evaluate(learner.theta + sign * e * unit)[0] for sign in (1, -1))
        torch.testing.assert_close((ahead - behind) / (2 * e), exact @ unit, rtol=1e-6, atol=1e-8)


def error_and_kl(mdp: MDP, learner: Learner, surrogate: Surrogate, theta: Tensor) -> tuple[float, float]:
    """|J(theta) - (J(theta_k) + L(theta_k, theta))| and the mean KL over the states that pi_k visits, all exact."""
    pi, new = table(mdp, learner), policy_table(mdp, learner.network, theta)
    visits = mdp.visits(pi)
    kl = learner.distribution.kl(pi.log(), new.log())
    improvement = surrogate.evaluate(theta)[0]
    error = mdp.performance(new) - mdp.performance(pi) - improvement
    return float(error.abs()), float(visits @ kl / visits.sum())


@given(seed=st.integers(0, 1000), size=st.floats(0.01, 3.0))
def test_surrogate_error_is_at_most_c_times_the_root_of_kl(seed: int, size: float) -> None:
    """|J(theta) - (J(theta_k) + L)| <= C sqrt(KL) for any two policies, with a C that depends on pi_k alone.

    The error is sum_t sum_s (P~_t(s) - P_t(s)) E_a~pi~[A(s, a)]; |P~_t - P_t|_1 <= sum over the visits of |pi~ - pi|_1
    <= H sqrt(2 KL), for H steps on average (Pinsker, Jensen). Over at most n times t that is C = n H sqrt(2) max |A|.
    """
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed)
    pi = table(mdp, learner)
    v, q = mdp.values(pi)
    c = mdp.n * float(mdp.visits(pi).sum() * (q - v[:, None]).abs().max()) * 2**0.5
    d = torch.from_numpy(np.random.default_rng(seed).normal(size=learner.theta.shape))
    error, kl = error_and_kl(mdp, learner, exact_surrogate(mdp, learner), learner.theta + size * d)
    assert error <= c * kl**0.5


@pytest.mark.parametrize("seed", range(3))
def test_surrogate_error_falls_like_kl_along_a_path(seed: int) -> None:
    """J(theta_k + e d) - (J(theta_k) + L) is O(e^2) = O(KL): exponent 1, where the bound above promises 1/2."""
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed)
    surrogate = exact_surrogate(mdp, learner)
    d = torch.from_numpy(np.random.default_rng(seed).normal(size=learner.theta.shape))
    sizes = 2.0 ** -np.arange(11, 15)
    errors, divergences = np.log([error_and_kl(mdp, learner, surrogate, learner.theta + e * d) for e in sizes]).T
    assert np.diff(errors) / np.diff(divergences) == pytest.approx(np.ones(3), abs=0.1)


def search(kl: float, improvement: float, **changes: float) -> tuple[float, bool, int]:
    """The line search from theta = 0 along a step of length one, where a candidate at distance x has KL kl x^2 and
    improvement improvement x - x^2 / 2 (so that `expected` is `improvement`)."""

    def evaluate(theta: Tensor) -> tuple[Tensor, Tensor]:
        x = theta[0]
        return improvement * x - x**2 / 2, kl * x**2

    options: dict[str, Any] = {"delta": 0.01, "backtracks": 10, "shrink": 0.5, "accept": 0.0, **changes}
    zero, one = torch.zeros(1).double(), torch.ones(1).double()
    new, accepted, tries = line_search(evaluate, zero, one, torch.tensor(improvement).double(), **options)
    return new.item(), accepted, tries


@pytest.mark.parametrize(
    ("kl", "improvement", "x", "i"),
    [(1.0, 9.0, 0.5**4, 4), (0.001, 9.0, 1, 0), (1e-9, 0.125, 0.25, 2), (1.0, 0.125, 0.5**4, 4)],
)
def test_line_search_takes_the_first_step_that_passes_both_tests(
    kl: float, improvement: float, x: float, i: int
) -> None:
    """Algorithm 3: KL x^2 <= 1/100 asks for x <= 1/10 (i = 4), improvement x/8 - x^2/2 >= 0 for x <= 1/4 (i = 2)."""
    assert search(kl, improvement) == (x, True, i)


def test_line_search_may_ask_for_a_share_of_the_linear_improvement() -> None:
    """accept = 1/2 of x: x - x^2/2 >= x/2 for x <= 1, and of 1/4 x: x <= 1/4; 0 is the slides' L >= 0 (x <= 1/2)."""
    assert [search(0.0, slope)[2] for slope in (1.0, 0.25)] == [0, 1]
    assert [search(0.0, slope, accept=0.5)[2] for slope in (1.0, 0.25)] == [0, 2]


def test_line_search_tries_l_backtracks_and_no_more() -> None:
    """i = 0, ..., L: x = 1/8 passes with L = 3 and not with L = 2, when L + 1 and a rejection are reported."""
    needed = 0.01 * 8**2  # KL of 1/100 at x = 1/8
    assert search(needed, 9.0, backtracks=3) == (1 / 8, True, 3)
    assert search(needed, 9.0, backtracks=2) == (0.0, False, 3)


@given(seed=st.integers(0, 2**32 - 1), fails=st.booleans())
def test_line_search_that_fails_leaves_theta_bitwise(seed: int, fails: bool) -> None:
    """Where every test fails theta is kept bit for bit."""
    theta = torch.randn(3, generator=torch.manual_seed(seed))

    def evaluate(candidate: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor(1.0), torch.tensor(1.0 if fails else 0.0)

    step = torch.ones_like(theta)
    new, accepted, tries = line_search(
        evaluate, theta, step, torch.tensor(1.0), delta=0.5, backtracks=4, shrink=0.8, accept=0.0
    )
    assert torch.equal(new, theta if fails else theta + step)
    assert accepted == (not fails)
    assert tries == (5 if fails else 0)


@pytest.mark.parametrize("bad", [(float("nan"), 0.0), (1.0, float("nan"))])
def test_line_search_never_accepts_what_is_not_a_number(bad: tuple[float, float]) -> None:
    """A surrogate or a KL that is NaN passes no test."""
    improvement, kl = map(torch.tensor, bad)
    theta = torch.zeros(2)
    new, accepted, tries = line_search(
        lambda candidate: (improvement, kl),
        theta,
        theta + 1,
        torch.tensor(1.0),
        delta=1.0,
        backtracks=2,
        shrink=0.5,
        accept=0.0,
    )
    assert (new.tolist(), accepted, tries) == ([0, 0], False, 3)


@pytest.mark.parametrize("kind", KINDS)
@given(rng_seed=st.integers(0, 2**16), delta=st.sampled_from([1e-3, 0.1, 1.0]), accept=st.sampled_from([0.0, 0.6]))
def test_trpo_step_satisfies_both_tests_of_algorithm_3(kind: str, rng_seed: int, delta: float, accept: float) -> None:
    """TRPO's theta_k+1 = theta_k + alpha^i d, d the NPG step: L >= 0 and KL <= delta hold there, and not both at any
    earlier i; where none passes, theta_k+1 is theta_k bit for bit."""
    config = make_config(
        "trpo", delta=delta, line_search_steps=4, line_search_accept=accept, cg_damping=0.1, **GIVEN_WEIGHTS
    )
    hp = config.hyperparameters
    for case in make_cases(kind, 3, rng_seed):
        surrogate = case.surrogate
        g = surrogate.gradient()
        d, _ = npg.natural_gradient_step(surrogate, g, hp)
        new, metrics = trpo.update(case.learner, case.rollout, config)
        steps = [hp.line_search_shrink**i * d for i in range(5)]
        passing = []
        for step in steps:
            improvement, kl = surrogate.evaluate(case.theta + step)
            passing.append(bool(improvement >= accept * dot(g, step) and kl <= delta))
        first = passing.index(True) if any(passing) else 5
        assert metrics["line_search_steps"] == first
        assert metrics["line_search_accepted"] == (first < 5)
        assert torch.equal(new.theta, case.theta + steps[first] if first < 5 else case.theta)
