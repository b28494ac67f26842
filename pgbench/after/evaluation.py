"""Evaluation: what a policy returns in fresh episodes, its parameters and normaliser as they are."""

import numpy as np

from pgbench.errors import UserError
from pgbench.experience.environments import make_envs
from pgbench.policy import Policy

AT_ONCE = 32
"""Episodes that run side by side."""
LONGEST = 100_000
"""Steps after which an episode counts as endless."""


def evaluate(policy: Policy, episodes: int = 10, seed: int = 1, deterministic: bool = True) -> np.ndarray:
    """Undiscounted returns [episodes], float64, of a policy in its environment, equal for equal `seed`.

    `deterministic`: act by the most likely action, else draw. Raises UserError where an episode does not end, and
    for numbers that cannot be.
    """
    for name, value, least in (("episodes", episodes, 1), ("seed", seed, 0)):
        if value < least:
            raise UserError(f"{name}: got {value}, allowed is at least {least}")
    returns, _ = run_episodes(policy, episodes, np.random.SeedSequence(seed), deterministic)
    return returns


def run_episodes(
    policy: Policy, episodes: int, stream: np.random.SeedSequence, deterministic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns and lengths [episodes] of complete episodes, whose starts and actions are drawn from `stream` alone."""
    sizes = [min(AT_ONCE, episodes - first) for first in range(0, episodes, AT_ONCE)]
    parts = [
        _side_by_side(policy, n, child, deterministic) for n, child in zip(sizes, stream.spawn(len(sizes)), strict=True)
    ]
    returns, lengths = zip(*parts, strict=True)
    return np.concatenate(returns), np.concatenate(lengths)


def _side_by_side(
    policy: Policy, n: int, stream: np.random.SeedSequence, deterministic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """One episode of each of n environments."""
    starts, noise = stream.spawn(2)
    rng = np.random.default_rng(noise)
    envs = make_envs(policy.env, n, [starts])
    returns, lengths = np.zeros(n), np.zeros(n, int)
    running = np.ones(n, bool)
    try:
        while running.any():
            actions = policy.raw(envs.obs[0], deterministic, rng)
            rewards, terminated, truncated = envs.step(actions[None], running[None])
            returns += np.where(running, rewards[0], 0)
            lengths += running
            running &= ~(terminated | truncated)[0]
            if lengths.max() > LONGEST:
                raise UserError(
                    f"env.id: an episode of '{policy.env.id}' has not ended in {LONGEST} steps; "
                    "set +env.kwargs.max_episode_steps"
                )
    finally:
        envs.close()
    return returns, lengths
