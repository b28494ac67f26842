"""The KL divergence between policies, its expansion, and the Fisher matrix (slides, "Measuring Dissimilarities" to
"Computing the Natural Gradient", and the appendix)."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from equations.learners import KINDS, Case, make_case, make_cases
from equations.textbook import distribution as torch_distribution
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from pgbench.learning.advantages import Batch
from pgbench.maths.distributions import Categorical, DiagonalGaussian, Distribution
from pgbench.maths.natural import fisher_vector_product

DISTRIBUTIONS: dict[str, Distribution] = {"categorical": Categorical(4), "gaussian": DiagonalGaussian(2)}


def parameters(size: int = 4) -> st.SearchStrategy[Tensor]:
    """y: four logits, or two means and two log standard deviations."""
    return arrays(np.float64, size, elements=st.floats(-3, 3)).map(torch.from_numpy)


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def actions_and_weights(kind: str, y: Tensor) -> tuple[Tensor, Tensor]:
    """Actions [K] or [K, 2] and weights [K] whose sum is the expectation under pi(.; y): all of a categorical's, or
    Gauss and Hermite's nodes, exact for polynomials of degree 13 in each dimension."""
    if kind == "categorical":
        return torch.arange(4), y.softmax(-1)
    nodes, w = np.polynomial.hermite_e.hermegauss(7)
    grid = torch.tensor(list(product(nodes, nodes)), dtype=torch.float64)
    weights = torch.tensor([a * b for a, b in product(w, w)], dtype=torch.float64) / (2 * np.pi)
    mean, log_std = y.chunk(2)
    return mean + log_std.exp() * grid, weights


@pytest.mark.parametrize("kind", KINDS)
@given(old=parameters(), new=parameters())
def test_kl_is_the_expected_log_ratio(kind: str, old: Tensor, new: Tensor) -> None:
    """KL(p || q) = E_p[log p - log q] >= 0, and not its reverse."""
    pi = DISTRIBUTIONS[kind]
    a, w = actions_and_weights(kind, old)
    ratio = pi.log_prob(old.expand(len(a), -1), a) - pi.log_prob(new.expand(len(a), -1), a)
    close(pi.kl(old, new), (w * ratio).sum(), 1e-8)
    assert pi.kl(old, new) >= -1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_kl_is_not_symmetric(kind: str) -> None:
    """KL(p || q) differs from KL(q || p): a test above sees arguments that are swapped."""
    pi = DISTRIBUTIONS[kind]
    p, q = torch.tensor([[0.0, 1.0, -1.0, 0.5], [2.0, 0.0, 1.0, -0.5]]).double()
    assert abs(pi.kl(p, q) - pi.kl(q, p)) > 0.1


@pytest.mark.parametrize("kind", KINDS)
@given(y=parameters())
def test_log_prob_entropy_and_kl_agree_with_torch(kind: str, y: Tensor) -> None:
    """log pi, H and KL against torch.distributions."""
    pi, theirs = DISTRIBUTIONS[kind], torch_distribution(y, kind == "categorical")
    a, w = actions_and_weights(kind, y)
    log_pi = pi.log_prob(y.expand(len(a), -1), a)
    close(log_pi, theirs.log_prob(a))
    close(pi.entropy(y), theirs.entropy())
    close(pi.entropy(y), -(w * log_pi).sum(), 1e-8)
    other = y.flip(0)
    their_kl = torch.distributions.kl_divergence(theirs, torch_distribution(other, kind == "categorical"))
    close(pi.kl(y, other), their_kl)


@pytest.mark.parametrize("kind", KINDS)
@given(y=parameters())
def test_expected_score_is_zero(kind: str, y: Tensor) -> None:
    """E[grad log p] = grad of the integral of p = 0 (slides, appendix); the score is the gradient of log_prob."""
    pi = DISTRIBUTIONS[kind]
    a, w = actions_and_weights(kind, y)
    rows = y.expand(len(a), -1).clone().requires_grad_()
    score = torch.autograd.grad(pi.log_prob(rows, a).sum(), rows)[0]
    close(pi.score(y.expand(len(a), -1), a), score)
    assert (w @ pi.score(y.expand(len(a), -1), a)).abs().max() < 1e-9


