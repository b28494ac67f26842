"""The four algorithms, whole: two updates of each against the textbook's (tests/equations/textbook.py), for both kinds
of policy; and their parts, Adam and the critic's fit, against torch.optim and autograd."""

from copy import deepcopy
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
import torch
from equations import textbook
from equations.learners import GIVEN_WEIGHTS, KINDS, make_case, make_cases, random_parameters
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st

from pgbench.algorithms import load_update
from pgbench.algorithms.npg import natural_gradient_step
from pgbench.config import Config
from pgbench.experience.collector import Collector
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import estimate
from pgbench.learning.critic import fit_critic
from pgbench.learning.learner import Learner, initial_learner
from pgbench.maths.natural import conjugate_gradient
from pgbench.maths.optimizers import Adam
from pgbench.runs.trainer import Trainer

ENVS = {"categorical": "cartpole", "gaussian": "pendulum"}
SMALL = {"n_envs": 2, "n_steps": 30, "hidden": (6,), "critic_hidden": (5,), "critic_steps": 4}
WIDE = {"hidden": (64, 64), "critic_hidden": (64, 64)}


def setting(algorithm: str, kind: str, **changes: object) -> Config:
    """Small networks, episodes of at most 12 steps, and enough conjugate gradient iterations to solve the system."""
    config = make_config(algorithm, ENVS[kind], **{**SMALL, "cg_iterations": 200, "cg_damping": 0.05, **changes})
    return replace(config, env=replace(config.env, kwargs={"max_episode_steps": 12}))


SEEDS = range(5)


def collect(config: Config, number: int) -> tuple[Learner, Rollout, Rollout]:
    """A fresh learner, with a first layer worth having, and two rollouts of its policy."""
    seed = np.random.SeedSequence(number)
    collector, rng = Collector(config, [seed]), np.random.default_rng(seed)
    learner = initial_learner(config, collector.envs.obs.shape[-1], collector.envs.actions, rng, rng)
    learner = replace(learner, theta=learner.theta + 0.3 * random_parameters(learner.network, rng).float())
    network = learner.network.act([learner.theta])
    # Copies: the second collection writes into the first one's buffers.
    first, second = (
        deepcopy(collector.collect(network, learner.distribution, np.ones(1, bool))[0][0]) for _ in range(2)
    )
    collector.close()
    return learner, first, second


def to_float64(rollout: Rollout) -> Rollout:
    arrays = {field.name: getattr(rollout, field.name) for field in fields(rollout)}
    return Rollout(**{name: x.astype(np.float64) if x.dtype == np.float32 else x for name, x in arrays.items()})


def double(learner: Learner) -> Learner:
    return learner.with_tensors({name: x.double() for name, x in learner.tensors().items()})


