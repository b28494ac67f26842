"""Each quantity that a run records of an update, on a case whose value is known by hand and is not trivial."""

import math

import pytest
import torch
from equations.learners import GIVEN_WEIGHTS, Case, make_case, make_learner
from equations.settings import make_config
from torch import Tensor

from pgbench.algorithms import load_update
from pgbench.algorithms.npg import natural_gradient_step
from pgbench.learning.advantages import Batch
from pgbench.learning.critic import fit_critic
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.distributions import Categorical, DiagonalGaussian
from pgbench.maths.networks import MLP
from pgbench.runs.records import METRICS


def parameters(network: MLP, *values: float) -> Tensor:
    """Parameters [P] that begin with these numbers; the rest are zero."""
    theta = torch.zeros(network.n_params).double()
    theta[: len(values)] = torch.tensor(values)
    return theta


def bandit(log_odds: float) -> tuple[Case, Tensor]:
    """Two actions of equal probability, drawn twice each, Phi = 3, 1, -1, -1; and theta with these log odds for the
    first. Its parameters are two weights on an observation of zero, then the two logits."""
    network = MLP((1, 2), "tanh")
    weights = torch.tensor([3.0, 1.0, -1.0, -1.0]).double()
    batch = Batch(torch.zeros(4, 1).double(), torch.tensor([0, 0, 1, 1]), weights, weights, weights)
    learner = make_learner(network, Categorical(2), parameters(network))
    return Case(learner, batch), parameters(network, 0, 0, log_odds, 0)


def test_kl_entropy_surrogate_and_norms_of_a_bandit() -> None:
    """From (1/2, 1/2) to (3/4, 1/4): log odds log 3.

    KL(old || new) = 1/2 log(2/3) + 1/2 log 2 = 1/2 log(4/3), while KL(new || old) = 3/4 log(3/2) + 1/4 log(1/2).
    Ratios 3/2 and 1/2: L gains 1/4 (1/2 (3 + 1) - 1/2 (-1 - 1)) = 3/4. Score (1/2, -1/2) or its negative:
    g = 1/4 (3 + 1 + 1 + 1) (1/2, -1/2) = (3/4, -3/4), and g.d = 3/4 log 3. Entropy before the step: log 2.
    """
    case, theta = bandit(math.log(3))
    surrogate = case.surrogate
    metrics = surrogate.diagnostics(surrogate.gradient(), theta)
    expected = {
        "entropy": math.log(2),
        "kl": math.log(4 / 3) / 2,
        "surrogate_expected": 0.75 * math.log(3),
        "surrogate_obtained": 0.75,
        "gradient_norm": 0.75 * math.sqrt(2),
        "step_norm": math.log(3),
    }
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx(expected)


def test_kl_and_entropy_of_a_gaussian() -> None:
    """From N(0, 1) to N(1, 2^2): KL = log 2 + (1 + 1) / 8 - 1/2; entropy before 1/2 log(2 pi e)."""
    network = MLP((1, 1), "tanh", 1)
    zeros = torch.zeros(3).double()
    learner = make_learner(network, DiagonalGaussian(1), parameters(network))
    surrogate = Surrogate(learner, Batch(zeros[:, None], zeros[:, None], zeros, zeros, zeros))
    metrics = surrogate.diagnostics(surrogate.gradient(), parameters(network, 0, 1, math.log(2)))
    assert metrics["kl"].item() == pytest.approx(math.log(2) - 0.25)
    assert metrics["entropy"].item() == pytest.approx(0.5 * math.log(2 * math.pi * math.e))
    assert metrics["step_norm"].item() == pytest.approx(math.hypot(1, math.log(2)))


def gaussian_with_diagonal_fisher() -> tuple[Surrogate, Tensor]:
    """mean = w x + b over x = 2, -2, standard deviation 1: F = diag(4, 1, 2) for (w, b, log std), exactly.

    Actions 1 and -3 with Phi = 2, 0: the score of the first is (2 z, z, z^2 - 1) = (2, 1, 0) at w = b = 0, so
    g = (2, 1, 0).
    """
    network = MLP((1, 1), "tanh", 1)
    obs, actions = (torch.tensor([[x], [y]]).double() for x, y in ((2.0, -2.0), (1.0, -3.0)))
    weights = torch.tensor([2.0, 0.0]).double()
    learner = make_learner(network, DiagonalGaussian(1), parameters(network))
    surrogate = Surrogate(learner, Batch(obs, actions, weights, weights, weights))
    g = surrogate.gradient()
    assert g.tolist() == [2, 1, 0]
    return surrogate, g


