"""Episodes that do not depend on those before."""

from typing import Any

import gymnasium as gym

from pgbench.errors import UserError


class FreshEpisodes(gym.Wrapper):
    """Each episode in an environment made anew, from a seed that the one before drew from its generator.

    For an environment that remembers earlier episodes (BipedalWalker's world, PyBullet's) or whose `reset()` without a
    seed takes random numbers from elsewhere than `np_random` (panda-gym, ALE): its runs repeat and resume bit for bit.
    It is the innermost of `env.wrappers`; `make=False` only seeds each reset, for what is slow to make.
    Raises UserError around something that Gymnasium cannot make again.
    """

    def __init__(self, env: gym.Env, make: bool = True):
        super().__init__(env)
        if make and env.spec is None:
            raise UserError("env.wrappers: pgbench:FreshEpisodes must come first, around what gymnasium.make gives")
        self._again = env.spec if make else None
        self._used = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is None:
            seed = int(self.unwrapped.np_random.integers(2**31))
        if self._again and self._used:
            self.env.close()
            self.env = gym.make(self._again, disable_env_checker=True)
        self._used = True
        return self.env.reset(seed=seed, options=options)