CASES = {
    "reinforce": ("reinforce", {}),
    "reinforce, batch mean": ("reinforce", {"baseline": "batch_mean", "optimizer": "sgd"}),
    "reinforce, critic": ("reinforce", {"baseline": "learned", "gamma": 0.9}),
    "vpg": ("vpg", {}),
    "vpg, wide": ("vpg", {**WIDE, "activation": "elu", "critic_activation": "relu"}),
    "vpg, lambda-return": ("vpg", {"critic_target": "lambda_return", "timeout": "terminal", "gae_lambda": 0.8}),
    "npg": ("npg", {}),
    "trpo": ("trpo", {"delta": 0.05}),
    "trpo, backtracks": ("trpo", {"line_search_accept": 0.9, "line_search_shrink": 0.5, "delta": 0.3}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_two_updates_are_the_textbooks_in_float64(case: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """theta_k+2 and phi_k+2 after Algorithm 1, 2 or 4 (or REINFORCE), of every learner; conjugate gradient to a
    residual of 1e-12. The textbook standardises by deviation + 1e-8, hence not closer."""
    monkeypatch.setattr(conjugate_gradient, "__defaults__", (1e-24,))
    assert max(difference_from_textbook(case, kind, seed, torch.float64) for seed in SEEDS) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_two_updates_are_the_textbooks_to_float32(case: str, kind: str) -> None:
    """The same as training computes it: in float32, with conjugate gradient that stops at a residual of 1e-5, which
    systems of condition 15 to 130, as these are, may magnify. The median of the learners: a few meet a place where
    rounding decides, a ReLU's kink, a gradient element of nearly nothing of which Adam makes a whole step, a gradient
    that nearly cancels, or one backtrack more (of 40 learners at most two a case differ by more than 2e-4)."""
    assert np.median([difference_from_textbook(case, kind, seed, torch.float32) for seed in SEEDS]) < 5e-5


@cache
def by_the_textbook(case: str, kind: str, seed: int) -> tuple[Config, Learner, list[Rollout], textbook.Textbook]:
    """A learner, two rollouts, and what the textbook makes of them."""
    algorithm, changes = CASES[case]
    config = setting(algorithm, kind, **changes)
    learner, *rollouts = collect(config, seed)
    assert any(rollout.truncated.any() for rollout in rollouts)
    theirs = textbook.Textbook(config, double(learner), kind == "categorical")
    for rollout in rollouts:
        theirs.update(to_float64(rollout))
    return config, learner, rollouts, theirs


def difference_from_textbook(case: str, kind: str, seed: int, dtype: torch.dtype) -> float:
    """The relative difference of two updates' steps of policy or critic, whichever is larger, from the textbook's.
    The update sees what its algorithm declares to read, the textbook the whole config."""
    config, learner, rollouts, theirs = by_the_textbook(case, kind, seed)
    start, update = double(learner), load_update(config)
    mine = start if dtype == torch.float64 else learner
    for rollout in rollouts:
        mine, _ = update(mine, to_float64(rollout) if dtype == torch.float64 else rollout, config.effective)
    assert mine.theta.dtype == dtype
    steps = [(mine.theta - start.theta, theirs.theta.detach() - start.theta)]
    if config.algorithm.uses_critic:
        steps.append((mine.phi - start.phi, theirs.phi.detach() - start.phi))
    return max(float((own - other).norm() / other.norm()) for own, other in steps)


@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 0.1))
def test_adam_is_torch_optim_adam(seed: int, rate: float) -> None:
    """Climbs as torch.optim.Adam with maximize=True does, for seven steps of gradients [P] of any scale."""
    rng = np.random.default_rng(seed)
    theta = torch.from_numpy(rng.normal(size=3))
    adam = Adam.zeros(theta)
    parameters = theta.clone().requires_grad_()
    theirs = torch.optim.Adam([parameters], rate, maximize=True)
    for g in torch.from_numpy(rng.normal(size=(7, 3)) * 10.0 ** rng.integers(-8, 3, size=(7, 3))):
        adam, step = adam.step(g, rate)
        theta = theta + step
        parameters.grad = g.clone()
        theirs.step()
    torch.testing.assert_close(theta, parameters.detach(), rtol=1e-10, atol=1e-12)


def test_critic_is_fitted_to_its_targets_by_adam_on_the_squared_error() -> None:
    """minimise 1/B sum (V_phi(s_t) - R_t)^2 (Algorithm 1, line 6): torch.optim.Adam on the error."""
    config = make_config("vpg", critic_steps=20, critic_learning_rate=0.01)
    for case in make_cases("categorical"):
        learner, batch = case.learner, case.batch
        fitted, metrics = fit_critic(learner, batch, config)
        phi = learner.phi.clone().requires_grad_()
        optimizer = torch.optim.Adam([phi], 0.01)
        for _ in range(20):
            optimizer.zero_grad()
            loss = (textbook.network(learner.critic, phi, batch.obs)[:, 0] - batch.targets).square().mean()
            loss.backward()
            optimizer.step()
        torch.testing.assert_close(fitted.phi, phi.detach(), rtol=1e-9, atol=1e-11)
        start = learner.critic(learner.phi, batch.obs)[:, 0]
        assert loss < (start - batch.targets).square().mean()
        assert set(metrics) == {"value_loss", "explained_variance"}


def test_critic_minibatches_are_pieces_of_random_orders() -> None:
    """critic_batch=5 of 12 transitions: torch.optim.Adam on two pieces of a permutation, then of another."""
    config = make_config("vpg", critic_steps=5, critic_batch=5, critic_learning_rate=0.01)
    case = make_case("categorical")
    learner, batch = replace(case.learner, rng=np.random.default_rng(3)), case.batch
    fitted, _ = fit_critic(learner, batch, config)
    phi = learner.phi.clone().requires_grad_()
    optimizer = torch.optim.Adam([phi], 0.01)
    rng = np.random.default_rng(3)
    pieces = [order[start : start + 5] for order in (rng.permutation(12) for _ in range(3)) for start in (0, 5)]
    for piece in pieces[:5]:
        optimizer.zero_grad()
        values = textbook.network(learner.critic, phi, batch.obs[piece])[:, 0]
        (values - batch.targets[piece]).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(fitted.phi, phi.detach(), rtol=1e-9, atol=1e-11)


def test_a_critic_batch_as_large_as_the_batch_is_the_full_batch() -> None:
    """And draws no random number."""
    case = make_case("categorical")
    full, _ = fit_critic(case.learner, case.batch, make_config("vpg", critic_steps=5))
    other, _ = fit_critic(case.learner, case.batch, make_config("vpg", critic_steps=5, critic_batch=12))
    assert torch.equal(full.phi, other.phi)


def test_no_critic_is_fitted_where_no_value_enters() -> None:
    """REINFORCE with baseline zero has no critic, and the fit leaves its learner as it is."""
    config = setting("reinforce", "categorical")
    learner, rollout, _ = collect(config, 0)
    assert learner.critic is None
    assert learner.phi.shape == (0,)
    fitted, metrics = fit_critic(learner, estimate(learner, rollout, config), config)
    assert fitted is learner
    assert metrics == {}


def test_a_linear_schedule_falls_to_zero_at_total_steps() -> None:
    """Step k of n has (1 - k / n) times learning_rate, and so have delta and the critic's."""
    config = make_config("vpg", n_envs=2, n_steps=10, optimizer="sgd", learning_rate=0.1, schedule="linear")
    trainer = Trainer(replace(config, total_steps=80), [0])
    rows = [trainer.iterate()[0][0] for _ in range(4)]
    trainer.close()
    rates = [row["step_norm"] / row["gradient_norm"] for row in rows]
    np.testing.assert_allclose(rates, [0.1, 0.075, 0.05, 0.025], rtol=1e-4)
    trpo = replace(make_config("trpo", schedule="linear"), total_steps=80)
    before, after = trpo.effective.hyperparameters, trpo.effective.at(60).hyperparameters
    assert (after.delta, after.critic_learning_rate) == (before.delta / 4, before.critic_learning_rate / 4)
    start = trpo.effective.at(0).hyperparameters
    assert (start.delta, start.critic_learning_rate) == (before.delta, before.critic_learning_rate)


@pytest.mark.parametrize(
    ("schedule", "delta_schedule", "rate", "delta"),
    [
        ("linear", "constant", 0.25, 1.0),
        ("constant", "linear", 1.0, 0.25),
        ("linear", "linear", 0.25, 0.25),
        ("constant", "constant", 1.0, 1.0),
        ("linear", None, 0.25, 0.25),
        ("constant", None, 1.0, 1.0),
    ],
)
@pytest.mark.parametrize("algorithm", ["npg", "trpo"])
def test_delta_has_a_schedule_of_its_own(
    algorithm: str, schedule: str, delta_schedule: str | None, rate: float, delta: float
) -> None:
    """Three quarters of the way: what is left of delta, and of the critic's learning rate."""
    values = {"schedule": schedule, "delta_schedule": delta_schedule}
    config = replace(make_config(algorithm, **values), total_steps=80).effective
    before, after = config.hyperparameters, config.at(60).hyperparameters
    assert after.delta == delta * before.delta
    assert after.critic_learning_rate == rate * before.critic_learning_rate


def test_vanilla_step_is_alpha_times_the_gradient() -> None:
    """theta_k+1 = theta_k + alpha g with optimizer=sgd: ascent, not descent."""
    case = make_case("gaussian")
    config = make_config("vpg", optimizer="sgd", learning_rate=0.1, **GIVEN_WEIGHTS)
    new, metrics = load_update(config)(case.learner, case.rollout, config)
    torch.testing.assert_close(new.theta, case.theta + 0.1 * case.surrogate.gradient())
    assert metrics["surrogate_expected"] > 0


def test_npg_update_is_theta_plus_the_natural_step() -> None:
    """Algorithm 2, line 7, with nothing between the step and theta."""
    case = make_case("categorical")
    config = make_config("npg", **GIVEN_WEIGHTS)
    new, _ = load_update(config)(case.learner, case.rollout, config)
    surrogate = case.surrogate
    step, _ = natural_gradient_step(surrogate, surrogate.gradient(), config.hyperparameters)
    torch.testing.assert_close(new.theta, case.theta + step)
