"""An environment that takes its time without taking the processor's."""

import time

import gymnasium as gym


class Waiting(gym.Wrapper):
    def step(self, action):
        time.sleep(0.002)
        return super().step(action)
