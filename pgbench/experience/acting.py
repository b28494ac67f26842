"""Acting: S policies in S x N environments, T steps each, or the complete episodes begun within T steps.

Arrays are [S, T, N, ...]. Random numbers are drawn a whole window at a time, each seed from its own generator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.experience.environments import Envs
from pgbench.maths.distributions import Distribution
from pgbench.maths.moments import Standardizer
from pgbench.maths.networks import Act

LONGEST = 100_000
"""Steps after which an episode counts as endless where whole episodes are collected."""


@dataclass(frozen=True)
class Seen:
    """What happened, as the environments gave it: observations float32, rewards float64."""

    obs: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    live: np.ndarray
    """steps that belong to a batch; a prefix of an environment's steps"""
    next_obs: np.ndarray
    """[S, N, O]"""
    cut_obs: list[np.ndarray]
    """of each seed, the final observations of its truncated steps, in the order of np.argwhere(truncated) [K, O]"""


class Actor:
    """Steps the environments with each seed's own action noise. The next call overwrites the arrays it gives."""

    def __init__(self, config: Config, envs: Envs, rngs: Sequence[np.random.Generator]):
        self.config, self.envs, self.rngs = config, envs, rngs
        self.n_steps = config.hyperparameters.n_steps
        self.whole_episodes = config.algorithm.collect == "episodes"
        self._buffer: dict[str, np.ndarray] = {}

    def act(self, network: Act, distribution: Distribution, see: Standardizer | None, live: np.ndarray) -> Seen:
        """One window of every live [S] seed. `network` maps observations [S, N, O], standardised by `see`, to the
        distributions' parameters. Raises UserError for an episode without end."""
        envs, n_steps = self.envs, self.n_steps
        s, n, size = envs.obs.shape
        alive = np.repeat(live[:, None], n, 1)
        cut_obs: dict[tuple[int, int, int], np.ndarray] = {}
        t = 0
        while t < n_steps or (self.whole_episodes and alive.any()):
            if t % n_steps == 0:
                noise = self._draw(distribution, alive)
                buffer = self._grow(t + n_steps, noise)
            obs = see(envs.obs) if see else envs.obs
            actions = distribution.sample(network(obs), noise[:, t % n_steps])
            buffer["obs"][:, t], buffer["actions"][:, t], buffer["live"][:, t] = envs.obs, actions, alive
            rewards, terminated, truncated = envs.step(actions, alive)
            buffer["rewards"][:, t] = rewards
            buffer["terminated"][:, t], buffer["truncated"][:, t] = terminated, truncated
            if truncated.any():
                cut_obs.update({(i, t, j): envs.final_obs[i, j].copy() for i, j in np.argwhere(truncated).tolist()})
            t += 1
            if t > LONGEST + n_steps:
                raise UserError(
                    f"algorithm.collect: an episode of '{self.config.env.id}' has not ended in {LONGEST} steps; set "
                    "+env.kwargs.max_episode_steps or algorithm.collect=steps"
                )
            if self.whole_episodes and t >= n_steps:
                alive &= ~(terminated | truncated)
        cut = [[cut_obs[key] for key in sorted(cut_obs) if key[0] == i] for i in range(s)]
        return Seen(
            **{name: array[:, :t] for name, array in buffer.items()},
            next_obs=envs.obs.copy(),
            cut_obs=[np.array(one, np.float32).reshape(-1, size) for one in cut],
        )

    def _draw(self, distribution: Distribution, alive: np.ndarray) -> np.ndarray:
        """Noise of a window [S, T, N, A]; a seed that has finished draws none, so its stream is its own affair."""
        shape = (self.n_steps, alive.shape[1])
        noise = [distribution.noise(rng, shape) if on.any() else None for rng, on in zip(self.rngs, alive, strict=True)]
        blank = next(x for x in noise if x is not None)
        return np.stack([np.zeros_like(blank) if x is None else x for x in noise])

    def _grow(self, length: int, noise: np.ndarray) -> dict[str, np.ndarray]:
        """The buffers, at least `length` steps long; they double, so that long episodes do not cost the square."""
        have = self._buffer["live"].shape[1] if self._buffer else 0
        if have < length:
            length = max(length, 2 * have)
            s, _, n, *size = noise.shape
            action: tuple[list[int], Any] = ([], np.int64) if self.envs.actions.discrete else (size, np.float32)
            new = {
                "obs": np.zeros((s, length, n, self.envs.obs.shape[-1]), np.float32),
                "actions": np.zeros((s, length, n, *action[0]), action[1]),
                "rewards": np.zeros((s, length, n)),
                **{name: np.zeros((s, length, n), bool) for name in ("terminated", "truncated", "live")},
            }
            for name, array in self._buffer.items():
                new[name][:, :have] = array
            self._buffer = new
        return self._buffer
