"""A policy that outlives its run: network, action distribution, parameters and normaliser, to act, save and load.

policy = pgbench.load_policy("runs/first/trpo-CartPole-v1-0123456789/seed-0")
action = policy.act(observation, deterministic=True)
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from pgbench.config import Env, Hyperparameters, to_plain
from pgbench.errors import UserError
from pgbench.maths.distributions import Categorical, DiagonalGaussian, Distribution
from pgbench.maths.modules import ModuleNetwork
from pgbench.maths.moments import Standardizer
from pgbench.maths.networks import MLP, Act, Network
from pgbench.plugins import load
from pgbench.tensors import load_tensors, save_tensors

FORMAT = 1


@dataclass(frozen=True)
class ActionSpace:
    """The actions of an environment: integers start .. start + size - 1, or arrays of `shape` between low and high."""

    discrete: bool
    size: int
    """how many actions there are, or how many numbers an action has"""
    start: int = 0
    shape: tuple[int, ...] = ()
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @classmethod
    def of(cls, space: spaces.Space) -> "ActionSpace | None":
        """That of a Gymnasium space; None where no policy here can act in it."""
        if isinstance(space, spaces.Discrete):
            return cls(True, int(space.n), int(space.start))
        if isinstance(space, spaces.Box):
            return cls(False, int(np.prod(space.shape)), 0, space.shape, space.low, space.high)
        return None

    def to_env(self, actions: np.ndarray) -> np.ndarray:
        """Actions [...] or [..., A] as the environment takes them: shifted to `start`, or clipped to its bounds in its
        own shape and type."""
        if self.discrete:
            return actions + self.start
        assert self.low is not None
        clipped: np.ndarray = np.clip(actions.reshape(*actions.shape[:-1], *self.shape), self.low, self.high)
        return np.rint(clipped).astype(self.low.dtype) if np.issubdtype(self.low.dtype, np.integer) else clipped


def policy_network(hp: Hyperparameters, obs_size: int, actions: ActionSpace) -> Network:
    """A policy's network: logits, or means and log standard deviations, which do not depend on the state. Raises
    UserError."""
    free = 0 if actions.discrete else actions.size
    if hp.network == "mlp":
        return MLP((obs_size, *hp.hidden, actions.size), hp.activation, free, 0.01, hp.log_std_init)
    kwargs = {"obs_size": obs_size, "outputs": actions.size, **hp.network_kwargs}
    return fitting(
        _module(hp.network, kwargs, free, hp.log_std_init), obs_size, actions.size, "hyperparameters.network"
    )


def critic_network(hp: Hyperparameters, obs_size: int) -> Network:
    """A critic's network. Raises UserError."""
    if hp.critic_network == "mlp":
        return MLP((obs_size, *hp.critic_hidden, 1), hp.critic_activation)
    made = _module(hp.critic_network, {"obs_size": obs_size, "outputs": 1, **hp.critic_network_kwargs})
    return fitting(made, obs_size, 1, "hyperparameters.critic_network")


def fitting(network: ModuleNetwork, obs_size: int, outputs: int, key: str) -> ModuleNetwork:
    """The network, tried on a batch of two observations. Raises UserError where it does not give [2, outputs]."""
    name = f"{key}: '{network.origin['name']}'"
    try:
        with torch.no_grad():
            y = network.module(torch.zeros(2, obs_size))
    except Exception as error:  # its own code
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{name} fails on a batch [2, {obs_size}] of observations: {reason}") from None
    if not isinstance(y, Tensor) or y.shape != (2, outputs) or y.dtype != torch.float32:
        what = f"{list(y.shape)} of {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise UserError(
            f"{name} gives {what} for a batch [2, {obs_size}] of observations, expected [2, {outputs}] of torch.float32"
        )
    return network


def make_distribution(actions: ActionSpace) -> Distribution:
    """The action distribution of a policy in this space."""
    return Categorical(actions.size) if actions.discrete else DiagonalGaussian(actions.size)


def _module(name: str, kwargs: Mapping[str, Any], free: int = 0, free_init: float = 0.0) -> ModuleNetwork:
    """A network that is a torch.nn.Module. Nothing but such a class is called. Raises UserError."""
    made = load(name, "network")
    if not (isinstance(made, type) and issubclass(made, torch.nn.Module)):
        raise UserError(f"network: '{name}' is no torch.nn.Module")
    try:
        return ModuleNetwork(partial(made, **kwargs), {"name": name, "kwargs": dict(kwargs)}, free, free_init)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"network: '{name}' with {dict(kwargs)}: {' '.join(str(error).split())}") from None


