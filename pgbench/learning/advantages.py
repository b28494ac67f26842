"""From a rollout to the batch an update works on: the weights Phi_t on grad log pi, and the critic's targets."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgbench.config import ADVANTAGES, Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.learner import Learner
from pgbench.learning.weights import Steps
from pgbench.maths import returns
from pgbench.plugins import load


@dataclass(frozen=True)
class Batch:
    """B transitions of one seed."""

    obs: Tensor
    """[B, O]"""
    actions: Tensor
    """[B] or [B, A]"""
    weights: Tensor
    """Phi_t, the weight on grad log pi [B]"""
    targets: Tensor
    """what the critic is fitted to [B]"""
    values: Tensor
    """V(s_t) of the critic before it is fitted [B]"""


def values(learner: Learner, rollout: Rollout, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """V(s_t) and V(s_t+1), each [T, N]: where the environment terminated V(s_t+1) is zero, where the time limit cut
    the episode it is the value of the final observation (or zero with env.timeout=terminal)."""
    t, n, _ = rollout.obs.shape
    critic, phi = learner.critic, learner.phi
    if critic is None or not config.algorithm.uses_critic:
        return np.zeros((t, n), np.float32), np.zeros((t, n), np.float32)

    def value(obs: np.ndarray) -> np.ndarray:
        found: np.ndarray = critic(phi, torch.tensor(obs)).numpy()[:, 0]  # a copy: torch aligns it
        return found

    v = value(rollout.obs.reshape(t * n, -1)).reshape(t, n)
    v_next = np.where(rollout.terminated, 0, np.concatenate([v[1:], value(rollout.next_obs)[None]]))
    if config.env.timeout == "terminal":
        v_next[rollout.truncated] = 0
    elif rollout.truncated.any():
        v_next[rollout.truncated] = value(rollout.cut_obs)
    return v, v_next


def policy_weights(config: Config, r: np.ndarray, v: np.ndarray, v_next: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Phi_t [T, N] as `algorithm.advantage` names it, before baseline "batch_mean" and standardisation
    (slides, "General Policy Gradient")."""
    name = config.algorithm.advantage
    weight = load(name if ":" in name else f"pgbench.learning.weights:{name}", "algorithm.advantage")
    weights: np.ndarray = weight(Steps(r, v, v_next, last), config.hyperparameters)
    return weights - v if config.algorithm.baseline == "learned" and name not in ADVANTAGES else weights


def estimate(learner: Learner, rollout: Rollout, config: Config) -> Batch:
    """The batch of a rollout."""
    hp, r, last = config.hyperparameters, rollout.rewards, rollout.last
    v, v_next = values(learner, rollout, config)
    weights = policy_weights(config, r, v, v_next, last)
    if not config.algorithm.uses_critic:
        targets = weights  # nothing is fitted to it
    elif hp.critic_target == "return":
        targets = returns.reward_to_go(r, v_next, last, hp.gamma)
    else:
        targets = returns.gae(r, v, v_next, last, hp.gamma, hp.gae_lambda) + v

    def flat(x: np.ndarray) -> Tensor:
        return torch.tensor(x[rollout.live])  # a copy: torch aligns it, numpy does not

    weight = flat(weights)
    if config.algorithm.standardize:
        weight = standardize(weight)
    elif config.algorithm.baseline == "batch_mean":
        weight = weight - weight.mean()
    return Batch(flat(rollout.obs), flat(rollout.actions), weight, flat(targets), flat(v))


def standardize(x: Tensor) -> Tensor:
    """(x - mean) / standard deviation [B]; zero where x is constant, which in floating point is: spreads no further
    than its rounding (a millionth of its size)."""
    centred = x - x.mean()
    deviation = centred.square().sum().div(max(1, len(x) - 1)).sqrt()
    return centred / deviation if deviation > 1e-6 * x.abs().max() else torch.where(x.isfinite(), 0.0, x)
