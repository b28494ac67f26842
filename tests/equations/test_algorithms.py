"""The four algorithms, whole: two updates of each against the textbook's (tests/equations/textbook.py), seed by seed,
for both kinds of policy; and their parts, Adam and the critic's fit, against torch.optim and autograd."""

from copy import deepcopy
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from equations import textbook
from equations.learners import GIVEN_PHI, KINDS, make_case, random_rows
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st
from pgbench.rollout import Collector, Rollout
from pgbench.state import State, initial_state

from pgbench.algorithms import UPDATES
from pgbench.algorithms.npg import natural_gradient_step
from pgbench.config import Config
from pgbench.learning.critic import fit_critic
from pgbench.maths.natural import conjugate_gradient
from pgbench.maths.optimizers import Adam

ENVS = {"categorical": "cartpole", "gaussian": "pendulum"}
SMALL = {"n_envs": 2, "n_steps": 30, "hidden": (6,), "critic_hidden": (5,), "critic_steps": 4}


def setting(algorithm: str, kind: str, **changes: object) -> Config:
    """Small networks, episodes of at most 12 steps, and enough conjugate gradient iterations to solve the system."""
    config = make_config(algorithm, ENVS[kind], **{**SMALL, "cg_iterations": 200, "cg_damping": 0.05, **changes})
    return replace(config, env=replace(config.env, kwargs={"max_episode_steps": 12}))


def collect(config: Config, seeds: int = 2) -> tuple[State, Rollout, Rollout]:
    """A fresh learner, with a first layer worth having, and two rollouts of its policy."""
    spawned = np.random.SeedSequence(5).spawn(seeds)
    collector = Collector(config, spawned)
    envs, rngs = collector.envs, [np.random.default_rng(seed) for seed in spawned]
    state = initial_state(config, envs.obs.shape[-1], envs.n_actions, envs.discrete, rngs)
    state = replace(state, theta=state.theta + 0.3 * random_rows(state.policy.mlp, rngs[0], seeds).float())
    live = np.ones(seeds, bool)
    # Copies: the second collection writes into the first one's buffers.
    first, second = (deepcopy(collector.collect(state.policy, state.theta.numpy(), live)[0]) for _ in range(2))
    collector.envs.close()
    return state, first, second


def to_float64(rollout: Rollout) -> Rollout:
    arrays = {field.name: getattr(rollout, field.name) for field in fields(rollout)}
    return Rollout(**{name: x.astype(np.float64) if x.dtype == np.float32 else x for name, x in arrays.items()})


def double(state: State) -> State:
    return state.with_tensors({name: x.double() for name, x in state.tensors().items()})