def network_spec(network: Network) -> dict[str, Any]:
    """Plain values that `make_network` makes the network of."""
    if isinstance(network, ModuleNetwork):
        return {**network.origin, "free": network.free, "free_init": network.free_init}
    assert isinstance(network, MLP)
    return {"name": "mlp", **asdict(network)}


def make_network(spec: Mapping[str, Any]) -> Network:
    """The inverse of `network_spec`."""
    values: dict[str, Any] = {name: x for name, x in spec.items() if name != "name"}
    if spec["name"] == "mlp":
        return MLP(**{**values, "sizes": tuple(values["sizes"])})
    return _module(spec["name"], **values)


@dataclass(frozen=True)
class Policy:
    """pi_theta(a | s) as it was at one moment of training."""

    network: Network
    distribution: Distribution
    theta: Tensor
    """parameters [P]"""
    obs_size: int
    """O"""
    standardizer: Standardizer | None
    """what observations are seen with, as it was at that moment"""
    actions: ActionSpace
    env: Env
    """the environment it was trained in"""
    critic: Network | None
    """of V_phi; None where none was trained"""
    phi: Tensor
    """its parameters [Q]"""
    about: Mapping[str, Any]
    """where it comes from: algorithm, seed, env_steps, job"""

    def act(
        self, obs: np.ndarray, deterministic: bool = False, rng: np.random.Generator | None = None
    ) -> np.ndarray | int:
        """Actions as the environment takes them, for one observation [O] or a batch [B, O], as the environment gives
        them (flattened, with the time step where env.append_time says so).

        `deterministic`: the most likely action; else one is drawn, by `rng` or a new generator. Raises ValueError for
        observations of another size.
        """
        x = np.asarray(obs, np.float32)
        if x.ndim not in (1, 2) or x.shape[-1] != self.obs_size:
            raise ValueError(f"obs: got shape {x.shape}, expected ({self.obs_size},) or (batch, {self.obs_size})")
        acted = self.actions.to_env(self.raw(x.reshape(-1, self.obs_size), deterministic, rng))
        return acted if x.ndim == 2 else acted[0]

    def value(self, obs: np.ndarray) -> np.ndarray:
        """V_phi [B] of the critic for observations [B, O]. Raises ValueError where none was trained."""
        if self.critic is None:
            raise ValueError("this policy was trained without a critic")
        x = np.asarray(obs, np.float32)
        return self.critic(self.phi, torch.tensor(self.standardizer(x) if self.standardizer else x))[:, 0].numpy()

    def raw(self, obs: np.ndarray, deterministic: bool, rng: np.random.Generator | None) -> np.ndarray:
        """Actions [B] or [B, A] of the distribution itself, before they fit the environment; obs [B, O], float32."""
        y = self._act((self.standardizer(obs) if self.standardizer else obs)[None])[0]
        if deterministic:
            return self.distribution.mode(y)
        noise = self.distribution.noise(np.random.default_rng() if rng is None else rng, (len(obs),))
        return self.distribution.sample(y, noise)

    @cached_property
    def _act(self) -> Act:
        return self.network.act([self.theta])

    def save(self, path: str | os.PathLike[str], durable: bool = True) -> None:
        """Writes a file of tensors and plain values, whole or not at all; `durable`: also through a power cut."""
        content = {
            "network": network_spec(self.network),
            "theta": self.theta,
            "critic": network_spec(self.critic) if self.critic else None,
            "phi": self.phi,
            "obs_size": self.obs_size,
            "standardizer": asdict(self.standardizer) if self.standardizer else None,
            "actions": asdict(self.actions),
            "env": to_plain(self.env),
            "about": dict(self.about),
        }
        save_tensors(Path(path), content, FORMAT, durable)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Policy":
        """The inverse of `save`. Nothing in the file can execute. Raises UserError where it is no such file."""
        saved = load_tensors(Path(path), FORMAT, "give another run or policy file")
        try:
            actions = ActionSpace(**{**saved["actions"], "shape": tuple(saved["actions"]["shape"])})
            return cls(
                make_network(saved["network"]),
                make_distribution(actions),
                saved["theta"],
                saved["obs_size"],
                Standardizer(**saved["standardizer"]) if saved["standardizer"] else None,
                actions,
                Env(**saved["env"]),
                make_network(saved["critic"]) if saved["critic"] else None,
                saved["phi"],
                saved["about"],
            )
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: not a policy ({error})") from None
