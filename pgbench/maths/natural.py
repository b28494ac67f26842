"""The natural gradient: Fisher-vector products, conjugate gradient, step and line search.

Vectors are [P]. g is the policy gradient, F the Fisher matrix, c the damping.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pgbench.maths.distributions import Distribution
from pgbench.maths.networks import Linear


def dot(a: Tensor, b: Tensor) -> Tensor:
    """a . b: [P], [P] -> []."""
    return (a * b).sum()


def fisher_vector_product(policy: Linear, distribution: Distribution) -> Callable[[Tensor], Tensor]:
    """v -> F v [P], F = E_s[J^T M J] the Hessian of the mean KL at theta_k.

    Slides, "Computing the Natural Gradient".

    J is the Jacobian of the distribution's parameters y, M their Fisher information: the Gauss-Newton form, exact here
    because the gradient of the KL in y vanishes at theta_k. `policy` is linearised at theta_k on the batch's states.
    """
    metric, size = distribution.fisher(policy.y), len(policy.y)
    return lambda v: policy.vjp(metric(policy.jvp(v))) / size


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], b: Tensor, iterations: int, tolerance: float = 1e-10
) -> tuple[Tensor, Tensor]:
    """x [P] with A x = b for positive definite A, given v -> A v; and ||b - A x|| / ||b||.

    Stops when the squared residual falls to `tolerance` times that of b, or p.Ap below the smallest normal number: of a
    gradient of 1e-20, as a policy without any doubt has it, float32 leaves no direction. Source: Hestenes and Stiefel
    1952.
    """
    x = torch.zeros_like(b)
    r = p = b
    rr = start = dot(b, b)
    for _ in range(iterations):
        if not rr > tolerance * start:
            break
        ap = product(p)
        curvature = dot(p, ap)
        if curvature < torch.finfo(b.dtype).tiny and curvature.isfinite():
            break
        alpha = rr / curvature
        x = torch.addcmul(x, alpha, p)
        r = torch.addcmul(r, alpha, ap, value=-1)
        rr_next = dot(r, r)
        p = torch.addcmul(r, rr_next / rr, p)
        rr = rr_next
    return x, (rr / start).sqrt() if start > 0 else start


def natural_step(x: Tensor, g: Tensor, delta: float) -> Tensor:
    """sqrt(2 delta / g.x) x with x = F^-1 g (slides, Algorithm 2, line 7): the step of KL delta to second order.

    [P] -> [P]; zero where g.x is not positive, or so small that no number is the step's length.
    """
    gx = dot(g, x)
    scale = (2 * delta / gx).sqrt()  # not finite in each of these cases
    return scale * x if scale.isfinite() else torch.zeros_like(x)


def line_search(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    theta: Tensor,
    step: Tensor,
    expected: Tensor,
    *,
    delta: float,
    backtracks: int,
    shrink: float,
    accept: float,
) -> tuple[Tensor, bool, int]:
    """Backtracking line search (slides, Algorithm 3): theta + alpha^i step for the first i in 0..L whose surrogate
    improves by at least accept * alpha^i * expected at KL <= delta; theta itself where all fail.

    `evaluate(candidate)` gives improvement and KL; `expected` is g . step, so that accept = 0 is the slides' test
    L >= 0. Returns theta_k+1 [P], whether a step was accepted, and i (L + 1 where none was).
    """
    for i in range(backtracks + 1):
        scale = shrink**i
        candidate = theta + scale * step
        improvement, kl = evaluate(candidate)
        if improvement >= accept * scale * expected and kl <= delta:
            return candidate, True, i
    return theta, False, backtracks + 1
