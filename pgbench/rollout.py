"""Collects a batch for every seed: N environments a seed, T steps each, or the complete episodes begun within T steps.

Arrays are [S, T, N, ...]. Random numbers are drawn a whole window at a time, each seed from its own generator.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pgbench.config import Config
from pgbench.envs import Envs, make_envs
from pgbench.errors import UserError
from pgbench.normalize import RunningMoments, standardize
from pgbench.state import Policy

TRAILING = 100
LONGEST = 100_000
"""Steps after which an episode counts as endless where whole episodes are collected."""


@dataclass(frozen=True)
class Rollout:
    """What S seeds saw in one iteration. Steps that are not `live` belong to no batch."""

    obs: np.ndarray
    """[S, T, N, O], as the networks see them"""
    actions: np.ndarray
    """[S, T, N], or [S, T, N, A] before clipping to the action space"""
    rewards: np.ndarray
    """[S, T, N]"""
    terminated: np.ndarray
    """the environment ended the episode, bool [S, T, N]"""
    truncated: np.ndarray
    """the time limit cut it, bool [S, T, N]"""
    live: np.ndarray
    """bool [S, T, N]"""
    next_obs: np.ndarray
    """observations after the last step [S, N, O]"""
    cut_obs: np.ndarray
    """final observations of the truncated steps, in the order of np.argwhere(truncated) [K, O]"""

    def rows(self, which: slice) -> "Rollout":
        """The rollout of some of the seeds."""
        owner = np.argwhere(self.truncated)[:, 0]
        mine = np.isin(owner, np.arange(len(self.live))[which])
        parts = {field.name: getattr(self, field.name)[which] for field in fields(self) if field.name != "cut_obs"}
        return Rollout(**parts, cut_obs=self.cut_obs[mine])


@dataclass
class Account:
    """What one seed has done so far."""

    env_steps: int
    episodes: int
    running_return: np.ndarray
    """of each environment's unfinished episode [N], float64"""
    running_length: np.ndarray
    """[N]"""
    recent: deque[tuple[float, int]]
    """return and length of the last 100 finished episodes"""

    def trailing(self) -> tuple[float, float]:
        """Mean return and length of these; NaN before the first."""
        return tuple(np.mean(list(self.recent), 0).tolist()) if self.recent else (float("nan"), float("nan"))