CASES = [
    ("reinforce", {}),
    ("reinforce", {"baseline": "batch_mean", "optimizer": "sgd"}),
    ("reinforce", {"baseline": "learned", "gamma": 0.9}),
    ("vpg", {}),
    ("vpg", {"hidden": (64, 64), "critic_hidden": (64, 64), "activation": "elu", "critic_activation": "relu"}),
    ("vpg", {"critic_target": "lambda_return", "timeout": "terminal", "gae_lambda": 0.8}),
    ("npg", {}),
    ("trpo", {"delta": 0.05}),
    ("trpo", {"line_search_accept": 0.9, "line_search_shrink": 0.5, "delta": 0.3}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("algorithm", "changes"), CASES)
def test_two_updates_are_the_textbooks_in_float64(
    algorithm: str, changes: dict[str, object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """theta_k+2 and phi_k+2 after Algorithm 1, 2 or 4 (or REINFORCE); conjugate gradient to a residual of 1e-12."""
    monkeypatch.setattr(conjugate_gradient, "__defaults__", (1e-24,))
    assert difference_from_textbook(algorithm, kind, torch.float64, changes) < 1e-8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("algorithm", "changes"), CASES)
def test_two_updates_are_the_textbooks_to_float32(algorithm: str, changes: dict[str, object], kind: str) -> None:
    """The same as training computes it: in float32, with conjugate gradient that stops at a residual of 1e-5, which
    systems of condition 15 to 130, as these are, may magnify."""
    assert difference_from_textbook(algorithm, kind, torch.float32, changes) < 2e-4


def difference_from_textbook(algorithm: str, kind: str, dtype: torch.dtype, changes: dict[str, object]) -> float:
    """The largest relative difference, over seeds, of two updates' steps of policy and critic from the textbook's."""
    config = setting(algorithm, kind, **changes)
    state, *rollouts = collect(config)
    assert any(rollout.truncated.any() for rollout in rollouts)
    differences = []
    for s in range(2):
        rows = slice(s, s + 1)
        start = double(state.rows(rows))
        mine = start if dtype == torch.float64 else state.rows(rows)
        learner = textbook.Learner(config, start, kind == "categorical")
        for rollout in (rollout.rows(rows) for rollout in rollouts):
            mine, _ = UPDATES[algorithm](mine, to_float64(rollout) if dtype == torch.float64 else rollout, config)
            learner.update(to_float64(rollout))
        assert mine.theta.dtype == dtype
        steps = [(mine.theta - start.theta, learner.theta.detach() - start.theta)]
        if config.algorithm.uses_critic:
            steps.append((mine.phi - start.phi, learner.phi.detach() - start.phi))
        differences += [float((ours - theirs).norm() / theirs.norm()) for ours, theirs in steps]
    return max(differences)


@pytest.mark.parametrize("algorithm", ["vpg", "npg", "trpo"])
def test_seeds_together_are_seeds_alone(algorithm: str) -> None:
    """Every reduction is within a seed: two seeds in one update are two updates of one."""
    config = setting(algorithm, "categorical")
    state, rollout, _ = collect(config)
    state, rollout = double(state), to_float64(rollout)
    together, metrics = UPDATES[algorithm](state, rollout, config)
    for s in range(2):
        rows = slice(s, s + 1)
        alone, one = UPDATES[algorithm](state.rows(rows), rollout.rows(rows), config)
        for name, x in alone.tensors().items():
            torch.testing.assert_close(together.tensors()[name][rows], x, rtol=1e-9, atol=1e-12)
        for name, value in one.items():
            torch.testing.assert_close(metrics[name][rows], value, rtol=1e-9, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 0.1))
def test_adam_of_rows_is_torch_optim_adam(seed: int, rate: float) -> None:
    """Each row of gradients [S, P] climbs as torch.optim.Adam with maximize=True does, for seven steps."""
    rng = np.random.default_rng(seed)
    start = torch.from_numpy(rng.normal(size=(2, 3)))
    theta, adam = start.clone(), Adam.zeros(start)
    parameters = [row.clone().requires_grad_() for row in start]
    theirs = [torch.optim.Adam([row], rate, maximize=True) for row in parameters]
    for g in torch.from_numpy(rng.normal(size=(7, 2, 3)) * 10.0 ** rng.integers(-8, 3, size=(7, 2, 3))):
        adam, step = adam.step(g, rate)
        theta = theta + step
        for row, optimizer, mine in zip(parameters, theirs, g, strict=True):
            row.grad = mine.clone()
            optimizer.step()
    torch.testing.assert_close(theta, torch.stack([row.detach() for row in parameters]), rtol=1e-10, atol=1e-12)


def test_critic_is_fitted_to_its_targets_by_adam_on_the_squared_error() -> None:
    """minimise 1/B sum (V_phi(s_t) - R_t)^2 (Algorithm 1, line 6): each row is torch.optim.Adam on its own error."""
    case = make_case("categorical")
    config = make_config("vpg", critic_steps=20, critic_learning_rate=0.01)
    fitted, metrics = fit_critic(case.state, case.batch, config)
    after = []
    for s in range(2):
        phi = case.state.phi[s].clone().requires_grad_()
        optimizer = torch.optim.Adam([phi], 0.01)
        for _ in range(20):
            optimizer.zero_grad()
            loss = (textbook.network(case.state.critic, phi, case.batch.obs[s])[:, 0] - case.batch.targets[s]).square()
            loss.mean().backward()
            optimizer.step()
        torch.testing.assert_close(fitted.phi[s], phi.detach(), rtol=1e-9, atol=1e-11)
        after.append(float(loss.mean().detach()))
    start = case.state.critic(case.state.phi, case.batch.obs)[..., 0]
    assert (torch.tensor(after) < (start - case.batch.targets).square().mean(1)).all()
    assert set(metrics) == {"value_loss", "explained_variance"}


def test_no_critic_is_fitted_where_no_value_enters() -> None:
    """REINFORCE with baseline zero leaves phi as it is."""
    case = make_case("categorical")
    fitted, metrics = fit_critic(case.state, case.batch, make_config("reinforce"))
    assert fitted is case.state
    assert metrics == {}


def test_vanilla_step_is_alpha_times_the_gradient() -> None:
    """theta_k+1 = theta_k + alpha g with optimizer=sgd: ascent, not descent."""
    case = make_case("gaussian")
    config = make_config("vpg", optimizer="sgd", learning_rate=0.1, **GIVEN_PHI)
    new, metrics = UPDATES["vpg"](case.state, case.rollout, config)
    torch.testing.assert_close(new.theta, case.state.theta + 0.1 * case.surrogate.gradient())
    assert (metrics["surrogate_expected"] > 0).all()


def test_npg_update_is_theta_plus_the_natural_step() -> None:
    """Algorithm 2, line 7, with nothing between the step and theta."""

    case = make_case("categorical")
    config = make_config("npg", **GIVEN_PHI)
    new, _ = UPDATES["npg"](case.state, case.rollout, config)
    surrogate = case.surrogate
    step, _ = natural_gradient_step(surrogate, surrogate.gradient(), config.hyperparameters)
    torch.testing.assert_close(new.theta, case.state.theta + step)
