"""Batches in which nothing varies, numbers of any scale, and numbers that are not finite."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st

from pgbench.algorithms import load_update
from pgbench.composition import compose
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.experience.accounts import Account
from pgbench.learning.advantages import standardize
from pgbench.runs.job import run_job
from pgbench.runs.records import read_status, seed_dir
from pgbench.runs.trainer import Trainer

SMALL = {"n_envs": 2, "n_steps": 20, "hidden": (4,), "critic_hidden": (4,), "critic_steps": 2}


@given(st.floats(-1e12, 1e12), st.integers(1, 3000))
def test_a_standardised_constant_is_zero(value: float, size: int) -> None:
    """Also where its mean is rounded, and for a single element."""
    assert (standardize(torch.full((size,), value)) == 0).all()


@given(st.integers(0, 2**32 - 1), st.floats(-12, 12), st.floats(-3, 3))
def test_standardising_does_not_depend_on_scale_or_shift(seed: int, exponent: float, shift: float) -> None:
    """(x - mean) / std for scales of 1e-12 to 1e12."""
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=100)).float()
    expected = (x.double() - x.double().mean()) / x.double().std()
    found = standardize((x + shift) * 10.0**exponent)
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)


def test_what_is_not_finite_stays_so() -> None:
    for bad in (float("nan"), float("inf"), -float("inf")):
        assert not standardize(torch.tensor([1.0, bad, 1.0])).isfinite().all()


@pytest.mark.parametrize("algorithm", ["vpg", "npg", "trpo"])
def test_equal_advantages_move_no_policy(algorithm: str) -> None:
    """One-step episodes of reward 1000.1 each: Phi is zero, so are gradient and step, and all of it is finite."""
    config = replace(make_config(algorithm, **SMALL, baseline="zero", advantage="reward_to_go"))
    trainer = Trainer(config, (0,))
    before = trainer.learners[0]
    rollout, _ = trainer.collectors[0].collect(
        before.network.act([before.theta]), before.distribution, np.ones(1, bool)
    )[0]
    yes = np.ones_like(rollout.terminated)
    flat = replace(rollout, rewards=np.full_like(rollout.rewards, 1000.1), terminated=yes, truncated=~yes)
    after, metrics = load_update(config)(before, flat, config.effective)
    assert float(metrics["gradient_norm"]) == float(metrics["step_norm"]) == 0
    assert torch.equal(after.theta, before.theta)
    assert all(np.isfinite(float(value)) for value in metrics.values())
    assert "explained_variance" not in metrics  # nothing varies that could be explained


def job(tmp_path, *overrides: str) -> Config:
    keys = ("n_envs=2", "n_steps=20", "hidden=[4]", "critic_hidden=[4]", "critic_steps=2")
    return compose([*(f"hyperparameters.{key}" for key in keys), f"output_dir={tmp_path}", "seeds=1", *overrides])


@pytest.mark.parametrize("algorithm", ["npg", "trpo"])
def test_a_number_that_is_not_finite_is_divergence_and_named(tmp_path, algorithm: str) -> None:
    """An overflowing standard deviation: theta stays finite, as the step is none."""
    config = job(
        tmp_path, f"algorithm={algorithm}", "env=pendulum", "hyperparameters.log_std_init=100", "total_steps=400"
    )
    with np.errstate(all="ignore"):
        assert run_job(config) == {0: "diverged"}
    directory = seed_dir(config.job_dir, 0)
    assert read_status(directory)["message"].startswith("diverged in iteration 1: ")
    text = (directory / "error.txt").read_text()
    assert text == f"{read_status(directory)['message']}\n"
    assert text.endswith(("_residual is nan\n", "_norm is nan\n", "is inf\n"))
    assert len((directory / "metrics.csv").read_text().splitlines()) == 2


def test_a_batch_that_cannot_be_standardised_is_told_before_training() -> None:
    with pytest.raises(UserError, match="a batch of one step cannot be standardised"):
        compose(["hyperparameters.n_envs=1", "hyperparameters.n_steps=1"])


@given(st.data())
def test_a_return_is_the_sum_of_its_own_rewards(data: st.DataObject) -> None:
    """Float64 sums over batches, for rewards of any scale; a NaN or infinity is in its own episode's return alone."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scale = 10.0 ** data.draw(st.integers(-12, 12))
    account, running = Account(3), [[], [], []]
    expected, found = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        t = data.draw(st.integers(1, 30))
        rewards = rng.normal(size=(t, 3)) * scale
        rewards[rng.random((t, 3)) < 0.02] = np.nan
        rewards[rng.random((t, 3)) < 0.02] = -np.inf
        terminated = rng.random((t, 3)) < 0.15
        truncated = (rng.random((t, 3)) < 0.05) & ~terminated
        found += account.take(rewards, terminated, truncated, np.ones((t, 3), bool))
        for step in range(t):
            for n in range(3):
                running[n].append(rewards[step, n])
                if terminated[step, n] or truncated[step, n]:
                    expected.append((float(np.sum(running[n])), len(running[n])))
                    running[n] = []
    assert [length for _, _, length, _ in found] == [length for _, length in expected]
    np.testing.assert_allclose([x[1] for x in found], [x[0] for x in expected], rtol=1e-9, atol=1e-9 * scale)
