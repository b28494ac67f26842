"""Returns and advantages against their definitions, double loops over trajectories, for any rewards, values, cuts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from equations import textbook
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from pgbench.learning.advantages import policy_weights
from pgbench.maths import returns


class Steps(NamedTuple):
    """Rewards, values and trajectory ends [T, N], float64, with V(s_t+1) as `advantages.values` gives it."""

    r: np.ndarray
    v: np.ndarray
    v_next: np.ndarray
    last: np.ndarray


@st.composite
def steps(draw: st.DrawFn) -> Steps:
    """Several trajectories a column: v_next is v of the step after, but at ends, where it is anything (or zero)."""
    shape = draw(st.tuples(*[st.integers(1, most) for most in (7, 3)]))
    numbers = arrays(np.float64, shape, elements=st.floats(-10, 10, width=32), fill=st.nothing())
    r, v, final = draw(numbers), draw(numbers), draw(numbers)
    last = draw(arrays(bool, shape, elements=st.sampled_from([False, False, False, True]), fill=st.nothing()))
    last[-1] = True
    after = np.concatenate([v[1:], final[-1:]])
    return Steps(r, v, np.where(last, final, after), last)


fractions = st.floats(0, 1)


def discounted(x: Tensor, discount: float) -> Tensor:
    """sum_k discount^k x_k."""
    return (discount ** torch.arange(len(x)).double() * x).sum()


def by_trajectory(steps: Steps, definition: Callable[[Tensor, Tensor, Tensor, int], Tensor]) -> np.ndarray:
    """[T, N] of definition(r, v, v_end, t), a function of one trajectory's arrays and the place in it."""
    result = np.zeros_like(steps.r)
    for t, n in np.argwhere(steps.last).tolist():
        start = max(steps.last[:t, n].nonzero()[0], default=-1) + 1
        r, v = (torch.from_numpy(x[start : t + 1, n].copy()) for x in (steps.r, steps.v))
        for k in range(len(r)):
            result[start + k, n] = definition(r, v, torch.tensor(steps.v_next[t, n]), k)
    return result


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@given(steps(), fractions)
def test_reward_to_go_is_the_discounted_sum_from_t(x: Steps, gamma: float) -> None:
    """R_t = sum_k>=t gamma^(k-t) r_k, plus gamma^(T-t) times the value where the trajectory was cut."""

    expected = by_trajectory(x, lambda r, v, v_end, t: discounted(torch.cat([r[t:], v_end[None]]), gamma))
    close(returns.reward_to_go(x.r, x.v_next, x.last, gamma), expected)


@given(steps(), fractions)
def test_trajectory_return_is_the_same_for_all_steps(x: Steps, gamma: float) -> None:
    """R^gamma(tau) = sum_t gamma^t r_t."""

    expected = by_trajectory(x, lambda r, v, v_end, t: discounted(torch.cat([r, v_end[None]]), gamma))
    close(returns.trajectory_return(x.r, x.v_next, x.last, gamma), expected)


@given(steps(), fractions, st.integers(1, 9))
def test_n_step_advantage_by_definition(x: Steps, gamma: float, n: int) -> None:
    """A^(n) = r_t + ... + gamma^(n-1) r_t+n-1 + gamma^n V(s_t+n) - V(s_t), with n at most what is left."""

    expected = by_trajectory(
        x, lambda r, v, v_end, t: textbook.n_step_advantage(r, v, v_end, gamma, t, min(n, len(r) - t))
    )
    close(returns.n_step_advantage(x.r, x.v, x.v_next, x.last, gamma, n), expected)


@given(steps(), fractions, fractions)
def test_gae_is_the_exponentially_weighted_sum_of_n_step_advantages(x: Steps, gamma: float, lam: float) -> None:
    """A^GAE = (1 - lambda) sum_n lambda^(n-1) A^(n), with weight lambda^(T-t-1) on the last (slides' definition)."""

    expected = by_trajectory(x, lambda r, v, v_end, t: textbook.gae(r, v, v_end, gamma, lam, t))
    close(returns.gae(x.r, x.v, x.v_next, x.last, gamma, lam), expected)


@given(steps(), fractions, fractions)
def test_gae_is_the_discounted_sum_of_td_residuals(x: Steps, gamma: float, lam: float) -> None:
    """A^GAE_t = sum_l (gamma lambda)^l delta_t+l, in O(T^2)."""

    def definition(r: Tensor, v: Tensor, v_end: Tensor, t: int) -> Tensor:
        delta = r + gamma * torch.cat([v[1:], v_end[None]]) - v
        return discounted(delta[t:], gamma * lam)

    close(returns.gae(x.r, x.v, x.v_next, x.last, gamma, lam), by_trajectory(x, definition))


