"""The natural gradient: Fisher-vector products, conjugate gradient, step and line search, for all seeds at once.

Vectors are rows [S, P]; a dot product is within a row. g is the policy gradient, F the Fisher matrix, c the damping.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pgbench.distributions import Distribution
from pgbench.networks import Linearized


def dot(a: Tensor, b: Tensor) -> Tensor:
    """a . b within each row: [S, P], [S, P] -> [S]."""
    return (a * b).sum(-1)


def fisher_vector_product(policy: Linearized, distribution: Distribution) -> Callable[[Tensor], Tensor]:
    """v -> F v [S, P], F = E_s[J^T M J] the Hessian of the mean KL at theta_k.

    Slides, "Computing the Natural Gradient".

    J is the Jacobian of the distribution's parameters y, M their Fisher information: the Gauss-Newton form, exact here
    because the gradient of the KL in y vanishes at theta_k. `policy` is linearised at theta_k on the batch's states.
    """
    metric, size = distribution.fisher(policy.y), policy.y.shape[1]
    return lambda v: policy.vjp(metric(policy.jvp(v))) / size


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], b: Tensor, iterations: int, tolerance: float = 1e-10
) -> tuple[Tensor, Tensor]:
    """x [S, P] with A x = b for positive definite A, given v -> A v; and ||b - A x|| / ||b|| [S].

    A row stops when its squared residual falls to `tolerance` times that of its b, and the rest go on.
    Source: Hestenes and Stiefel 1952.
    """
    x = torch.zeros_like(b)
    r, p = b.clone(), b.clone()
    rr = start = dot(r, r)
    for _ in range(iterations):
        going = rr > tolerance * start
        if not going.any():
            break
        ap = product(p)
        step = torch.where(going, rr / dot(p, ap), 0.0)
        x = torch.addcmul(x, step[:, None], p)
        r = torch.addcmul(r, step[:, None], ap, value=-1)
        rr_next = torch.where(going, dot(r, r), rr)
        # A row that has stopped may have rr = 0, and 0 / 0 would spread into its x.
        p = torch.addcmul(r, torch.where(going, rr_next / rr, 0.0)[:, None], p)
        rr = rr_next
    return x, torch.where(start > 0, (rr / start).sqrt(), 0.0)


def natural_step(x: Tensor, g: Tensor, delta: float) -> Tensor:
    """sqrt(2 delta / g.x) x with x = F^-1 g (slides, Algorithm 2, line 7): the step of KL delta to second order.

    [S, P] -> [S, P]; zero in a row where g.x is not positive.
    """
    gx = dot(g, x)[:, None]
    return torch.where(gx > 0, (2 * delta / gx).sqrt() * x, 0.0)


def line_search(
    evaluate: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    theta: Tensor,
    step: Tensor,
    expected: Tensor,
    *,
    delta: float,
    backtracks: int,
    shrink: float,
    accept: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Backtracking line search (slides, Algorithm 3): the first i in 0..L for which theta + alpha^i step has
    surrogate improvement >= accept * alpha^i * expected and KL <= delta.

    `evaluate(rows, candidate)` gives improvement and KL of candidate rows; `expected` [S] is g . step, so that
    accept = 0 is the slides' test L >= 0. Returns theta_k+1 [S, P] (theta itself, bit for bit, in a row where all
    fail), accepted [S] and i [S] (L + 1 where all fail).
    """
    new = theta.clone()
    tries = torch.full((len(theta),), backtracks + 1)
    pending = torch.arange(len(theta))
    for i in range(backtracks + 1):
        scale = shrink**i
        candidate = theta[pending] + scale * step[pending]
        improvement, kl = evaluate(pending, candidate)
        good = (improvement >= accept * scale * expected[pending]) & (kl <= delta)
        new[pending[good]] = candidate[good]
        tries[pending[good]] = i
        pending = pending[~good]
        if not len(pending):
            break
    return new, (tries <= backtracks).long(), tries
