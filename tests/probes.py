"""Five environments so small that the right answer is known: value, discount, ending, action, observation.

`env.id=probes:Value-v0` and so on. Each isolates one thing an implementation can get wrong.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Probe(gym.Env):
    observation_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, continuous: bool = False):
        self.action_space = spaces.Box(-2, 2, (1,), np.float32) if continuous else spaces.Discrete(2)
        self.continuous = continuous
        self.state = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.state = self.start()
        return self.observe(), {}

    def observe(self) -> np.ndarray:
        return np.array([self.state], np.float32)

    def start(self) -> float:
        return 0.0


class Value(Probe):
    """One step, reward 1: V = 1."""

    def step(self, action):
        return self.observe(), 1.0, True, False, {}


class Keyword(Value):
    """Value that takes any keyword `options`."""

    def __init__(self, options: Any = None):
        super().__init__()


class Discount(Probe):
    """Two steps, reward 1 at the end: V(0) = gamma, V(1) = 1."""

    def step(self, action):
        ended = self.state == 1.0
        self.state = 1.0
        return self.observe(), float(ended), ended, False, {}


class Ending(Probe):
    """One step, reward 1. From -1 it terminates: V = 1. From +1 the time is up: V = 1 / (1 - gamma)."""

    def start(self) -> float:
        return float(self.np_random.choice([-1.0, 1.0]))

    def step(self, action):
        return self.observe(), 1.0, self.state < 0, self.state > 0, {}


class Action(Probe):
    """One step. Action 1 is right; of numbers, 0.5."""

    def step(self, action):
        reward = -float((action[0] - 0.5) ** 2) if self.continuous else float(action)
        return self.observe(), reward, True, False, {}


class Observation(Probe):
    """One step. The right action is the sign of the observation, as 0 or 1; of numbers, half the observation."""

    def start(self) -> float:
        return float(self.np_random.choice([-1.0, 1.0]))

    def step(self, action):
        right = float(action == (self.state > 0)) if not self.continuous else -float((action[0] - self.state / 2) ** 2)
        return self.observe(), right, True, False, {}


class Unsupported(Probe):
    """Has an action space no algorithm here can use."""

    def __init__(self):
        super().__init__()
        self.action_space = spaces.MultiBinary(3)


class Wordy(Probe):
    """Has an observation space that is no vector."""

    observation_space = spaces.Sequence(spaces.Discrete(3))  # type: ignore[assignment]


class Explosive(Probe):
    """Observes infinity from the third step on, so that learning diverges."""

    def __init__(self, seed_to_spare: int = -1):
        super().__init__()
        self.steps = 0

    def start(self) -> float:
        self.steps = 0
        return 0.0

    def step(self, action):
        self.steps += 1
        self.state = 0.0 if self.steps < 3 else float("inf")
        return self.observe(), 1.0, False, False, {}


for probe in (Value, Keyword, Discount, Ending, Action, Observation, Unsupported, Wordy, Explosive):
    gym.register(f"{probe.__name__}-v0", entry_point=probe, disable_env_checker=True)
