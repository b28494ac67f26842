"""What learning changes: one row a seed of policy, critic and their optimisers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgbench.config import Config
from pgbench.distributions import Categorical, DiagonalGaussian, Distribution
from pgbench.networks import MLP
from pgbench.optimizers import Adam


@dataclass(frozen=True)
class Policy:
    """pi_theta(a | s): a network whose output parametrises an action distribution."""

    mlp: MLP
    distribution: Distribution


@dataclass(frozen=True)
class State:
    """The learner of S seeds. `policy` and `critic` say how to read the rows; all tensors lead with S."""

    policy: Policy
    critic: MLP
    theta: Tensor
    """policy parameters [S, P]"""
    policy_adam: Adam
    phi: Tensor
    """critic parameters [S, Q]"""
    critic_adam: Adam

    def rows(self, which: slice) -> "State":
        """The learner of some of the seeds."""
        return self._map(lambda x: x[which])

    def _map(self, change: Any) -> "State":
        return replace(
            self,
            theta=change(self.theta),
            policy_adam=Adam(*map(change, self.policy_adam)),
            phi=change(self.phi),
            critic_adam=Adam(*map(change, self.critic_adam)),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, for a checkpoint."""
        adam = {
            f"{name}_adam.{key}": x for name in ("policy", "critic") for key, x in self._adam(name)._asdict().items()
        }
        return {"theta": self.theta, "phi": self.phi, **adam}

    def _adam(self, name: str) -> Adam:
        return self.policy_adam if name == "policy" else self.critic_adam

    def with_tensors(self, tensors: dict[str, Tensor]) -> "State":
        """The state whose tensors these are; the inverse of `tensors`."""
        policy_adam, critic_adam = (
            Adam(*(tensors[f"{name}_adam.{key}"] for key in Adam._fields)) for name in ("policy", "critic")
        )
        return replace(
            self, theta=tensors["theta"], phi=tensors["phi"], policy_adam=policy_adam, critic_adam=critic_adam
        )

    def finite(self) -> Tensor:
        """Which seeds have only finite parameters, bool [S]."""
        return self.theta.isfinite().all(1) & self.phi.isfinite().all(1)


def stack(states: Sequence[State]) -> State:
    """One state of the rows of several."""
    names = states[0].tensors()
    return states[0].with_tensors({name: torch.cat([state.tensors()[name] for state in states]) for name in names})


def where(mask: Tensor, new: State, old: State) -> State:
    """Rows of `new` where mask [S] holds, else of `old`."""
    before = old.tensors()
    return new.with_tensors({name: torch.where(mask[:, None], x, before[name]) for name, x in new.tensors().items()})


def initial_state(
    config: Config, obs_size: int, n_actions: int, discrete: bool, rngs: Sequence[np.random.Generator]
) -> State:
    """A fresh learner; row s is drawn from rngs[s]. Output gains 0.01 (policy) and 1 (critic)."""
    hp = config.hyperparameters
    mlp = MLP((obs_size, *hp.hidden, n_actions), hp.activation, 0 if discrete else n_actions)
    critic = MLP((obs_size, *hp.critic_hidden, 1), hp.critic_activation)
    theta = torch.stack([mlp.init(rng, 0.01, hp.log_std_init) for rng in rngs])
    phi = torch.stack([critic.init(rng, 1.0) for rng in rngs])
    policy = Policy(mlp, Categorical(n_actions) if discrete else DiagonalGaussian(n_actions))
    return State(policy, critic, theta, Adam.zeros(theta), phi, Adam.zeros(phi))
