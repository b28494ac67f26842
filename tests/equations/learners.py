"""Random learners and batches for them, float64, of both kinds of policy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from equations import textbook
from torch import Tensor

from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import Batch
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.distributions import Categorical, DiagonalGaussian, Distribution
from pgbench.maths.natural import fisher_vector_product
from pgbench.maths.networks import MLP
from pgbench.maths.optimizers import Adam

KINDS = ("categorical", "gaussian")
GIVEN_WEIGHTS: dict[str, Any] = {
    "advantage": "reward_to_go",
    "baseline": "zero",
    "collect": "episodes",
    "standardize": False,
}
"""Algorithm keys with which `Case.rollout` gives the case's batch."""


@dataclass(frozen=True)
class Case:
    """A learner and a batch of B transitions."""

    learner: Learner
    batch: Batch

    @property
    def theta(self) -> Tensor:
        return self.learner.theta

    @property
    def discrete(self) -> bool:
        return isinstance(self.learner.distribution, Categorical)

    @property
    def surrogate(self) -> Surrogate:
        return Surrogate(self.learner, self.batch)

    @property
    def rollout(self) -> Rollout:
        """Episodes of one step whose rewards are the batch's Phi_t: with advantage=reward_to_go, baseline=zero and
        collect=episodes (GIVEN_WEIGHTS), an update sees this very batch."""
        b, width = self.batch.obs.shape
        yes: np.ndarray = np.ones((b, 1), bool)
        return Rollout(
            obs=self.batch.obs.numpy()[:, None],
            actions=self.batch.actions.numpy()[:, None],
            rewards=self.batch.weights.numpy()[:, None],
            terminated=yes,
            truncated=~yes,
            live=yes,
            next_obs=np.zeros((1, width)),
            cut_obs=np.zeros((0, width)),
        )

    def y(self, theta: Tensor) -> Tensor:
        """The policy network's output [B, D], differentiable."""
        return textbook.network(self.learner.network, theta, self.batch.obs)

    def kl(self, theta: Tensor) -> Tensor:
        """Mean KL(theta_k || theta) by torch.distributions, differentiable in theta [P]."""
        old, new = (textbook.distribution(self.y(one), self.discrete) for one in (self.theta, theta))
        return torch.distributions.kl_divergence(old, new).mean()

    def fisher(self) -> Tensor:
        """F [P, P], from pgbench's Fisher-vector products with the unit vectors."""
        product = fisher_vector_product(self.surrogate.linear, self.learner.distribution)
        return torch.stack([product(unit) for unit in torch.eye(len(self.theta)).double()], -1)


def make_learner(
    network: MLP, distribution: Distribution, theta: Tensor, critic: MLP | None = None, phi: Tensor | None = None
) -> Learner:
    """A learner at these parameters, its optimisers fresh."""
    phi = theta.new_zeros(0) if phi is None else phi
    return Learner(network, distribution, critic, theta, Adam.zeros(theta), phi, Adam.zeros(phi))


def random_parameters(mlp: MLP, rng: np.random.Generator) -> Tensor:
    """Normal parameters [P]."""
    return torch.from_numpy(rng.normal(size=mlp.n_params))


def make_case(
    kind: str, size: int = 12, hidden: tuple[int, ...] = (4,), rng_seed: int = 0, activation: str = "tanh"
) -> Case:
    """A random case: 3 observations, 3 actions or 2 action dimensions."""
    rng = np.random.default_rng(rng_seed)

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=shape))

    n_actions = 3 if kind == "categorical" else 2
    network = MLP((3, *hidden, n_actions), activation, 0 if kind == "categorical" else n_actions)
    distribution = Categorical(n_actions) if kind == "categorical" else DiagonalGaussian(n_actions)
    critic = MLP((3, *hidden, 1), activation)
    theta, phi = 0.7 * random_parameters(network, rng), random_parameters(critic, rng)
    obs = normal(size, 3)
    noise = distribution.noise(rng, (size,))
    actions = torch.from_numpy(distribution.sample(network(theta, obs).numpy(), noise))
    batch = Batch(obs, actions, normal(size), normal(size), normal(size))
    return Case(make_learner(network, distribution, theta, critic, phi), batch)


def make_cases(kind: str, count: int = 2, rng_seed: int = 0, **options: Any) -> list[Case]:
    """Some random cases that differ."""
    return [make_case(kind, rng_seed=rng_seed + k, **options) for k in range(count)]