@given(steps(), fractions)
def test_gae_with_lambda_0_is_the_td_residual(x: Steps, gamma: float) -> None:
    """A^GAE(gamma, 0) = delta_t."""
    close(returns.gae(x.r, x.v, x.v_next, x.last, gamma, 0.0), returns.td_residual(x.r, x.v, x.v_next, gamma))


@given(steps(), fractions)
def test_gae_with_lambda_1_is_the_return_minus_v(x: Steps, gamma: float) -> None:
    """A^GAE(gamma, 1) = R_t^gamma - V(s_t)."""
    close(returns.gae(x.r, x.v, x.v_next, x.last, gamma, 1.0), returns.reward_to_go(x.r, x.v_next, x.last, gamma) - x.v)


@given(steps(), fractions)
def test_n_step_limits_are_the_td_residual_and_the_return_minus_v(x: Steps, gamma: float) -> None:
    """A^(1) = delta_t, A^(T) = R_t^gamma - V(s_t)."""
    td = returns.td_residual(x.r, x.v, x.v_next, gamma)
    close(returns.n_step_advantage(x.r, x.v, x.v_next, x.last, gamma, 1), td)
    whole = returns.n_step_advantage(x.r, x.v, x.v_next, x.last, gamma, len(x.r))
    close(whole, returns.reward_to_go(x.r, x.v_next, x.last, gamma) - x.v)


def test_returns_of_a_table() -> None:
    """By hand: rewards 1, 2, 3 that end, then 4 that the batch cuts with V = 10; gamma 1/2, lambda 1/2."""
    r, v = (np.array(row, float).reshape(4, 1) for row in ([1, 2, 3, 4], [1, 1, 2, 6]))
    v_next = np.array([1, 2, 0, 10], float).reshape(4, 1)
    last = np.array([False, False, True, True]).reshape(4, 1)
    args: dict[str, Any] = {"v_next": v_next, "last": last, "gamma": 0.5}
    assert returns.reward_to_go(r, **args).ravel().tolist() == [2.75, 3.5, 3, 9]
    assert returns.trajectory_return(r, **args).ravel().tolist() == [2.75, 2.75, 2.75, 9]
    assert returns.td_residual(r, v, v_next, 0.5).ravel().tolist() == [0.5, 2, 1, 3]
    assert returns.n_step_advantage(r, v, n=2, **args).ravel().tolist() == [1.5, 2.5, 1, 3]
    assert returns.gae(r, v, lam=0.5, **args).ravel().tolist() == [1.0625, 2.25, 1, 3]


@given(steps(), fractions, fractions)
def test_config_chooses_phi(x: Steps, gamma: float, lam: float) -> None:
    """`algorithm.advantage` names the slides' list of Phi_t; baseline "learned" takes V off a return or a Q."""
    to_go = returns.reward_to_go(x.r, x.v_next, x.last, gamma)
    expected = {
        ("trajectory_return", "zero"): returns.trajectory_return(x.r, x.v_next, x.last, gamma),
        ("trajectory_return", "learned"): returns.trajectory_return(x.r, x.v_next, x.last, gamma) - x.v,
        ("reward_to_go", "zero"): to_go,
        ("reward_to_go", "batch_mean"): to_go,
        ("reward_to_go", "learned"): to_go - x.v,
        ("q_value", "zero"): x.r + gamma * x.v_next,
        ("q_value", "learned"): x.r + gamma * x.v_next - x.v,
        ("advantage", "learned"): to_go - x.v,
        ("td_residual", "learned"): x.r + gamma * x.v_next - x.v,
        ("n_step", "learned"): returns.n_step_advantage(x.r, x.v, x.v_next, x.last, gamma, 3),
        ("gae", "learned"): returns.gae(x.r, x.v, x.v_next, x.last, gamma, lam),
    }
    for (advantage, baseline), weight in expected.items():
        config = make_config(advantage=advantage, baseline=baseline, gamma=gamma, gae_lambda=lam, n_step=3)
        np.testing.assert_array_equal(policy_weights(config, *x), weight, err_msg=f"{advantage}, {baseline}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_returns_keep_their_dtype(dtype: type) -> None:
    """float32 in training, float64 here: the same code."""
    r: np.ndarray = np.ones((3, 1), dtype)
    last = np.array([False, False, True]).reshape(3, 1)
    for advantage in ("trajectory_return", "reward_to_go", "q_value", "advantage", "td_residual", "n_step", "gae"):
        assert policy_weights(make_config(advantage=advantage, baseline="learned"), r, r, r, last).dtype == dtype
