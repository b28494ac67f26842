"""Networks as functions of a parameter vector, with both products of their Jacobian.

Axes: B batch, P parameters, O inputs, D outputs. A network is y = f(theta, x) with theta [P], so that `theta + d` is a
step and an optimiser is an expression. The first-order theory needs no more than y, J v and J^T u with J = dy/dtheta:
the policy gradient is J^T u, the Fisher-vector product J^T M J v. For the multilayer perceptron both are written out: a
Fisher-vector product this way costs about half of one by double backward, and is the same formula (tests/equations).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

CACHE_LINE = 16  # float32
NARROW = 16
WIDE = 32
LONG = 512
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")

Array = TypeVar("Array", Tensor, np.ndarray)
Act = Callable[[np.ndarray], np.ndarray]


class Linear(Protocol):
    """A network at theta on a batch: its value, and the linear map J = dy/dtheta there."""

    y: Tensor
    """f(theta, x) [B, D]"""

    def jvp(self, v: Tensor) -> Tensor:
        """J v [B, D] for v [P]: the change of y along v."""

    def vjp(self, u: Tensor) -> Tensor:
        """J^T u [P] for u [B, D]: the gradient of sum(u * y) in theta."""


class Network(Protocol):
    """f: parameters theta [P] and inputs x [B, O] -> outputs y [B, D]."""

    @property
    def n_params(self) -> int:
        """P."""

    def init(self, rng: np.random.Generator) -> Tensor:
        """Initial parameters [P]."""

    def linearize(self, theta: Tensor, x: Tensor) -> Linear:
        """f at theta on x, with its Jacobian's products."""

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """y [B, D]."""

    def act(self, thetas: Sequence[Tensor]) -> Act:
        """The networks of S seeds side by side: a function [S, N, O] -> [S, N, D] for the small batches of acting."""


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
    """Multilayer perceptron of layer widths `sizes` = (in, hidden..., out); theta = W1 | b1 | W2 | b2 | ... | free.

    The `free` outputs are parameters themselves: a Gaussian policy's state-independent log standard deviations.
    """

    sizes: tuple[int, ...]
    activation: str
    free: int = 0
    out_gain: float = 1.0
    """gain of the last layer's initial weights"""
    free_init: float = 0.0
    """initial value of the free outputs"""

    @property
    def n_params(self) -> int:
        """P."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(self.sizes)) + self.free

    def init(self, rng: np.random.Generator) -> Tensor:
        """theta [P]: orthogonal weights, gain sqrt 2 in hidden layers and `out_gain` in the last; biases zero."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pieces = []
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.sizes)):
            gain = self.out_gain if layer == len(self.sizes) - 2 else 2**0.5
            weight = torch.nn.init.orthogonal_(torch.empty(fan_out, fan_in), gain, generator=generator)
            pieces += [weight.flatten(), torch.zeros(fan_out)]
        return torch.cat([*pieces, torch.full((self.free,), self.free_init)])

    def split(self, theta: Array) -> tuple[list[tuple[Array, Array]], Array]:
        """Views of theta [..., P]: (W [..., out, in], b [..., 1, out]) of each layer, and free [..., 1, free]."""
        layers, start = [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            end = start + fan_in * fan_out
            weight = theta[..., start:end].reshape(*theta.shape[:-1], fan_out, fan_in)
            start = end + fan_out
            layers.append((weight, theta[..., None, end:start]))
        return layers, theta[..., None, start : start + self.free]

    def linearize(self, theta: Tensor, x: Tensor) -> "LinearMLP":
        """f at theta [P] on inputs x [B, in]."""
        return LinearMLP(self, theta, x)

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """y [B, out + free]."""
        return LinearMLP(self, theta, x).y

    def act(self, thetas: Sequence[Tensor]) -> Act:
        """[S, N, in] -> [S, N, out + free], in numpy: at these sizes its calls cost a third of torch's."""
        (*hidden, (weight, bias)), free = self.split(side_by_side(thetas))
        activate = ACTIVATIONS[self.activation]

        def act(x: np.ndarray) -> np.ndarray:
            for inner, offset in hidden:
                z = x @ inner.swapaxes(1, 2)
                z += offset
                x = activate(z)
            y: np.ndarray = x @ weight.swapaxes(1, 2) + bias
            return np.concatenate([y, np.broadcast_to(free, (*y.shape[:2], self.free))], -1) if self.free else y

        return act


def side_by_side(thetas: Sequence[Tensor]) -> np.ndarray:
    """Rows [S, P], each begun at a cache line: a product rounds differently on other bounds, and a seed's numbers must
    not depend on its neighbours."""
    size = thetas[0].shape[0]
    rows = thetas[0].new_zeros(len(thetas), size + -size % CACHE_LINE)
    for row, theta in zip(rows, thetas, strict=True):
        row[:size] = theta
    return rows.numpy()[:, :size]


def affine(h: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """h W^T + b: [B, in], [out, in], [1, out] -> [B, out], by what is fastest for the shape.

    A narrow product runs transposed: with 2 outputs it then takes a sixth of the time (B = 2048, in = 64). A wide one
    goes to oneDNN: half the time of MKL where that has no AVX-512 kernels for the processor.
    """
    if ONEDNN and len(h) >= LONG and h.dtype == torch.float32 and min(weight.shape) >= WIDE:
        z: Tensor = torch.ops.mkldnn._linear_pointwise(h, weight, None, "none", [], "")
    else:
        z = torch.mm(weight, h.mT).mT if weight.shape[0] < NARROW else torch.mm(h, weight.mT)
    return z if bias is None else z.add_(bias)


def outer(u: Tensor, h: Tensor) -> Tensor:
    """u^T h: [B, out], [B, in] -> [out, in], with the narrow factor first, as in `affine`."""
    return torch.mm(h.mT, u).mT if h.shape[1] < u.shape[1] else torch.mm(u.mT, h)


class LinearMLP:
    """y = f(theta, x) [B, out + free], and the two products of its Jacobian J = dy/dtheta."""

    def __init__(self, mlp: MLP, theta: Tensor, x: Tensor):
        self.mlp = mlp
        layers, free = mlp.split(theta)
        *hidden, (weight, bias) = layers
        activate = ACTIVATIONS[mlp.activation]
        self.weights = [w for w, _ in layers]
        self.inputs = [x]
        for inner, offset in hidden:
            z = affine(self.inputs[-1], inner, offset)
            activate(z.numpy())
            self.inputs.append(z)
        self.y = self._join(affine(self.inputs[-1], weight, bias), free).contiguous()
        self._slopes: list[Tensor] | None = None

    def _join(self, out: Tensor, free: Tensor) -> Tensor:
        return torch.cat([out, free.expand(len(out), -1)], -1) if self.mlp.free else out

    @property
    def slopes(self) -> list[Tensor]:
        """Derivative of each hidden activation, [B, width]."""
        if self._slopes is None:
            self._slopes = [SLOPES[self.mlp.activation](h) for h in self.inputs[1:]]
        return self._slopes

    def jvp(self, v: Tensor) -> Tensor:
        """J v [B, out + free] for v [P]: the change of y along v."""
        layers, free = self.mlp.split(v)
        dy = None
        for slope, h, weight, (dweight, dbias) in zip(
            [*self.slopes, None], self.inputs, self.weights, layers, strict=True
        ):
            dz = affine(h, dweight, dbias)
            if dy is not None:
                dz += affine(dy, weight)
            dy = dz if slope is None else dz.mul_(slope)
        assert dy is not None
        return self._join(dy, free)

    def vjp(self, u: Tensor) -> Tensor:
        """J^T u [P] for u [B, out + free]: the gradient of sum(u * y) in theta."""
        width = self.mlp.sizes[-1]
        pieces = [u[:, width:].sum(0)]
        u = u[:, :width]
        for layer in reversed(range(len(self.weights))):
            weight, h = self.weights[layer], self.inputs[layer]
            pieces += [u.sum(0), outer(u, h).flatten()]
            if layer:
                u = u * weight if len(weight) == 1 else affine(u, weight.mT)
                u *= self.slopes[layer - 1]
        return torch.cat(pieces[::-1])
