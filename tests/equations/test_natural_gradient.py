"""Conjugate gradient, the natural step and what it solves (slides, "Natural Policy Gradient")."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from equations.learners import KINDS, Case, make_case, make_cases
from equations.settings import make_config
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from pgbench.algorithms.npg import natural_gradient_step
from pgbench.maths.distributions import Categorical
from pgbench.maths.natural import conjugate_gradient, dot, natural_step

DELTA = 0.01


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@dataclass(frozen=True)
class System:
    """A positive definite matrix A [P, P], far from diagonal, and a right side b [P]."""

    a: Tensor
    b: Tensor

    def product(self, v: Tensor) -> Tensor:
        return self.a @ v

    @property
    def solution(self) -> Tensor:
        return torch.linalg.solve(self.a, self.b)


@st.composite
def systems(draw: st.DrawFn) -> System:
    p = draw(st.integers(1, 6))
    numbers = st.floats(-2, 2, width=32)
    root = torch.from_numpy(draw(arrays(np.float64, (p, p), elements=numbers)))
    b = torch.from_numpy(draw(arrays(np.float64, p, elements=numbers)))
    return System(root.mT @ root + torch.eye(p).double(), b)


@given(systems())
def test_conjugate_gradient_solves_the_system(system: System) -> None:
    """x = A^-1 b after P iterations, against a factorisation."""
    x, residual = conjugate_gradient(system.product, system.b, 3 * len(system.b), tolerance=0.0)
    close(x, system.solution)
    assert residual < 1e-8


@given(systems())
def test_conjugate_gradient_reports_its_residual(system: System) -> None:
    """||b - A x|| / ||b|| after too few iterations, by the definition."""
    x, residual = conjugate_gradient(system.product, system.b, 2, tolerance=0.0)
    norm = system.b.norm()
    close(residual, (system.b - system.product(x)).norm() / (norm if norm > 0 else 1.0))


@given(systems())
def test_conjugate_gradient_stops_where_the_residual_is_small_enough(system: System) -> None:
    """More iterations than it needs change nothing, and b = 0 gives x = 0 without one product."""
    many, few = (conjugate_gradient(system.product, system.b, 7 * k, tolerance=1e-20) for k in (10, 20))
    assert torch.equal(many[0], few[0])
    assert many[1] < 1e-8

    def never(v: Tensor) -> Tensor:
        raise AssertionError("there is nothing to solve")

    x, residual = conjugate_gradient(never, torch.zeros_like(system.b), 4)
    assert (x == 0).all()
    assert residual == 0


@pytest.mark.parametrize("damping", [1e-3, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("exponent", range(-24, -15))
def test_conjugate_gradient_ends_where_float32_ends(exponent: int, damping: float) -> None:
    """A policy without any doubt has a gradient whose products underflow: a step of KL delta or none, instead of
    0 / 0, infinity, or one of another length."""
    g, delta = torch.full((3,), 10.0**exponent), 0.01
    x, residual = conjugate_gradient(lambda v: damping * v, g, 10)
    assert torch.isfinite(residual)
    step = natural_step(x, g, delta)
    if (step != 0).any():
        torch.testing.assert_close(0.5 * damping * dot(step, step), torch.tensor(delta), rtol=1e-3, atol=0)


def test_conjugate_gradient_lets_what_is_not_finite_be_seen() -> None:
    for wrong in (float("nan"), float("inf"), -float("inf")):
        _, residual = conjugate_gradient(lambda v, wrong=wrong: v * wrong, torch.ones(3), 10)  # type: ignore[misc]
        assert not torch.isfinite(residual)


@given(systems(), st.floats(1e-4, 1.0), st.integers(0, 2**32 - 1))
def test_natural_step_solves_the_quadratic_problem(system: System, delta: float, seed: int) -> None:
    """max g.d subject to 1/2 d.F d <= delta. KKT: the constraint is active, g = mu F d with mu >= 0; and no other
    feasible direction gains more."""
    assume(system.b.norm() > 1e-3)
    g, d = system.b, natural_step(system.solution, system.b, delta)
    fd = system.a @ d
    close(0.5 * d @ fd, torch.tensor(delta, dtype=torch.float64))
    multiplier = g @ d / (2 * delta)
    assert multiplier > 0
    close(multiplier * fd, g, 1e-7)
    others = torch.randn(50, len(fd), generator=torch.manual_seed(seed)).double()
    size = torch.einsum("kp,pq,kq->k", others, system.a, others)
    others *= (2 * delta / size).sqrt()[:, None]
    assert (others @ g <= g @ d * (1 + 1e-9)).all()


def test_natural_step_of_a_zero_gradient_is_zero() -> None:
    """No direction improves, so none is taken, rather than 0 / 0."""
    for g, step in (([0.0, 0.0], [0.0, 0.0]), ([1.0, 0.0], [0.2, 0.0])):
        assert natural_step(torch.tensor(g), torch.tensor(g), 0.02).tolist() == pytest.approx(step)


@pytest.mark.parametrize("kind", KINDS)
def test_algorithm_2_step_is_the_closed_form(kind: str) -> None:
    """d = sqrt(2 delta / g.x) x, x = (F + c I)^-1 g, from explicit matrices; g.x is recorded as natural_norm."""
    hp = make_config("npg", delta=DELTA, cg_iterations=200, cg_damping=0.1).hyperparameters
    for case in make_cases(kind):
        surrogate = case.surrogate
        g = surrogate.gradient()
        x = torch.linalg.solve(case.fisher() + 0.1 * torch.eye(len(g)).double(), g)
        step, metrics = natural_gradient_step(surrogate, g, hp)
        close(step, (2 * DELTA / dot(g, x)).sqrt() * x, 1e-4)
        close(metrics["natural_norm"], dot(g, x), 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_step_of_delta_moves_the_policy_by_a_kl_of_delta(kind: str) -> None:
    """D(theta_k || theta_k + d) = delta + O(delta^1.5): sqrt(2 delta), not sqrt(delta)."""
    hp = make_config("npg", delta=1e-6, cg_iterations=200, cg_damping=0.0).hyperparameters
    for case in make_cases(kind, hidden=(), size=50):
        surrogate = case.surrogate
        step, _ = natural_gradient_step(surrogate, surrogate.gradient(), hp)
        _, kl = surrogate.evaluate(case.theta + step)
        torch.testing.assert_close(kl, torch.full_like(kl, 1e-6), rtol=0.02, atol=0)


def psi(xi: Tensor, mix: Tensor) -> Tensor:
    """A smooth invertible map of parameters: theta = psi(xi)."""
    return xi @ mix + 0.3 * torch.sin(xi) + 0.1 * xi**3


def relative_gap(case: Case, xi: Tensor, mix: Tensor, size: float, natural: bool) -> float:
    """How far the policies end apart after a step in theta and one in xi, in units of the step in theta."""
    jacobian = torch.autograd.functional.jacobian(lambda x: psi(x, mix), xi)
    g = case.surrogate.gradient()
    g_xi = jacobian.T @ g
    if natural:
        fisher = case.fisher()
        fisher_xi = jacobian.T @ fisher @ jacobian
        step, step_xi = (natural_step(torch.linalg.solve(f, x), x, size) for f, x in ((fisher, g), (fisher_xi, g_xi)))
    else:
        step, step_xi = size**0.5 * g, size**0.5 * g_xi
    moved = psi(xi + step_xi, mix) - psi(xi, mix)
    return float((moved - step).norm() / step.norm())


def test_natural_step_is_invariant_to_a_reparametrisation_and_the_vanilla_step_is_not() -> None:
    """With theta = psi(xi), g_xi = J^T g and F_xi = J^T F J, both natural steps lead to the same policy up to
    O(step^2): a hundredth of delta brings them ten times nearer, relative to the step. Vanilla steps stay apart."""
    case = make_case("gaussian", hidden=(), size=30)
    theta, size = case.theta, len(case.theta)
    mix = torch.eye(size).double() + 0.2 * torch.randn(size, size, generator=torch.manual_seed(3)).double()
    xi = torch.from_numpy(np.random.default_rng(0).normal(size=size))
    for _ in range(100):  # Newton: psi(xi) = theta
        jacobian = torch.autograd.functional.jacobian(lambda x: psi(x, mix), xi)
        xi = xi - torch.linalg.solve(jacobian, psi(xi, mix) - theta)
    close(psi(xi, mix), theta)
    large, small = (relative_gap(case, xi, mix, delta, natural=True) for delta in (1e-4, 1e-6))
    assert 9 < large / small < 11
    assert small < 1e-3
    for delta in (1e-4, 1e-6, 1e-8):
        assert relative_gap(case, xi, mix, delta, natural=False) > 0.3


def test_same_parameter_distance_is_not_the_same_policy_distance() -> None:
    """pi_theta(a = 1) = sigmoid(theta), the slides' family: a step of one changes the policy by a KL that differs a
    hundredfold along theta, and the second-order KL, step^2 pi (1 - pi) / 2, says so."""
    pi = Categorical(2)
    theta = torch.tensor([0.0, 6.0]).double()
    y = torch.stack([torch.zeros(2).double(), theta], -1)
    moved = torch.stack([torch.zeros(2).double(), theta - 1], -1)
    kl = pi.kl(y, moved)
    assert kl[0] / kl[1] > 20
    dy = torch.tensor([[0.0, -1.0]] * 2).double()
    p = theta.sigmoid()
    close((dy * pi.fisher(y)(dy)).sum(-1), p * (1 - p))


@given(systems(), st.floats(1e-4, 1.0))
def test_step_in_parameter_space_is_along_the_gradient(system: System, epsilon: float) -> None:
    """max g.d subject to ||d|| <= epsilon is d = epsilon g / ||g||: the natural step of F = I with delta = epsilon^2/2,
    what a constraint in parameters makes of it, whatever the policies."""
    assume(system.b.norm() > 1e-3)
    g = system.b
    close(natural_step(g, g, epsilon**2 / 2), epsilon * g / g.norm())
