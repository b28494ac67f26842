"""What the figures measure of a policy: by definition, and without touching the run it belongs to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from equations.settings import make_config
from pgbench.state import State

from pgbench import measure
from pgbench.config import Config
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.natural import fisher_vector_product
from pgbench.runs.job import run_job
from pgbench.runs.records import MEASUREMENTS, MEASUREMENTS_FILE, METRICS_FILE, seed_dir
from pgbench.runs.trainer import Trainer


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "BATCHES", 3)
    monkeypatch.setattr(measure, "EPISODES", 4)


def setting(kind: str, **changes: object) -> Config:
    return make_config(
        "vpg", n_envs=2, n_steps=16, hidden=(4,), critic_hidden=(4,), total_steps=64, measure=kind, **changes
    )


def trained(config: Config) -> State:
    trainer = Trainer(config, (3,))
    trainer.iterate()
    trainer.close()
    return trainer.state


def test_episodes_are_complete_and_as_many_as_asked_for() -> None:
    """Each batch is EPISODES episodes, begun at a reset and run to their end; the batches differ."""
    config = setting("gradient_variance")
    rollouts = list(measure.episodes(trained(config), config, 3, 2))
    for rollout in rollouts:
        ends = (rollout.terminated | rollout.truncated) & rollout.live
        assert ends.sum((0, 1)).tolist() == [1] * 4
        assert (rollout.live.sum((0, 1)) == np.argmax(ends[0], 0) + 1).all()
        assert (np.abs(rollout.obs[0, 0]) <= 0.05).all()  # CartPole's start
    assert not np.array_equal(rollouts[0].obs[0, 0], rollouts[1].obs[0, 0])


def test_gradient_estimate_is_a_sum_over_steps_and_a_mean_over_episodes() -> None:
    """g^ = 1/m sum_i sum_t Phi_t grad log pi for R(tau) = the length of the episode, in CartPole, by autograd."""
    from equations import textbook

    config = setting("gradient_variance", gamma=0.5)
    state = trained(config)
    rollout = next(measure.episodes(state, config, 3, 1))
    theta = state.theta[0].double().requires_grad_()
    total = torch.zeros(())
    for n, length in enumerate(rollout.live[0].sum(0).tolist()):
        y = textbook.network(state.policy.mlp, theta, torch.from_numpy(rollout.obs[0, :length, n]).double())
        log_pi = textbook.distribution(y, True).log_prob(torch.from_numpy(rollout.actions[0, :length, n]))
        total = total + length * log_pi.sum() / 4
    expected = torch.autograd.grad(total, theta)[0]
    g = measure.sample_gradient(state, rollout, config, "R(tau)")
    torch.testing.assert_close(g, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_variance_and_squared_bias_by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates (0, 0), (2, 0), (4, 3) have variance 4 + 3 = 7. Away from the reference's zeros by (2, 1) on average,
    with products of two batches (0, 0, 8): their mean 8/3 is the unbiased squared bias."""
    estimates = {"GAE": iter([(0.0, 0.0), (2.0, 0.0), (4.0, 3.0)])}

    def fake(state: State, rollout: object, config: Config, name: str) -> torch.Tensor:
        return torch.tensor(next(estimates[name]) if name in estimates else (0.0, 0.0)).double()

    monkeypatch.setattr(measure, "sample_gradient", fake)
    config = setting("gradient_variance")
    rows = list(measure.gradient_variance(trained(config), config, 3))
    found = {(subject, quantity): value for subject, _, quantity, value in rows}
    assert found["GAE", "variance"] == pytest.approx(7)
    assert found["GAE", "squared_bias"] == pytest.approx(8 / 3)
    assert {subject for subject, _ in found} == measure.WEIGHTS.keys()
    assert ("R(tau)", "squared_bias") not in found  # its mean is another objective's gradient


def test_kl_along_a_path_starts_as_the_fisher_quadratic(monkeypatch: pytest.MonkeyPatch) -> None:
    """KL(theta || theta + d) = 1/2 d.F d for short steps d of the lengths asked for, along the gradient first."""
    monkeypatch.setattr(measure, "DISTANCES", np.array([0.05, 1.0]))
    config = setting("policy_path")
    state = trained(config)
    rows = list(measure.policy_path(state, config, 3))
    assert [(subject, distance) for subject, distance, *_ in rows] == [
        (subject, distance) for subject in ("vanilla", "natural") for distance in measure.DISTANCES.tolist()
    ]
    whole = replace(config, algorithm=replace(config.algorithm, collect="episodes"))
    rollout = next(measure.episodes(state, config, 3, 1))
    surrogate = Surrogate(state, measure.estimate(state, rollout, whole))
    g = surrogate.gradient()
    unit = g / g.norm()
    product = fisher_vector_product(surrogate.linear, surrogate.policy.distribution)
    expected = 0.5 * measure.DISTANCES[0] ** 2 * float((unit * product(unit)).sum())
    assert rows[0][3] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("kind", ["gradient_variance", "policy_path"])
def test_measuring_leaves_the_run_as_it_is(kind: str, tmp_path: Path) -> None:
    """Equal metrics with and without; a job of its own with, the usual name without."""
    plain, measured = (setting(name, output_dir=str(tmp_path), seeds=1) for name in ("none", kind))
    assert "measure" not in plain.identity
    assert plain.job_name != measured.job_name
    run_job(plain)
    run_job(measured)
    texts = [(seed_dir(config.job_dir, 0) / METRICS_FILE).read_text() for config in (plain, measured)]
    assert texts[0] == texts[1]
    assert not (seed_dir(plain.job_dir, 0) / MEASUREMENTS_FILE).exists()
    table = pd.read_csv(seed_dir(measured.job_dir, 0) / MEASUREMENTS_FILE)
    assert list(table.columns) == list(MEASUREMENTS)
    assert len(table) == {"gradient_variance": 9 + 7, "policy_path": 2 * 9}[kind]
