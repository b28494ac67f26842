"""First-order steps on parameter vectors."""

from typing import NamedTuple

import torch
from torch import Tensor


class Adam(NamedTuple):
    """Adam's moments m, v [P] and its step count t [] (Kingma and Ba 2015)."""

    m: Tensor
    v: Tensor
    t: Tensor

    @classmethod
    def zeros(cls, theta: Tensor) -> "Adam":
        return cls(torch.zeros_like(theta), torch.zeros_like(theta), theta.new_zeros(()))

    def step(
        self, g: Tensor, rate: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> tuple["Adam", Tensor]:
        """The optimiser after gradient g [P], and the ascent step rate m^ / (sqrt v^ + eps) [P]."""
        t = self.t + 1
        n = float(t)  # as tensors, the powers of beta cost as much as all the rest
        m = torch.lerp(self.m, g, 1 - beta1)
        v = torch.addcmul(self.v * beta2, g, g, value=1 - beta2)
        denominator = (v / (1 - beta2**n)).sqrt_().add_(eps)
        return Adam(m, v, t), (m * (rate / (1 - beta1**n))).div_(denominator)