@pytest.mark.parametrize("kind", KINDS)
@given(y=parameters(), dy=parameters())
def test_fisher_is_the_expected_outer_product_of_scores_and_the_hessian_of_kl(kind: str, y: Tensor, dy: Tensor) -> None:
    """M = E[score score^T] = -E[hessian of log p] = hessian of KL(y || .) at y."""
    pi = DISTRIBUTIONS[kind]
    a, w = actions_and_weights(kind, y)
    score = pi.score(y.expand(len(a), -1), a)
    m_dy = pi.fisher(y)(dy)
    close(m_dy, torch.einsum("k,ki,kj,j->i", w, score, score, dy), 1e-7)
    kl_hessian = torch.autograd.functional.hessian(lambda new: pi.kl(y, new), y)
    close(m_dy, kl_hessian @ dy, 1e-7)
    minus_log = torch.autograd.functional.hessian(lambda new: -(w * pi.log_prob(new.expand(len(a), -1), a)).sum(), y)
    close(m_dy, minus_log @ dy, 1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_mean_kl_is_zero_with_zero_gradient_at_theta_k(kind: str) -> None:
    """D(theta_k || theta_k) = 0 and its gradient in the second argument vanishes there."""
    for case in make_cases(kind):
        improvement, kl = case.surrogate.evaluate(case.theta)
        assert kl.abs() < 1e-15
        assert improvement.abs() < 1e-15
        assert torch.autograd.functional.jacobian(case.kl, case.theta).abs().max() < 1e-15


@pytest.mark.parametrize("kind", KINDS)
def test_mean_kl_is_the_mean_over_states_of_the_divergence(kind: str) -> None:
    """Surrogate.evaluate's KL against torch.distributions, old policy first."""
    for case in make_cases(kind):
        theta = case.theta + 0.5 * torch.randn(case.theta.shape, generator=torch.manual_seed(0)).double()
        _, kl = case.surrogate.evaluate(theta)
        assert kl > 0.01
        close(kl, case.kl(theta))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("hidden", "activation"), [((4,), "tanh"), ((), "tanh"), ((4, 3), "elu"), ((5,), "relu"), ((17, 2), "tanh")]
)
def test_fisher_vector_product_is_the_hessian_of_the_mean_kl(
    kind: str, hidden: tuple[int, ...], activation: str
) -> None:
    """F = hessian of D(theta_k || theta) at theta_k, by autograd."""
    for case in make_cases(kind, hidden=hidden, activation=activation):
        close(case.fisher(), torch.autograd.functional.hessian(case.kl, case.theta))


@pytest.mark.parametrize("kind", KINDS)
def test_fisher_matrix_is_the_expected_outer_product_of_scores(kind: str) -> None:
    """F = E_s E_a[grad log pi grad log pi^T], with the expectation over actions a sum (or exact quadrature)."""
    case = make_case(kind)
    expected = torch.zeros_like(case.fisher())
    y = case.surrogate.linear.y
    for b in range(len(y)):
        if kind == "categorical":
            actions, weights = torch.arange(3), y[b].softmax(-1)
        else:
            actions, weights = actions_and_weights(kind, y[b])
        for a, w in zip(actions, weights, strict=True):
            expected += w / len(y) * torch.outer(*[score(case, b, a)] * 2)
    close(case.fisher(), expected)


def score(case: Case, b: int, action: Tensor) -> Tensor:
    """grad_theta log pi(action | s_b) [P]: the gradient of a batch of one with weight one."""
    one = replace(case.batch, obs=case.batch.obs[b : b + 1], actions=action[None], weights=torch.ones(1).double())
    return replace(case, batch=one).surrogate.gradient()


@pytest.mark.parametrize("kind", KINDS)
def test_four_ways_to_a_fisher_vector_product_agree(kind: str) -> None:
    """F v in closed form = double backward = double vjp (a jvp from two vjps) = the explicit matrix times v."""
    for case in make_cases(kind):
        v = torch.randn(case.theta.shape, generator=torch.manual_seed(1)).double()
        closed = fisher_vector_product(case.surrogate.linear, case.learner.distribution)(v)

        x = case.theta.clone().requires_grad_()
        gradient = torch.autograd.grad(case.kl(x), x, create_graph=True)[0]
        close(closed, torch.autograd.grad(gradient @ v, x)[0])

        y = case.y(x)
        dummy = torch.zeros_like(y).requires_grad_()
        vjp = torch.autograd.grad(y, x, dummy, create_graph=True)[0]  # J^T u, linear in u
        jv = torch.autograd.grad(vjp, dummy, v, retain_graph=True)[0]  # its derivative in u: J v
        metric = case.learner.distribution.fisher(y.detach())(jv) / len(y)
        close(closed, torch.autograd.grad(y, x, metric)[0])

        close(closed, torch.autograd.functional.hessian(case.kl, case.theta) @ v)
        close(closed, case.fisher() @ v)


@pytest.mark.parametrize("kind", KINDS)
def test_products_of_a_wide_network_in_float32(kind: str) -> None:
    """What training runs, in float32 and with the kernels its shapes choose, is F v and g of the same in float64."""
    for exact in make_cases(kind, size=300, hidden=(64, 64)):
        exact = replace(exact, learner=replace(exact.learner, theta=0.3 * exact.theta))
        batch = {name: x.float() if x.is_floating_point() else x for name, x in vars(exact.batch).items()}
        single = Case(replace(exact.learner, theta=exact.theta.float()), Batch(**batch))
        v = torch.randn(exact.theta.shape, generator=torch.manual_seed(1)).double()
        products = [
            fisher_vector_product(case.surrogate.linear, case.learner.distribution)(v.to(case.theta.dtype))
            for case in (single, exact)
        ]
        for mine, theirs in (products, (single.surrogate.gradient(), exact.surrogate.gradient())):
            assert mine.dtype == torch.float32
            assert (mine - theirs).norm() / theirs.norm() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_second_order_expansion_of_kl(kind: str) -> None:
    """D(theta_k || theta_k + e d) = e^2/2 d.F d + O(e^3): the error divided by e^2 goes to zero like e."""
    case = make_case(kind)
    d = torch.randn(case.theta.shape, generator=torch.manual_seed(2)).double()
    quadratic = 0.5 * d @ case.fisher() @ d
    errors = [
        (case.surrogate.evaluate(case.theta + e * d)[1] / e**2 / quadratic - 1).abs().item() for e in (1e-2, 1e-3)
    ]
    assert errors[0] < 0.1
    assert 5 < errors[0] / errors[1] < 20
