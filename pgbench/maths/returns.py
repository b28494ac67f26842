"""Returns and advantages along trajectories, by backward recursion.

Arrays are [T, N]: steps, environments; one step of time is one vector operation. r is the reward of step t, v = V(s_t),
v_next = V(s_t+1): zero where the environment terminated, V(final observation) where the time limit cut the episode.
`last` marks steps after which another trajectory (or the end of the batch) follows.
"""

import numpy as np


def discounted_sum(x: np.ndarray, discount: np.ndarray) -> np.ndarray:
    """y_t = x_t + discount_t y_t+1, with y_T = 0."""
    y, discount = x.copy(), discount.astype(x.dtype)
    for t in reversed(range(len(x) - 1)):
        y[t] += discount[t] * y[t + 1]
    return y


def reward_to_go(r: np.ndarray, v_next: np.ndarray, last: np.ndarray, gamma: float) -> np.ndarray:
    """R_t = sum_k>=t gamma^(k-t) r_k, bootstrapped with v_next after the last step (slides, "Temporal Structure")."""
    return discounted_sum(r + gamma * np.where(last, v_next, 0), gamma * ~last)


def trajectory_return(r: np.ndarray, v_next: np.ndarray, last: np.ndarray, gamma: float) -> np.ndarray:
    """R^gamma(tau) of the trajectory each step belongs to (slides, "A Simple Policy Gradient")."""
    total = reward_to_go(r, v_next, last, gamma)
    for t in range(1, len(r)):
        total[t] = np.where(last[t - 1], total[t], total[t - 1])
    return total


def td_residual(r: np.ndarray, v: np.ndarray, v_next: np.ndarray, gamma: float) -> np.ndarray:
    """delta_t = r_t + gamma V(s_t+1) - V(s_t) (slides, "Discounting")."""
    return r + gamma * v_next - v


def n_step_advantage(
    r: np.ndarray, v: np.ndarray, v_next: np.ndarray, last: np.ndarray, gamma: float, n: int
) -> np.ndarray:
    """A_t^(n) = r_t + ... + gamma^(n-1) r_t+n-1 + gamma^n V(s_t+n) - V(s_t), shorter where the trajectory ends
    (slides, "Bootstrapping")."""
    target = v
    for _ in range(min(n, len(r))):
        following = np.concatenate([target[1:], v_next[-1:]])
        target = r + gamma * np.where(last, v_next, following)
    return target - v


def gae(r: np.ndarray, v: np.ndarray, v_next: np.ndarray, last: np.ndarray, gamma: float, lam: float) -> np.ndarray:
    """A_t = sum_l (gamma lambda)^l delta_t+l within the trajectory (slides, "GAE: Limiting Cases")."""
    return discounted_sum(td_residual(r, v, v_next, gamma), gamma * lam * ~last)
