"""Each algorithm finds the known answer of each probe environment."""

import numpy as np
import pytest
import torch

from pgbench.runs.trainer import Trainer

ALGORITHMS = ("reinforce", "vpg", "npg", "trpo")
QUICK = (
    "hyperparameters.n_envs=8",
    "hyperparameters.n_steps=16",
    "hyperparameters.delta=0.02",
    "hyperparameters.learning_rate=0.02",
    "hyperparameters.critic_steps=20",
    "hyperparameters.critic_learning_rate=0.01",
    "hyperparameters.gamma=0.5",
    "total_steps=1000000",
    "seeds=2",
)


def train(small, algorithm: str, probe: str, iterations: int, *overrides: str) -> Trainer:
    learned = ["algorithm.baseline=learned"] if algorithm == "reinforce" else []
    config = small(f"algorithm={algorithm}", f"env.id=probes:{probe}-v0", *QUICK, *learned, *overrides)
    trainer = Trainer(config, config.seed_list)
    for _ in range(iterations):
        trainer.iterate()
    return trainer


def value(trainer: Trainer, observation: float) -> np.ndarray:
    """V of each seed's critic."""
    x = torch.full((1, 1), observation)
    return np.array([learner.critic(learner.phi, x).item() for learner in trainer.learners])


def policy(trainer: Trainer, observation: float) -> torch.Tensor:
    """The action distribution's parameters [S, D]."""
    x = torch.full((1, 1), observation)
    return torch.cat([learner.network(learner.theta, x) for learner in trainer.learners])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_value(small, algorithm: str) -> None:
    np.testing.assert_allclose(value(train(small, algorithm, "Value", 20), 0.0), 1.0, atol=0.05)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_discount(small, algorithm: str) -> None:
    trainer = train(small, algorithm, "Discount", 40)
    np.testing.assert_allclose(value(trainer, 0.0), 0.5, atol=0.05)
    np.testing.assert_allclose(value(trainer, 1.0), 1.0, atol=0.05)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_termination_is_not_truncation(small, algorithm: str) -> None:
    trainer = train(small, algorithm, "Ending", 60)
    np.testing.assert_allclose(value(trainer, -1.0), 1.0, atol=0.1)
    np.testing.assert_allclose(value(trainer, 1.0), 2.0, atol=0.1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_time_outs_can_count_as_terminal(small, algorithm: str) -> None:
    trainer = train(small, algorithm, "Ending", 60, "env.timeout=terminal")
    np.testing.assert_allclose(value(trainer, 1.0), 1.0, atol=0.1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_action(small, algorithm: str) -> None:
    y = policy(train(small, algorithm, "Action", 40), 0.0)
    assert (y.softmax(-1)[:, 1] > 0.9).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_continuous_action(small, algorithm: str) -> None:
    y = policy(train(small, algorithm, "Action", 80, "+env.kwargs.continuous=true"), 0.0)
    np.testing.assert_allclose(y[:, 0], 0.5, atol=0.15)
    assert (y[:, 1] < -0.5).all(), "the standard deviation should have fallen from 1"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_observation(small, algorithm: str) -> None:
    trainer = train(small, algorithm, "Observation", 50)
    assert (policy(trainer, 1.0).softmax(-1)[:, 1] > 0.9).all()
    assert (policy(trainer, -1.0).softmax(-1)[:, 0] > 0.9).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_continuous_observation(small, algorithm: str) -> None:
    trainer = train(small, algorithm, "Observation", 100, "+env.kwargs.continuous=true")
    np.testing.assert_allclose(policy(trainer, 1.0)[:, 0], 0.5, atol=0.2)
    np.testing.assert_allclose(policy(trainer, -1.0)[:, 0], -0.5, atol=0.2)
