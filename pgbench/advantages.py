"""From a rollout to the batch an update works on: the weights Phi_t on grad log pi, and the critic's targets."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgbench import returns
from pgbench.config import Config
from pgbench.rollout import Rollout
from pgbench.state import State


@dataclass(frozen=True)
class Batch:
    """B transitions of each of S seeds."""

    obs: Tensor
    """[S, B, O]"""
    actions: Tensor
    """[S, B] or [S, B, A]"""
    phi: Tensor
    """Phi_t, the weight on grad log pi [S, B]"""
    targets: Tensor
    """what the critic is fitted to [S, B]"""
    values: Tensor
    """V(s_t) of the critic before it is fitted [S, B]"""


def values(state: State, rollout: Rollout, config: Config) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """V(s_t), V(s_t+1) and `last`, each [S, T, N]: where the environment terminated V(s_t+1) is zero, where the time
    limit cut the episode it is the value of the final observation (or zero with env.timeout=terminal)."""
    s, t, n, _ = rollout.obs.shape
    last = rollout.terminated | rollout.truncated
    last[:, -1] = True
    if not config.algorithm.uses_critic:
        return np.zeros((s, t, n), np.float32), np.zeros((s, t, n), np.float32), last
    v = state.critic(state.phi, torch.from_numpy(rollout.obs).reshape(s, t * n, -1)).numpy().reshape(s, t, n)
    after = state.critic(state.phi, torch.from_numpy(rollout.next_obs)).numpy().reshape(s, 1, n)
    v_next = np.where(rollout.terminated, 0, np.concatenate([v[:, 1:], after], 1))
    if config.env.timeout == "terminal":
        v_next[rollout.truncated] = 0
    else:
        owners = np.argwhere(rollout.truncated)[:, 0]
        for seed in np.unique(owners):  # a seed's rows alone, so that its numbers do not depend on its group
            mine = torch.from_numpy(rollout.cut_obs[owners == seed])[None]
            v_next[seed][rollout.truncated[seed]] = state.critic(state.phi[seed : seed + 1], mine).numpy().ravel()
    return v, v_next, last


def weights(config: Config, r: np.ndarray, v: np.ndarray, v_next: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Phi_t [S, T, N] as `algorithm.advantage` names it, before baseline "batch_mean" and standardisation
    (slides, "General Policy Gradient")."""
    hp = config.hyperparameters
    match config.algorithm.advantage:
        case "trajectory_return":
            phi = returns.trajectory_return(r, v_next, last, hp.gamma)
        case "reward_to_go":
            phi = returns.reward_to_go(r, v_next, last, hp.gamma)
        case "q_value":
            phi = r + hp.gamma * v_next
        case "advantage":
            return returns.reward_to_go(r, v_next, last, hp.gamma) - v
        case "td_residual":
            return returns.td_residual(r, v, v_next, hp.gamma)
        case "n_step":
            return returns.n_step_advantage(r, v, v_next, last, hp.gamma, hp.n_step)
        case "gae":
            return returns.gae(r, v, v_next, last, hp.gamma, hp.gae_lambda)
    return phi - v if config.algorithm.baseline == "learned" else phi


def estimate(state: State, rollout: Rollout, config: Config) -> Batch:
    """The batch of a rollout; where whole episodes were collected, of one seed."""
    hp, r = config.hyperparameters, rollout.rewards
    v, v_next, last = values(state, rollout, config)
    phi = weights(config, r, v, v_next, last)
    if not config.algorithm.uses_critic:
        targets = phi  # nothing is fitted to it
    elif hp.critic_target == "return":
        targets = returns.reward_to_go(r, v_next, last, hp.gamma)
    else:
        targets = returns.gae(r, v, v_next, last, hp.gamma, hp.gae_lambda) + v

    def flat(x: np.ndarray) -> Tensor:
        kept = x[rollout.live] if config.algorithm.collect == "episodes" else x
        return torch.tensor(kept.reshape(len(r), -1, *x.shape[3:]))  # a copy: torch aligns it, numpy does not

    weight = flat(phi)
    if config.algorithm.baseline == "batch_mean" or config.algorithm.standardize:
        weight = weight - weight.mean(1, keepdim=True)
    if config.algorithm.standardize:
        weight = weight / (weight.std(1, keepdim=True) + 1e-8)
    return Batch(flat(rollout.obs), flat(rollout.actions), weight, flat(targets), flat(v))