def test_natural_norm_and_step_of_a_diagonal_fisher() -> None:
    """g.F^-1 g = 4/4 + 1/1 = 2, so the step for delta = 1/4 is sqrt(1/2 / 2) (1/2, 1, 0) = (1/4, 1/2, 0); damping 1
    makes it 4/5 + 1/2."""
    surrogate, g = gaussian_with_diagonal_fisher()
    hp = make_config("npg", delta=0.25, cg_damping=0.0, cg_iterations=10).hyperparameters
    step, metrics = natural_gradient_step(surrogate, g, hp)
    assert metrics["natural_norm"].item() == pytest.approx(2)
    assert metrics["cg_residual"].item() == pytest.approx(0, abs=1e-9)
    assert step.tolist() == pytest.approx([0.25, 0.5, 0])
    damped = make_config("npg", delta=0.25, cg_damping=1.0, cg_iterations=10).hyperparameters
    assert natural_gradient_step(surrogate, g, damped)[1]["natural_norm"].item() == pytest.approx(4 / 5 + 1 / 2)


def test_cg_residual_after_one_iteration() -> None:
    """One step from zero: x = (g.g / g.F g) g = 5/17 g with F g = (8, 1, 0); ||g - F x|| / ||g|| is
    ||(2 - 40/17, 1 - 5/17)|| / sqrt 5 = 6 sqrt 5 / 17 / sqrt 5 = 6/17."""
    surrogate, g = gaussian_with_diagonal_fisher()
    hp = make_config("npg", delta=0.25, cg_damping=0.0, cg_iterations=1).hyperparameters
    metrics = natural_gradient_step(surrogate, g, hp)[1]
    assert metrics["cg_residual"].item() == pytest.approx(6 / 17)
    assert metrics["natural_norm"].item() == pytest.approx(5 / 17 * 5)


def test_value_loss_and_explained_variance() -> None:
    """Targets -2, 0, 2, 4 and V = target/2 + 1: errors 2, 1, 0, -1, so the loss is 6/4; Var(error) is a quarter of
    Var(target), whatever the shift, and 3/4 is explained. A V that is constant explains nothing."""
    targets = torch.tensor([-2.0, 0.0, 2.0, 4.0]).double()
    case = make_case("categorical", size=4)
    for v, loss, explained in ((targets / 2 + 1, 6 / 4, 3 / 4), (torch.ones(4).double(), (9 + 1 + 1 + 9) / 4, 0.0)):
        batch = Batch(case.batch.obs, case.batch.actions, targets, targets, v)
        _, metrics = fit_critic(case.learner, batch, make_config("vpg", critic_steps=1))
        assert metrics["value_loss"].item() == pytest.approx(loss)
        assert metrics["explained_variance"].item() == pytest.approx(explained)


def test_line_search_steps_and_rejections_of_an_update() -> None:
    """The bandit's x = F^-1 g = 2 g, g.x = 9/4, so for delta = 2 the step moves the log odds by z = 4.

    L gains 3/2 tanh(z / 2) where the linear prediction is 3/4 z. Asking for 0.6 of it refuses z = 4 (0.48) and takes
    z = 2 (0.76) after one backtrack by alpha = 1/2, at a KL of log cosh 1; asking for 0.95 also refuses z = 2 and
    z = 1 (0.92), and with L = 2 the step is rejected.
    """
    case, _ = bandit(0.0)
    keys = {"delta": 2.0, "cg_damping": 0.0, "line_search_shrink": 0.5, "line_search_steps": 2, **GIVEN_WEIGHTS}
    config = make_config("trpo", line_search_accept=0.6, **keys)
    update = load_update(config)
    new, metrics = update(case.learner, case.rollout, config)
    expected = {
        "line_search_steps": 1,
        "line_search_accepted": 1,
        "kl": math.log(math.cosh(1)),
        "surrogate_expected": 0.75 * 2,
        "surrogate_obtained": 1.5 * math.tanh(1),
        "natural_norm": 9 / 4,
        "step_norm": math.sqrt(2),
    }
    assert {name: float(metrics[name]) for name in expected} == pytest.approx(expected)
    assert (new.theta[2] - new.theta[3]).item() == pytest.approx(2)

    same, metrics = update(case.learner, case.rollout, make_config("trpo", line_search_accept=0.95, **keys))
    assert torch.equal(same.theta, case.theta)
    expected = {"line_search_steps": 3, "line_search_accepted": 0, "kl": 0, "surrogate_obtained": 0, "step_norm": 0}
    assert {name: float(metrics[name]) for name in expected} == expected


def test_every_algorithm_records_its_metrics() -> None:
    """What an update returns is what `METRICS` documents, and each is one number."""
    case = make_case("categorical")
    progress = {"iteration", "env_steps", "episodes", "episode_return", "episode_length"}
    critic = {"value_loss", "explained_variance"}
    natural = {"cg_residual", "natural_norm"}
    search = {"line_search_steps", "line_search_accepted"}
    for algorithm, more in (("reinforce", set()), ("vpg", set()), ("npg", natural), ("trpo", natural | search)):
        config = make_config(algorithm, baseline="learned")
        _, metrics = load_update(config)(case.learner, case.rollout, config)
        assert metrics.keys() == METRICS.keys() - progress - critic - natural - search | critic | more
        assert all(torch.as_tensor(value).shape == () for value in metrics.values())
