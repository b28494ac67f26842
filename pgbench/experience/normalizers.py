"""What one seed standardises: observations by their running moments, rewards by the deviation of the return."""

from typing import Any

import numpy as np

from pgbench.config import Hyperparameters
from pgbench.maths.moments import RunningMoments, Standardizer


class Normalizers:
    """A seed's running moments. Observations are seen with the moments of the batches before, rewards with this one's
    among them."""

    def __init__(self, hp: Hyperparameters, obs_size: int):
        self.gamma = hp.gamma
        self.obs = RunningMoments(obs_size) if hp.normalize_observation else None
        self.returns = RunningMoments(1) if hp.normalize_reward else None
        self.discounted = np.zeros(hp.n_envs)
        """sum_k gamma^k r_t-k of each environment's running episode [N]"""

    @property
    def standardizer(self) -> Standardizer | None:
        """What observations are seen with now."""
        return Standardizer(self.obs.mean, self.obs.var) if self.obs else None

    def observe(self, obs: np.ndarray, live: np.ndarray) -> None:
        """Takes in a batch's observations [T, N, O], those that are live [T, N]."""
        if self.obs:
            self.obs.update(obs[live])

    def scale(self, rewards: np.ndarray, ended: np.ndarray, live: np.ndarray) -> np.ndarray:
        """Takes in a batch's rewards [T, N], and gives them divided by the deviation of the running discounted return,
        clipped to +-10, float32."""
        if not self.returns:
            return rewards.astype(np.float32)
        running = np.zeros_like(rewards)
        for t, reward in enumerate(rewards):
            running[t] = self.discounted = np.where(live[t], self.gamma * self.discounted + reward, 0)
            self.discounted = np.where(ended[t], 0, self.discounted)
        self.returns.update(running[live][:, None])
        return np.clip(rewards / np.sqrt(self.returns.var + 1e-8), -10, 10).astype(np.float32)

    def save(self) -> dict[str, Any]:
        """For a checkpoint."""
        moments = {name: dict(vars(one)) for name, one in self._moments().items()}
        return {"discounted": self.discounted.copy(), **moments}

    def load(self, saved: dict[str, Any]) -> None:
        """The inverse of `save`."""
        self.discounted = saved["discounted"]
        for name, one in self._moments().items():
            vars(one).update(saved[name])

    def _moments(self) -> dict[str, RunningMoments]:
        return {name: one for name, one in (("obs", self.obs), ("returns", self.returns)) if one}
