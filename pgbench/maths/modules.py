"""Any `torch.nn.Module` as a network: the same two products of its Jacobian, by automatic differentiation.

class Net(torch.nn.Module):
    def __init__(self, obs_size: int, outputs: int, width: int = 64): ...
    def forward(self, x): ...  # [B, O] -> [B, outputs]
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp

from pgbench.maths.networks import Act


class ModuleNetwork:
    """y = f(theta, x) of a module whose parameters are one vector theta [P], in the order of `named_parameters`, then
    `free` outputs that are parameters themselves (a Gaussian policy's log standard deviations).

    Modules with buffers that training changes (BatchNorm) or with random parts (Dropout) are refused: f would not be a
    function of theta and x.
    """

    def __init__(self, make: Callable[[], nn.Module], origin: dict[str, Any], free: int = 0, free_init: float = 0.0):
        self.make, self.free, self.free_init = make, free, free_init
        self.origin = origin
        """plain values that say what `make` makes"""
        self.module = make()
        self.shapes = {name: parameter.shape for name, parameter in self.module.named_parameters()}
        if any(True for _ in self.module.buffers()) or any(
            isinstance(part, nn.modules.dropout._DropoutNd) for part in self.module.modules()
        ):
            raise ValueError("has buffers or dropout: its output must be a function of its parameters and input alone")

    @property
    def n_params(self) -> int:
        """P."""
        return sum(map(prod, self.shapes.values())) + self.free

    def init(self, rng: np.random.Generator) -> Tensor:
        """theta [P] as the module's own constructor draws it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            module = self.make()
        flat = [parameter.detach().flatten() for parameter in module.parameters()]
        return torch.cat([*flat, torch.full((self.free,), self.free_init)])

    def _function(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        def f(theta: Tensor) -> Tensor:
            parameters, start = {}, 0
            for name, shape in self.shapes.items():
                end = start + prod(shape)
                parameters[name] = theta[start:end].reshape(shape)
                start = end
            y: Tensor = functional_call(self.module, parameters, (x,))
            return torch.cat([y, theta[start:].expand(len(y), -1)], -1) if self.free else y

        return f

    def linearize(self, theta: Tensor, x: Tensor) -> "LinearModule":
        """f at theta [P] on inputs x [B, O]."""
        with torch.inference_mode(False):
            return LinearModule(self._function(x.clone()), theta.clone())

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """y [B, D]."""
        return self._function(x)(theta)

    def act(self, thetas: Sequence[Tensor]) -> Act:
        """[S, N, O] -> [S, N, D]."""

        def act(x: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return np.stack([self(theta, torch.tensor(one)).numpy() for theta, one in zip(thetas, x, strict=True)])

        return act


class LinearModule:
    """A module's y, J v and J^T u at theta. J^T u is linear in u, so that J v is its derivative in u, transposed: both
    are reverse mode, which every layer has."""

    def __init__(self, f: Callable[[Tensor], Tensor], theta: Tensor):
        self._f, self._theta = f, theta
        made: Any = vjp(f, theta)
        self.y, self._pullback = made
        self._pushforward: Any = None

    def jvp(self, v: Tensor) -> Tensor:
        """J v [B, D]."""
        with torch.inference_mode(False):
            if self._pushforward is None:
                transposed: Any = vjp(lambda u: vjp(self._f, self._theta)[1](u)[0], torch.zeros_like(self.y))
                self._pushforward = transposed[1]
            dy: Tensor = self._pushforward(v.clone())[0]
            return dy

    def vjp(self, u: Tensor) -> Tensor:
        """J^T u [P]."""
        with torch.inference_mode(False):
            gradient: Tensor = self._pullback(u.clone())[0]
            return gradient
