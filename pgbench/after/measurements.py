"""Measurements of a policy, for figures of the slides' arguments: `python -m pgbench.measure`.

They collect data of their own, with random numbers of their own. Rows are those of measurements.csv
(pgbench/runs/records.py) but for env_steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgbench.algorithms.npg import natural_gradient_step
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.experience.collector import Collector
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import estimate
from pgbench.learning.learner import Learner, learner_of
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.natural import dot
from pgbench.policy import Policy

BATCHES = 32
EPISODES = 16
STREAM = 2
"""Child of SeedSequence(seed) that measurements draw from; training has 0 and 1."""


class Weight(NamedTuple):
    """A Phi_t: the config keys that choose it."""

    advantage: Any
    baseline: Any
    discounted: bool


# The slides' chain of variance reduction.
WEIGHTS = {
    "R(tau)": Weight("trajectory_return", "zero", False),
    "reward to go": Weight("reward_to_go", "zero", False),
    "discounted reward to go": Weight("reward_to_go", "zero", True),
    "- batch mean": Weight("reward_to_go", "batch_mean", True),
    "- V(s)": Weight("reward_to_go", "learned", True),
    "Q(s,a)": Weight("q_value", "zero", True),
    "GAE": Weight("gae", "learned", True),
    "n-step": Weight("n_step", "learned", True),
    "TD residual": Weight("td_residual", "learned", True),
}
REFERENCE = "- V(s)"
"""Has the expectation of the discounted reward to go, and less noise; where the time limit cuts an episode, of the one
with V(s_T) added, as all weights with a learned V have it."""

DISTANCES = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0])

Row = tuple[str, float, str, float]


def gradient_variance(learner: Learner, config: Config, seed: int) -> Iterator[Row]:
    """Each Phi_t's gradient estimate g^ = 1/m sum_i sum_t Phi_t grad log pi on the same batches of m = EPISODES
    complete episodes: its variance tr Cov g^, and the squared norm of its bias against REFERENCE, E g^ - E g^_ref (an
    unbiased estimate, which may be negative: the mean product of the differences in two batches)."""
    rollouts = list(episodes(learner, config, seed, BATCHES))
    g = {
        name: torch.stack([sample_gradient(learner, rollout, config, name) for rollout in rollouts]) for name in WEIGHTS
    }
    for name, estimates in g.items():
        difference = estimates - g[REFERENCE]
        yield name, float("nan"), "variance", float(estimates.var(0).sum())
        if WEIGHTS[name].discounted:
            chance = difference.var(0).sum() / BATCHES
            yield name, float("nan"), "squared_bias", float(difference.mean(0).square().sum() - chance)


def sample_gradient(learner: Learner, rollout: Rollout, config: Config, name: str) -> Tensor:
    """g^ [P] of one batch of EPISODES episodes: a sum over steps and a mean over episodes, as the slides have it."""
    weight, hp = WEIGHTS[name], config.hyperparameters
    changed = replace(
        config,
        algorithm=replace(
            config.algorithm,
            advantage=weight.advantage,
            baseline=weight.baseline,
            standardize=False,
            collect="episodes",
        ),
        hyperparameters=replace(hp, gamma=hp.gamma if weight.discounted else 1.0),
    )
    batch = estimate(learner, rollout, changed)
    return Surrogate(learner, batch).gradient().double() * (len(batch.weights) / EPISODES)


def policy_path(learner: Learner, config: Config, seed: int) -> Iterator[Row]:
    """KL(theta_k || theta_k + d) for steps d of given lengths along a batch's gradient and its natural gradient."""
    config = replace(config, algorithm=replace(config.algorithm, collect="episodes"))
    surrogate = Surrogate(learner, estimate(learner, next(episodes(learner, config, seed, 1)), config))
    g = surrogate.gradient()
    natural, _ = natural_gradient_step(surrogate, g, config.hyperparameters)
    for name, direction in (("vanilla", g), ("natural", natural)):
        unit: Tensor = direction / dot(direction, direction).sqrt()
        for distance in DISTANCES.tolist():
            _, kl = surrogate.evaluate(learner.theta + distance * unit)
            yield name, distance, "kl", float(kl)


def episodes(learner: Learner, config: Config, seed: int, batches: int) -> Iterator[Rollout]:
    """Batches of EPISODES complete episodes each, all from their start, under the seed's policy."""
    collecting = replace(
        config,
        algorithm=replace(config.algorithm, collect="episodes"),
        hyperparameters=replace(config.hyperparameters, n_envs=EPISODES, n_steps=1),
    )
    collector = Collector(collecting, np.random.SeedSequence(seed, spawn_key=(STREAM,)).spawn(batches))
    network = learner.network.act([learner.theta] * batches)
    found = collector.collect(network, learner.distribution, np.ones(batches, bool))
    collector.close()
    for k in range(batches):
        yield found[k][0]


def measure(policy: Policy, config: Config, seed: int, kind: str) -> Iterator[Row]:
    """The rows of a kind of KINDS. `config` is that of the run the policy comes from; what its algorithm does not read
    (conjugate gradient, for VPG) has the defaults. Raises UserError where observations or rewards are normalised, or
    the critic is missing that a weight needs."""
    hp = config.hyperparameters
    if hp.normalize_observation or hp.normalize_reward:
        raise UserError(f"{kind} needs observations and rewards as they are: train with normalize_* off")
    if policy.critic is None:
        raise UserError(f"{kind} needs a critic: algorithm '{config.algorithm.name}' was trained without one")
    with torch.inference_mode():
        yield from KINDS[kind](learner_of(policy), config, seed)


KINDS: dict[str, Callable[[Learner, Config, int], Iterator[Row]]] = {
    "gradient_variance": gradient_variance,
    "policy_path": policy_path,
}
