"""An environment that stands still after some steps until it may go on: until the file GO exists."""

import os
import time
from pathlib import Path

import gymnasium as gym

STEPS = 200


class Waiting(gym.Wrapper):
    def __init__(self, env):
        super().__init__(env)
        self.steps = 0

    def step(self, action):
        self.steps += 1
        while self.steps > STEPS and not Path(os.environ["GO"]).exists():
            time.sleep(0.05)
        return super().step(action)
