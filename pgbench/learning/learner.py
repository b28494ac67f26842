"""What learning changes: policy, critic and their optimisers, of one seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from pgbench.config import Config
from pgbench.maths.distributions import Distribution
from pgbench.maths.networks import Network
from pgbench.maths.optimizers import Adam
from pgbench.policy import ActionSpace, Policy, critic_network, make_distribution, policy_network


@dataclass(frozen=True)
class Learner:
    """One seed's policy pi_theta and critic V_phi. An update makes a new one: `replace(learner, theta=...)`."""

    network: Network
    """the policy's network: its outputs y are the parameters of `distribution`"""
    distribution: Distribution
    critic: Network | None
    """the critic's network, its one output is V(s); None where no value enters the update"""
    theta: Tensor
    """policy parameters [P]"""
    policy_adam: Adam
    phi: Tensor
    """critic parameters [Q]; none without a critic"""
    critic_adam: Adam
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    """the algorithm's own random numbers, from the seed's stream"""
    memory: Mapping[str, Tensor] = field(default_factory=dict)
    """whatever else an algorithm keeps from update to update"""

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, for a checkpoint."""
        named = {"theta": self.theta, "phi": self.phi}
        for name, adam in (("policy_adam", self.policy_adam), ("critic_adam", self.critic_adam)):
            named |= {f"{name}.{key}": x for key, x in adam._asdict().items()}
        return named | {f"memory.{key}": x for key, x in self.memory.items()}

    def with_tensors(self, tensors: dict[str, Tensor]) -> "Learner":
        """The learner whose tensors these are; the inverse of `tensors`."""
        adams: dict[str, Any] = {
            name: Adam(*(tensors[f"{name}.{key}"] for key in Adam._fields)) for name in ("policy_adam", "critic_adam")
        }
        memory = {key.removeprefix("memory."): x for key, x in tensors.items() if key.startswith("memory.")}
        return replace(self, theta=tensors["theta"], phi=tensors["phi"], memory=memory, **adams)


def learner_of(policy: Policy) -> Learner:
    """A learner that stands where this policy does, its optimisers fresh."""
    theta, phi = policy.theta, policy.phi
    return Learner(policy.network, policy.distribution, policy.critic, theta, Adam.zeros(theta), phi, Adam.zeros(phi))


def initial_learner(
    config: Config, obs_size: int, actions: ActionSpace, init: np.random.Generator, rng: np.random.Generator
) -> Learner:
    """A fresh learner, its parameters drawn from `init`; output gains 0.01 (policy) and 1 (critic). Raises UserError
    for a network that will not do."""
    hp = config.hyperparameters
    network, distribution = policy_network(hp, obs_size, actions), make_distribution(actions)
    theta = network.init(init)
    critic = critic_network(hp, obs_size) if config.algorithm.uses_critic else None
    phi = critic.init(init) if critic else theta.new_zeros(0)
    return Learner(network, distribution, critic, theta, Adam.zeros(theta), phi, Adam.zeros(phi), rng)