class Collector:
    """Acts with S policies in S x N environments and keeps each seed's account."""

    def __init__(self, config: Config, seeds: Sequence[np.random.SeedSequence]):
        hp = config.hyperparameters
        self.config, self.n_seeds = config, len(seeds)
        spawned = [seed.spawn(2) for seed in seeds]
        self.rngs = [np.random.default_rng(noise) for noise, _ in spawned]
        self.envs: Envs = make_envs(config.env, hp.n_envs, [env for _, env in spawned])
        size = self.envs.obs.shape[-1]
        self.obs_moments = RunningMoments(self.n_seeds, size) if hp.normalize_observation else None
        self.return_moments = RunningMoments(self.n_seeds, 1) if hp.normalize_reward else None
        self.discounted = np.zeros((self.n_seeds, hp.n_envs))
        zeros = np.zeros(hp.n_envs)
        self.accounts = [Account(0, 0, zeros.copy(), zeros.astype(int), deque(maxlen=TRAILING)) for _ in seeds]
        self._buffer: dict[str, np.ndarray] = {}

    def collect(
        self, policy: Policy, theta: np.ndarray, live: np.ndarray
    ) -> tuple[Rollout, list[list[tuple[Any, ...]]]]:
        """One batch of every live [S] seed under rows theta [S, P], and the episodes each finished, as rows
        (env_steps, return, length, terminated)."""
        hp, envs = self.config.hyperparameters, self.envs
        whole_episodes = self.config.algorithm.collect == "episodes"
        layers, free = policy.mlp.split(theta)
        log_std = np.broadcast_to(free, (self.n_seeds, hp.n_envs, free.shape[-1]))
        alive = np.repeat(live[:, None], hp.n_envs, 1)
        cut_obs: dict[tuple[int, int, int], np.ndarray] = {}
        t = 0
        while t < hp.n_steps or (whole_episodes and alive.any()):
            if t % hp.n_steps == 0:
                noise = self._draw(policy, alive)
                buffer = self._grow(t + hp.n_steps, noise)
            obs = self._see(envs.obs)
            y = policy.mlp.act(layers, obs)
            if policy.mlp.free:
                y = np.concatenate([y, log_std], -1)
            actions = policy.distribution.sample(y, noise[:, t % hp.n_steps])
            buffer["obs"][:, t], buffer["actions"][:, t], buffer["live"][:, t] = envs.obs, actions, alive
            rewards, terminated, truncated = envs.step(actions, alive)
            buffer["rewards"][:, t], buffer["terminated"][:, t], buffer["truncated"][:, t] = (
                rewards,
                terminated,
                truncated,
            )
            if truncated.any():
                cut_obs.update({(s, t, n): envs.final_obs[s, n].copy() for s, n in np.argwhere(truncated).tolist()})
            t += 1
            if t > LONGEST + hp.n_steps:
                raise UserError(
                    f"algorithm.collect: an episode of '{self.config.env.id}' has not ended in {LONGEST} steps; set "
                    "+env.kwargs.max_episode_steps or algorithm.collect=steps"
                )
            if whole_episodes and t >= hp.n_steps:
                alive &= ~(terminated | truncated)
        seen = {name: array[:, :t] for name, array in buffer.items()}
        cut = np.array([cut_obs[key] for key in sorted(cut_obs)], np.float32).reshape(-1, envs.obs.shape[-1])
        owner = [s for s, _, _ in sorted(cut_obs)]
        episodes = [self._finished(s, {name: array[s] for name, array in seen.items()}) for s in range(self.n_seeds)]
        raw = Rollout(**seen, next_obs=envs.obs.copy(), cut_obs=cut)
        return self._normalize(raw, owner), episodes

    def _draw(self, policy: Policy, alive: np.ndarray) -> np.ndarray:
        """Noise of a window [S, T, N, A]; a seed that has finished draws none, so its stream is its own affair."""
        shape = (self.config.hyperparameters.n_steps, alive.shape[1])
        drawing = [bool(row.any()) for row in alive]
        noise = [
            policy.distribution.noise(rng, shape) if on else None for rng, on in zip(self.rngs, drawing, strict=True)
        ]
        blank = next(x for x in noise if x is not None)
        return np.stack([np.zeros_like(blank) if x is None else x for x in noise])

    def _grow(self, length: int, noise: np.ndarray) -> dict[str, np.ndarray]:
        """The buffers, at least `length` steps long."""
        have = self._buffer["live"].shape[1] if self._buffer else 0
        if have < length:
            s, n = len(noise), noise.shape[2]
            action: tuple[tuple[int, ...], Any] = (
                ((), np.int64) if self.envs.discrete else (noise.shape[3:], np.float32)
            )
            new = {
                "obs": np.zeros((s, length, n, self.envs.obs.shape[-1]), np.float32),
                "actions": np.zeros((s, length, n, *action[0]), action[1]),
                "rewards": np.zeros((s, length, n), np.float32),
                **{name: np.zeros((s, length, n), bool) for name in ("terminated", "truncated", "live")},
            }
            for name, array in self._buffer.items():
                new[name][:, :have] = array
            self._buffer = new
        return self._buffer

    def _see(self, obs: np.ndarray) -> np.ndarray:
        return standardize(obs, self.obs_moments.mean, self.obs_moments.var) if self.obs_moments else obs

    def _finished(self, s: int, seen: dict[str, np.ndarray]) -> list[tuple[Any, ...]]:
        """Brings the s-th account up to date; rows of the episodes that ended, in order of time."""
        account = self.accounts[s]
        live, rewards = seen["live"], seen["rewards"].astype(np.float64)
        steps = account.env_steps + live.sum(1).cumsum()
        totals = account.running_return + rewards.cumsum(0)
        lengths = account.running_length + live.cumsum(0)
        ended_return, ended_length = np.zeros(live.shape[1]), np.zeros(live.shape[1], int)
        rows = []
        for t, n in np.argwhere(seen["terminated"] | seen["truncated"]).tolist():
            value, length = float(totals[t, n] - ended_return[n]), int(lengths[t, n] - ended_length[n])
            ended_return[n], ended_length[n] = totals[t, n], lengths[t, n]
            rows.append((int(steps[t]), value, length, int(seen["terminated"][t, n])))
            account.recent.append((value, length))
        account.running_return, account.running_length = totals[-1] - ended_return, lengths[-1] - ended_length
        account.env_steps, account.episodes = int(steps[-1]), account.episodes + len(rows)
        return rows

    def _normalize(self, raw: Rollout, owner: list[int]) -> Rollout:
        """Observations and rewards as the learner sees them; afterwards the moments take this batch in."""
        parts = {field.name: getattr(raw, field.name) for field in fields(raw)}
        if self.obs_moments:
            mean, var = self.obs_moments.mean, self.obs_moments.var
            parts["obs"], parts["next_obs"] = (standardize(x, mean, var) for x in (raw.obs, raw.next_obs))
            if owner:
                parts["cut_obs"] = standardize(raw.cut_obs[:, None], mean[owner], var[owner])[:, 0]
            for s, live in enumerate(raw.live):
                if live.any():
                    self.obs_moments.update(s, raw.obs[s][live])
        if self.return_moments:
            for s, running in enumerate(self._discounted_returns(raw)):
                if raw.live[s].any():
                    self.return_moments.update(s, running[raw.live[s]][:, None])
            deviation = np.sqrt(self.return_moments.var + 1e-8)[:, :, None]
            parts["rewards"] = np.clip(raw.rewards / deviation, -10, 10).astype(np.float32)
        return Rollout(**parts)

    def _discounted_returns(self, raw: Rollout) -> np.ndarray:
        """sum_k gamma^k r_t-k within the episode, at every step [S, T, N]."""
        result = np.zeros_like(raw.rewards, np.float64)
        for t in range(result.shape[1]):
            self.discounted = np.where(
                raw.live[:, t], self.config.hyperparameters.gamma * self.discounted + raw.rewards[:, t], 0
            )
            result[:, t, :] = self.discounted
            self.discounted = np.where(raw.terminated[:, t] | raw.truncated[:, t], 0, self.discounted)
        return result

    def save(self, s: int) -> dict[str, Any]:
        """The s-th seed's share of everything here, for a checkpoint."""
        account = self.accounts[s]
        return {
            "rng": self.rngs[s].bit_generator.state,
            "envs": self.envs.save(s),
            "discounted": self.discounted[s].copy(),
            "account": {
                **{field.name: getattr(account, field.name) for field in fields(account)},
                "recent": list(account.recent),
            },
            "obs_moments": self.obs_moments.save(s) if self.obs_moments else None,
            "return_moments": self.return_moments.save(s) if self.return_moments else None,
        }

    def load(self, s: int, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        self.rngs[s].bit_generator.state = saved["rng"]
        self.envs.load(s, saved["envs"])
        self.discounted[s] = saved["discounted"]
        self.accounts[s] = Account(
            **{**saved["account"], "recent": deque(map(tuple, saved["account"]["recent"]), TRAILING)}
        )
        for moments, name in ((self.obs_moments, "obs_moments"), (self.return_moments, "return_moments")):
            if moments:
                moments.load(s, saved[name])
