"""The weights Phi_t on grad log pi (slides, "General Policy Gradient"), by the names that `algorithm.advantage` takes.

A weight of one's own is a function like these, named `module:function`. Those in ADVANTAGES (pgbench/config.py) have
the critic's value in them; from any other, `algorithm.baseline` is subtracted.
"""

from typing import NamedTuple

import numpy as np

from pgbench.config import Hyperparameters
from pgbench.maths import returns


class Steps(NamedTuple):
    """What a weight is made of, each [T, N] (see pgbench/maths/returns.py)."""

    r: np.ndarray
    """rewards"""
    v: np.ndarray
    """V(s_t); zeros without a critic"""
    v_next: np.ndarray
    """V(s_t+1): zero where the environment terminated, V(final observation) where the time limit cut the episode"""
    last: np.ndarray
    """after these steps another trajectory, or the end of the batch, follows"""


def trajectory_return(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """R^gamma(tau) of the trajectory each step belongs to."""
    return returns.trajectory_return(steps.r, steps.v_next, steps.last, hp.gamma)


def reward_to_go(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """R_t, the discounted return from t on."""
    return returns.reward_to_go(steps.r, steps.v_next, steps.last, hp.gamma)


def q_value(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """r_t + gamma V(s_t+1)."""
    return steps.r + hp.gamma * steps.v_next


def advantage(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """R_t - V(s_t)."""
    return reward_to_go(steps, hp) - steps.v


def td_residual(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """delta_t = r_t + gamma V(s_t+1) - V(s_t)."""
    return returns.td_residual(steps.r, steps.v, steps.v_next, hp.gamma)


def n_step(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """A_t^(n)."""
    return returns.n_step_advantage(*steps, hp.gamma, hp.n_step)


def gae(steps: Steps, hp: Hyperparameters) -> np.ndarray:
    """A_t^GAE(gamma, lambda)."""
    return returns.gae(*steps, hp.gamma, hp.gae_lambda)
