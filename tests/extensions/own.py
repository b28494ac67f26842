"""What people might bring, for tests/pgbench/test_extensions.py: found beside the directory of configs."""

from dataclasses import dataclass, replace

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from pgbench.config import PositiveFloat
from pgbench.learning.advantages import estimate
from pgbench.learning.critic import fit_critic


@dataclass(frozen=True)
class Hyperparameters:
    rate: PositiveFloat = 0.01
    """step size of the plain gradient"""


METRICS = {"objective": "mean of Phi log pi before the step", "updates": "how often it was called"}


def update(learner, rollout, config):
    """Plain gradient ascent, its gradient by autograd, with a little noise and a count kept in memory."""
    batch = estimate(learner, rollout, config)
    learner, critic_metrics = fit_critic(learner, batch, config)
    theta = learner.theta.clone().requires_grad_()
    y = network(learner.network, theta, batch.obs)
    objective = (learner.distribution.log_prob(y, batch.actions) * batch.weights).mean()
    (g,) = torch.autograd.grad(objective, theta)
    noise = torch.from_numpy(learner.rng.normal(size=len(g)).astype(np.float32))
    count = learner.memory.get("count", torch.zeros(())) + 1
    moved = (learner.theta + config.hyperparameters.rate * (g + 1e-3 * noise)).detach()
    metrics = {"objective": objective.detach(), "updates": count}
    return replace(learner, theta=moved, memory={"count": count}), critic_metrics | metrics


def network(mlp, theta, x):
    """The MLP's formula, differentiable."""
    layers, _ = mlp.split(theta)
    for weight, bias in layers[:-1]:
        x = torch.tanh(x @ weight.T + bias)
    return x @ layers[-1][0].T + layers[-1][1]


def undeclared(learner, rollout, config):
    return learner, {"surprise": 1.0}


def several(learner, rollout, config):
    learner, metrics = update(learner, rollout, config)
    return learner, metrics | {"objective": torch.zeros(2)}


def of_numpy(learner, rollout, config):
    learner, metrics = update(learner, rollout, config)
    return learner, metrics | {"objective": np.float64(0.5)}


def misshapen(learner, rollout, config):
    return replace(learner, theta=learner.theta[:1]), {}


def clipped_reward_to_go(steps, hp):
    """A weight of one's own: the reward to go, at most 3."""
    from pgbench.learning.weights import reward_to_go

    return np.minimum(reward_to_go(steps, hp), 3)


class SameAsMLP(nn.Module):
    """The MLP with hidden layer of 16 and tanh, as a module."""

    def __init__(self, obs_size, outputs, hidden=16):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(obs_size, hidden), nn.Tanh(), nn.Linear(hidden, outputs))

    def forward(self, x):
        return self.layers(x)


class WithDropout(SameAsMLP):
    def __init__(self, obs_size, outputs):
        super().__init__(obs_size, outputs)
        self.drop = nn.Dropout(0.5)


class OneTooMany(SameAsMLP):
    """As if somebody had counted actions from one."""

    def __init__(self, obs_size, outputs):
        super().__init__(obs_size, outputs + 1)


class Narrow(SameAsMLP):
    """Expects another observation."""

    def __init__(self, obs_size, outputs):
        super().__init__(obs_size - 1, outputs)


class Refuses(gym.Wrapper):
    def __init__(self, env, word):
        raise ValueError(word)


class Breaks(gym.Wrapper):
    def step(self, action):
        raise KeyError("nothing here")


def greedy(learner, rollout, config):
    """Reads what `reads` does not name."""
    return learner, {"objective": config.hyperparameters.delta}


def misspelt(learner, rollout, config):
    return learner, {"objective": config.hyperparameters.rat}


not_a_module = dict


def forgetful(learner, rollout, config):
    """Gives nothing back."""


def silent(learner, rollout, config):
    """Gives no metrics."""
    return learner
