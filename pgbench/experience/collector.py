"""From acting to batches: what S seeds saw, with each seed's account kept and its observations and rewards scaled."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pgbench.config import Config
from pgbench.experience.accounts import Account, Episode
from pgbench.experience.acting import Actor, Seen
from pgbench.experience.environments import make_envs
from pgbench.experience.normalizers import Normalizers
from pgbench.experience.rollout import Rollout
from pgbench.maths.distributions import Distribution
from pgbench.maths.moments import Standardizer
from pgbench.maths.networks import Act


class Collector:
    """The environments of S seeds, and what each seed keeps of them: account, normalisers, action noise."""

    def __init__(self, config: Config, seeds: Sequence[np.random.SeedSequence]):
        hp = config.hyperparameters
        spawned = [seed.spawn(2) for seed in seeds]
        self.envs = make_envs(config.env, hp.n_envs, [env for _, env in spawned])
        self.rngs = [np.random.default_rng(noise) for noise, _ in spawned]
        self.actor = Actor(config, self.envs, self.rngs)
        self.accounts = [Account(hp.n_envs) for _ in seeds]
        self.normalizers = [Normalizers(hp, self.envs.obs.shape[-1]) for _ in seeds]

    def collect(
        self, network: Act, distribution: Distribution, live: np.ndarray
    ) -> dict[int, tuple[Rollout, list[Episode]]]:
        """One batch of every live [S] seed, and the episodes it finished, by index."""
        seen = self.actor.act(network, distribution, self._see(), live)
        return {s: self._take(s, seen) for s in np.flatnonzero(live).tolist()}

    def _see(self) -> Standardizer | None:
        moments = [one.obs for one in self.normalizers if one.obs]
        if not moments:
            return None
        return Standardizer(*(np.stack([getattr(one, name) for one in moments])[:, None] for name in ("mean", "var")))

    def _take(self, s: int, seen: Seen) -> tuple[Rollout, list[Episode]]:
        """The s-th seed's part: takes it into account, then scales it with the moments it was seen with."""
        length = int(seen.live[s].any(1).sum())
        obs, actions, rewards, terminated, truncated, live = (
            getattr(seen, name)[s, :length] for name in ("obs", "actions", "rewards", "terminated", "truncated", "live")
        )
        episodes = self.accounts[s].take(rewards, terminated, truncated, live)
        normalizers = self.normalizers[s]
        see = normalizers.standardizer or (lambda x: x)
        rollout = Rollout(
            obs=see(obs),
            actions=actions,
            rewards=normalizers.scale(rewards, terminated | truncated, live),
            terminated=terminated,
            truncated=truncated,
            live=live,
            next_obs=see(seen.next_obs[s]),
            cut_obs=see(seen.cut_obs[s]),
        )
        normalizers.observe(obs, live)
        return rollout, episodes

    def save(self, s: int) -> dict[str, Any]:
        """The s-th seed's share of everything here, for a checkpoint."""
        return {
            "rng": self.rngs[s].bit_generator.state,
            "envs": self.envs.save(s),
            "account": self.accounts[s].save(),
            "normalizers": self.normalizers[s].save(),
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        self.rngs[s].bit_generator.state = saved["rng"]
        self.envs.load(s, saved["envs"])
        self.accounts[s].load(saved["account"])
        self.normalizers[s].load(saved["normalizers"])

    def close(self) -> None:
        self.envs.close()
