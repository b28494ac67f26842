"""Random learners of several seeds and batches for them, float64, of both kinds of policy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from equations import textbook
from pgbench.rollout import Rollout
from pgbench.state import Policy, State
from torch import Tensor

from pgbench.learning.advantages import Batch
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.distributions import Categorical, DiagonalGaussian
from pgbench.maths.natural import fisher_vector_product
from pgbench.maths.networks import MLP
from pgbench.maths.optimizers import Adam

KINDS = ("categorical", "gaussian")
GIVEN_PHI: dict[str, Any] = {
    "advantage": "reward_to_go",
    "baseline": "zero",
    "collect": "episodes",
    "standardize": False,
}
"""Algorithm keys with which `Case.rollout` gives the case's batch."""


@dataclass(frozen=True)
class Case:
    """A learner of S seeds and a batch of B transitions of each."""

    state: State
    batch: Batch

    @property
    def discrete(self) -> bool:
        return isinstance(self.state.policy.distribution, Categorical)

    @property
    def surrogate(self) -> Surrogate:
        return Surrogate(self.state, self.batch)

    @property
    def rollout(self) -> Rollout:
        """Episodes of one step whose rewards are the batch's Phi_t: with advantage=reward_to_go, baseline=zero and
        collect=episodes (GIVEN_PHI), an update sees this very batch."""
        s, b, width = self.batch.obs.shape
        yes: np.ndarray = np.ones((s, b, 1), bool)
        return Rollout(
            obs=self.batch.obs.numpy()[:, :, None],
            actions=self.batch.actions.numpy()[:, :, None],
            rewards=self.batch.phi.numpy()[:, :, None],
            terminated=yes,
            truncated=~yes,
            live=yes,
            next_obs=np.zeros((s, 1, width)),
            cut_obs=np.zeros((0, width)),
        )

    def y(self, seed: int, theta: Tensor) -> Tensor:
        """The policy network's output [B, D] of one seed, differentiable."""
        return textbook.network(self.state.policy.mlp, theta, self.batch.obs[seed])

    def kl(self, seed: int, theta: Tensor) -> Tensor:
        """Mean KL(theta_k || theta) of one seed by torch.distributions, differentiable in theta [P]."""
        old, new = (textbook.distribution(self.y(seed, one), self.discrete) for one in (self.state.theta[seed], theta))
        return torch.distributions.kl_divergence(old, new).mean()

    def fisher(self) -> Tensor:
        """F [S, P, P], from pgbench's Fisher-vector products with the unit vectors."""
        product = fisher_vector_product(self.surrogate.linear, self.state.policy.distribution)
        units = torch.eye(self.state.theta.shape[1]).double()
        columns = [product(unit.expand_as(self.state.theta).contiguous()) for unit in units]
        return torch.stack(columns, -1)


def random_rows(mlp: MLP, rng: np.random.Generator, count: int) -> Tensor:
    """Normal parameters [count, P]; what a row holds beyond the network's parameters is zero."""
    rows = torch.zeros(count, len(mlp.init(rng, 1.0)), dtype=torch.float64)
    rows[:, : mlp.n_params] = torch.from_numpy(rng.normal(size=(count, mlp.n_params)))
    return rows


def make_case(
    kind: str,
    seeds: int = 2,
    size: int = 12,
    hidden: tuple[int, ...] = (4,),
    rng_seed: int = 0,
    activation: str = "tanh",
) -> Case:
    """A random case: 3 observations, 3 actions or 2 action dimensions."""
    rng = np.random.default_rng(rng_seed)

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=shape))

    n_actions = 3 if kind == "categorical" else 2
    mlp = MLP((3, *hidden, n_actions), activation, 0 if kind == "categorical" else n_actions)
    policy = Policy(mlp, Categorical(n_actions) if kind == "categorical" else DiagonalGaussian(n_actions))
    critic = MLP((3, *hidden, 1), activation)
    theta, phi = 0.7 * random_rows(mlp, rng, seeds), random_rows(critic, rng, seeds)
    state = State(policy, critic, theta, Adam.zeros(theta), phi, Adam.zeros(phi))
    obs = normal(seeds, size, 3)
    y = policy.mlp(theta, obs).numpy()
    noise = np.stack([policy.distribution.noise(rng, (size,)) for _ in range(seeds)])
    actions = torch.from_numpy(policy.distribution.sample(y, noise))
    return Case(state, Batch(obs, actions, normal(seeds, size), normal(seeds, size), normal(seeds, size)))
