"""What the figures measure of a policy: by definition, and without touching the run it belongs to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from equations import textbook
from equations.settings import make_config

from pgbench.after import measurements
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.learning.advantages import estimate
from pgbench.learning.learner import Learner, learner_of
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.natural import fisher_vector_product
from pgbench.policy import Policy
from pgbench.runs.trainer import Trainer

SEED = 3


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "BATCHES", 3)
    monkeypatch.setattr(measurements, "EPISODES", 4)


def setting(algorithm: str = "vpg", **changes: object) -> Config:
    return make_config(algorithm, n_envs=2, n_steps=16, hidden=(4,), critic_hidden=(4,), total_steps=64, **changes)


def trained(config: Config) -> Policy:
    """The policy after one iteration."""
    trainer = Trainer(config, (SEED,))
    trainer.iterate()
    trainer.close()
    return trainer.policy(0)


def test_episodes_are_complete_and_as_many_as_asked_for() -> None:
    """Each batch is EPISODES episodes, begun at a reset and run to their end; the batches differ."""
    config = setting()
    rollouts = list(measurements.episodes(learner_of(trained(config)), config, SEED, 2))
    for rollout in rollouts:
        ends = (rollout.terminated | rollout.truncated) & rollout.live
        assert ends.sum(0).tolist() == [1] * 4
        assert (rollout.live.sum(0) == np.argmax(ends, 0) + 1).all()
        assert (np.abs(rollout.obs[0]) <= 0.05).all()  # CartPole's start
    assert not np.array_equal(rollouts[0].obs[0], rollouts[1].obs[0])


def test_gradient_estimate_is_a_sum_over_steps_and_a_mean_over_episodes() -> None:
    """g^ = 1/m sum_i sum_t Phi_t grad log pi for R(tau) = the length of the episode, in CartPole, by autograd."""
    config = setting(gamma=0.5)
    learner = learner_of(trained(config))
    rollout = next(measurements.episodes(learner, config, SEED, 1))
    theta = learner.theta.double().requires_grad_()
    total = torch.zeros(())
    for n, length in enumerate(rollout.live.sum(0).tolist()):
        y = textbook.network(learner.network, theta, torch.from_numpy(rollout.obs[:length, n]).double())
        log_pi = textbook.distribution(y, True).log_prob(torch.from_numpy(rollout.actions[:length, n]))
        total = total + length * log_pi.sum() / 4
    expected = torch.autograd.grad(total, theta)[0]
    g = measurements.sample_gradient(learner, rollout, config, "R(tau)")
    torch.testing.assert_close(g, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_variance_and_squared_bias_by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates (0, 0), (2, 0), (4, 3) have variance 4 + 3 = 7. Away from the reference's zeros by (2, 1) on average,
    with products of two batches (0, 0, 8): their mean 8/3 is the unbiased squared bias."""
    estimates = {"GAE": iter([(0.0, 0.0), (2.0, 0.0), (4.0, 3.0)])}

    def fake(learner: Learner, rollout: object, config: Config, name: str) -> torch.Tensor:
        return torch.tensor(next(estimates[name]) if name in estimates else (0.0, 0.0)).double()

    monkeypatch.setattr(measurements, "sample_gradient", fake)
    config = setting()
    rows = list(measurements.measure(trained(config), config, SEED, "gradient_variance"))
    found = {(subject, quantity): value for subject, _, quantity, value in rows}
    assert found["GAE", "variance"] == pytest.approx(7)
    assert found["GAE", "squared_bias"] == pytest.approx(8 / 3)
    assert {subject for subject, _ in found} == measurements.WEIGHTS.keys()
    assert ("R(tau)", "squared_bias") not in found  # its mean is another objective's gradient


def test_kl_along_a_path_starts_as_the_fisher_quadratic(monkeypatch: pytest.MonkeyPatch) -> None:
    """KL(theta || theta + d) = 1/2 d.F d for short steps d of the lengths asked for, along the gradient first."""
    monkeypatch.setattr(measurements, "DISTANCES", np.array([0.05, 1.0]))
    config = setting()
    policy = trained(config)
    rows = list(measurements.measure(policy, config, SEED, "policy_path"))
    assert [(subject, distance) for subject, distance, *_ in rows] == [
        (subject, distance) for subject in ("vanilla", "natural") for distance in measurements.DISTANCES.tolist()
    ]
    whole = replace(config, algorithm=replace(config.algorithm, collect="episodes"))
    learner = learner_of(policy)
    rollout = next(measurements.episodes(learner, config, SEED, 1))
    surrogate = Surrogate(learner, estimate(learner, rollout, whole))
    g = surrogate.gradient()
    unit = g / g.norm()
    product = fisher_vector_product(surrogate.linear, surrogate.distribution)
    expected = 0.5 * measurements.DISTANCES[0] ** 2 * float((unit * product(unit)).sum())
    assert rows[0][3] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("kind", "rows"), [("gradient_variance", 9 + 7), ("policy_path", 2 * 9)])
def test_measuring_leaves_the_run_as_it_is(kind: str, rows: int, tmp_path: Path) -> None:
    """Equal training with and without a measurement on the way; the policy, and the same one loaded from its file, give
    the same numbers each time."""
    config = setting()
    plain, measured = (Trainer(config, (SEED,)) for _ in range(2))
    plain.iterate()
    measured.iterate()
    policy = measured.policy(0)
    policy.save(tmp_path / "policy.pt")
    first = list(measurements.measure(policy, config, SEED, kind))
    assert len(first) == rows
    assert np.isfinite([value for *_, value in first]).all()
    again = list(measurements.measure(Policy.load(tmp_path / "policy.pt"), config, SEED, kind))
    assert repr(again) == repr(first)
    assert repr(plain.iterate()) == repr(measured.iterate())
    assert torch.equal(plain.learners[0].theta, measured.learners[0].theta)


@pytest.mark.parametrize("kind", measurements.KINDS)
def test_what_cannot_be_measured_is_refused(kind: str) -> None:
    """Normalised observations or rewards, whose scale the run alone knows, and weights whose critic was not trained."""
    for changes in ({"normalize_observation": True}, {"normalize_reward": True}):
        config = setting(**changes)
        with pytest.raises(UserError, match=r"train with normalize_\* off"):
            list(measurements.measure(trained(config), config, SEED, kind))
    config = setting("reinforce")
    with pytest.raises(UserError, match="'reinforce' was trained without one"):
        list(measurements.measure(trained(config), config, SEED, kind))
