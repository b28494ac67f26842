"""A convolutional network for image observations, which arrive flattened, [B, height * width * channels]."""

import torch
from torch import Tensor, nn


class CNN(nn.Module):
    """Two convolutions and a hidden layer. `shape`: (height, width, channels) of the image, values 0 to 255."""

    def __init__(self, obs_size: int, outputs: int, shape: list[int], channels: int = 8, hidden: int = 32):
        super().__init__()
        height, width, depth = self.shape = tuple(shape)
        if obs_size != height * width * depth:
            raise ValueError(f"shape: {list(shape)} has {height * width * depth} values, the observation {obs_size}")
        self.body = nn.Sequential(
            nn.Conv2d(depth, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(channels * -(-height // 2) * -(-width // 2), hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, obs_size] -> [B, outputs]."""
        image = x.reshape(-1, *self.shape).movedim(-1, 1)
        out: Tensor = self.body(torch.mul(image, 1 / 255))
        return out
