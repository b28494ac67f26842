"""Multilayer perceptrons of all seeds at once, as rows of one matrix, with both products of their Jacobian.

Axes: S seeds, B batch, P parameters. A row of `theta` [S, P] is one network: W1 | b1 | W2 | b2 | ... | free | zeros.
Layer weights are views of it; the zeros fill the row up to whole cache lines, as a product rounds differently on other
bounds. Every operation keeps the seeds apart, so a seed's numbers do not depend on its neighbours.

The first-order theory needs no more than y = f_theta(x), J v and J^T u with J = dy/dtheta: the policy gradient is
J^T u, the Fisher-vector product J^T M J v. Both are written out here: a Fisher-vector product this way costs about half
of one by double backward, and is the same formula (tests/equations).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

CACHE_LINE = 16  # float32
NARROW = 16
WIDE = 32
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")

Array = TypeVar("Array", Tensor, np.ndarray)


def _tanh_(z: np.ndarray) -> np.ndarray:
    return np.tanh(z, out=z)


def _elu_(z: np.ndarray) -> np.ndarray:
    negative = np.minimum(z, 0)
    np.exp(negative, out=negative)
    negative -= 1
    return np.maximum(z, negative, out=z)


def _relu_(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0, out=z)


# In place, through numpy: torch.tanh takes thirteen times as long as numpy.tanh on a CPU; elu is alike in both.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": _tanh_, "elu": _elu_, "relu": _relu_}

# The derivative of each activation as a function of its value h.
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: torch.addcmul(h.new_ones(()), h, h, value=-1),
    "elu": lambda h: h.clamp(max=0).add_(1),
    "relu": lambda h: (h > 0).to(h.dtype),
}


@dataclass(frozen=True)
class MLP:
    """Layer widths `sizes` = (in, hidden..., out), plus `free` outputs that are parameters themselves.

    The free outputs hold a Gaussian policy's state-independent log standard deviations.
    """

    sizes: tuple[int, ...]
    activation: str
    free: int = 0

    @property
    def n_params(self) -> int:
        """How many parameters the network has."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(self.sizes)) + self.free

    @property
    def padding(self) -> int:
        """Zeros at the end of a row; P = n_params + padding."""
        return -self.n_params % CACHE_LINE

    def init(self, rng: np.random.Generator, out_gain: float, free_value: float = 0.0) -> Tensor:
        """One row [P]: orthogonal weights, gain sqrt 2 in hidden layers and `out_gain` in the last; biases zero."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pieces = []
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.sizes)):
            gain = out_gain if layer == len(self.sizes) - 2 else 2**0.5
            weight = torch.nn.init.orthogonal_(torch.empty(fan_out, fan_in), gain, generator=generator)
            pieces += [weight.flatten(), torch.zeros(fan_out)]
        return torch.cat([*pieces, torch.full((self.free,), free_value), torch.zeros(self.padding)])

    def split(self, theta: Array) -> tuple[list[tuple[Array, Array]], Array]:
        """Views of rows [S, P]: (W [S, out, in], b [S, 1, out]) of each layer, and free [S, 1, free]."""
        layers, start = [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            weight = theta[:, start : start + fan_in * fan_out].reshape(-1, fan_out, fan_in)
            start += fan_in * fan_out
            layers.append((weight, theta[:, None, start : start + fan_out]))
            start += fan_out
        return layers, theta[:, None, start : start + self.free]

    def act(self, layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
        """y [S, N, out] for the few inputs x [S, N, in] of a rollout step; `layers` from `split`, in numpy.

        At these sizes numpy's calls cost a third of torch's.
        """
        *hidden, (weight, bias) = layers
        activate = ACTIVATIONS[self.activation]
        for inner, offset in hidden:
            z = x @ inner.swapaxes(1, 2)
            z += offset
            x = activate(z)
        return x @ weight.swapaxes(1, 2) + bias

    def linearize(self, theta: Tensor, x: Tensor) -> "Linearized":
        """f at rows theta [S, P] on inputs x [S, B, in]."""
        return Linearized(self, theta, x)

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """y [S, B, out + free]."""
        return Linearized(self, theta, x).y


def product(h: Tensor, weight: Tensor) -> Tensor:
    """h W^T: [S, B, in], [S, out, in] -> [S, B, out], by what is fastest for the shape.

    A narrow product runs transposed: with 2 outputs it then takes a sixth of the time (B = 2048, in = 64). A wide one
    of a single seed goes to oneDNN: half the time of MKL where that has no AVX-512 kernels for the processor.
    """
    if weight.shape[1] < NARROW:
        return torch.bmm(weight, h.mT).mT
    if ONEDNN and len(h) == 1 and h.dtype == torch.float32 and min(weight.shape[1:]) >= WIDE:
        return torch.ops.mkldnn._linear_pointwise(h[0], weight[0], None, "none", [], "")[None]
    return torch.bmm(h, weight.mT)


def outer(u: Tensor, h: Tensor) -> Tensor:
    """u^T h: [S, B, out], [S, B, in] -> [S, out, in], with the narrow factor first, as in `product`."""
    return torch.bmm(h.mT, u).mT if h.shape[2] < u.shape[2] else torch.bmm(u.mT, h)


class Linearized:
    """y = f_theta(x) [S, B, out + free], and the two products of its Jacobian J = dy/dtheta."""

    def __init__(self, mlp: MLP, theta: Tensor, x: Tensor):
        self.mlp = mlp
        layers, free = mlp.split(theta)
        *hidden, (weight, bias) = layers
        activate = ACTIVATIONS[mlp.activation]
        self.weights = [w for w, _ in layers]
        self.inputs = [x]
        for inner, offset in hidden:
            z = product(self.inputs[-1], inner).add_(offset)
            activate(z.numpy())
            self.inputs.append(z)
        self.y = self._join(product(self.inputs[-1], weight).add_(bias), free).contiguous()
        self._slopes: list[Tensor] | None = None

    def _join(self, out: Tensor, free: Tensor) -> Tensor:
        return torch.cat([out, free.expand(-1, out.shape[1], -1)], -1) if self.mlp.free else out

    @property
    def slopes(self) -> list[Tensor]:
        """Derivative of each hidden activation, [S, B, width]."""
        if self._slopes is None:
            self._slopes = [SLOPES[self.mlp.activation](h) for h in self.inputs[1:]]
        return self._slopes

    def jvp(self, v: Tensor) -> Tensor:
        """J v [S, B, out + free] for v [S, P]: the change of y along v."""
        layers, free = self.mlp.split(v)
        dy = None
        for slope, h, weight, (dweight, dbias) in zip(
            [*self.slopes, None], self.inputs, self.weights, layers, strict=True
        ):
            dz = product(h, dweight).add_(dbias)
            if dy is not None:
                dz += product(dy, weight)
            dy = dz if slope is None else dz.mul_(slope)
        assert dy is not None
        return self._join(dy, free)

    def vjp(self, u: Tensor) -> Tensor:
        """J^T u [S, P] for u [S, B, out + free]: the gradient of sum(u * y) in theta."""
        width = self.mlp.sizes[-1]
        pieces = [u.new_zeros(len(u), self.mlp.padding), u[..., width:].sum(1)]
        u = u[..., :width]
        for layer in reversed(range(len(self.weights))):
            weight, h = self.weights[layer], self.inputs[layer]
            pieces += [u.sum(1), outer(u, h).flatten(1)]
            if layer:
                u = u * weight if weight.shape[1] == 1 else product(u, weight.mT)
                u *= self.slopes[layer - 1]
        return torch.cat(pieces[::-1], 1)
