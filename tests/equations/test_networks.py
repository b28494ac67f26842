"""The network, its two faces (acting in numpy, learning in torch) and its Jacobian: against textbook and autograd."""

import numpy as np
import pytest
import torch
from equations import textbook
from equations.learners import random_parameters

from pgbench.maths.networks import MLP

SHAPES = [((3, 2), "tanh", 0), ((3, 5, 2), "tanh", 2), ((2, 7, 4, 1), "elu", 1), ((4, 40, 33, 3), "relu", 0)]


@pytest.mark.parametrize(("sizes", "activation", "free"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_acting_and_learning_see_the_same_network(
    sizes: tuple[int, ...], activation: str, free: int, dtype: torch.dtype
) -> None:
    """y = f(theta, x), biases and free outputs included: `act` of several seeds, `__call__` of each, and the
    textbook's."""
    rng = np.random.default_rng(0)
    network = MLP(sizes, activation, free)
    thetas = [random_parameters(network, rng).to(dtype) for _ in range(3)]
    x = torch.from_numpy(rng.normal(size=(3, 6, sizes[0]))).to(dtype)
    acted = torch.from_numpy(network.act(thetas)(x.numpy()))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for theta, inputs, y in zip(thetas, x, acted, strict=True):
        expected = textbook.network(network, theta, inputs)
        torch.testing.assert_close(network(theta, inputs), expected, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(y, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("sizes", "activation", "free"), SHAPES)
def test_products_of_the_jacobian_are_those_of_autograd(sizes: tuple[int, ...], activation: str, free: int) -> None:
    """J v and J^T u with the explicit J = dy/dtheta."""
    rng = np.random.default_rng(1)
    network = MLP(sizes, activation, free)
    theta, v = random_parameters(network, rng), random_parameters(network, rng)
    x, u = (torch.from_numpy(rng.normal(size=(6, width))) for width in (sizes[0], sizes[-1] + free))
    jacobian = torch.autograd.functional.jacobian(lambda at: textbook.network(network, at, x), theta)
    linear = network.linearize(theta, x)
    torch.testing.assert_close(linear.jvp(v), jacobian @ v)
    torch.testing.assert_close(linear.vjp(u), torch.einsum("bd,bdp->p", u, jacobian))


def test_initial_parameters() -> None:
    """Orthogonal weights of gain sqrt 2, and `out_gain` in the last layer; no biases; free outputs at `free_init`."""
    network = MLP((3, 8, 2), "tanh", 2, 0.01, -0.5)
    theta = network.init(np.random.default_rng(0))
    assert len(theta) == network.n_params == 4 * 8 + 9 * 2 + 2
    ((first, bias), (last, offset)), free = network.split(theta)
    torch.testing.assert_close(first.T @ first, 2 * torch.eye(3))
    torch.testing.assert_close(last @ last.T, 0.01**2 * torch.eye(2))
    assert not bias.any()
    assert not offset.any()
    assert free.tolist() == [[-0.5, -0.5]]
