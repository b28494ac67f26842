"""Every combination of Phi_t, baseline, collection and algorithm that the config allows trains; others are refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from equations.learners import KINDS, make_case
from equations.settings import make_config

from pgbench.config import ADVANTAGES, Config, to_plain
from pgbench.errors import UserError
from pgbench.learning.advantages import estimate
from pgbench.runs.trainer import Trainer
from pgbench.validation import validate

WEIGHTS = ("trajectory_return", "reward_to_go", "q_value", *ADVANTAGES)
COMBINATIONS = [
    (advantage, baseline, collect)
    for advantage in WEIGHTS
    for baseline in ("zero", "batch_mean", "learned")
    for collect in ("steps", "episodes")
]
ENVS = {"categorical": "cartpole", "gaussian": "pendulum"}


def allowed(advantage: str, baseline: str, collect: str) -> bool:
    """R(tau) needs whole episodes; an advantage subtracts the critic's value, so it takes no other baseline."""
    return not (advantage == "trajectory_return" and collect == "steps") and not (
        advantage in ADVANTAGES and baseline != "learned"
    )


def small(algorithm: str, kind: str, combination: tuple[str, str, str]) -> Config:
    advantage, baseline, collect = combination
    config = make_config(
        algorithm,
        ENVS[kind],
        **{"advantage": advantage, "baseline": baseline, "collect": collect},
        **{"n_envs": 2, "n_steps": 12, "hidden": (4,), "critic_hidden": (4,), "critic_steps": 2},
    )
    return replace(config, env=replace(config.env, kwargs={"max_episode_steps": 30}))


@pytest.mark.parametrize("algorithm", ["reinforce", "vpg", "npg", "trpo"])
@pytest.mark.parametrize("combination", [c for c in COMBINATIONS if allowed(*c)], ids="-".join)
def test_every_allowed_combination_trains(algorithm: str, combination: tuple[str, str, str]) -> None:
    """Three iterations of two seeds: parameters move, stay finite, and every metric is a number."""
    for kind in KINDS if algorithm == "trpo" else KINDS[:1]:
        trainer = Trainer(small(algorithm, kind, combination), (0, 1))
        start = [learner.theta for learner in trainer.learners]
        for _ in range(3):
            for row, _ in trainer.iterate().values():
                row.pop("explained_variance", None)  # of a constant target there is none
                assert np.isfinite([value for name, value in row.items() if not name.startswith("episode_")]).all()
        assert not any(trainer.diverged)
        assert all((learner.theta != theta).any() for learner, theta in zip(trainer.learners, start, strict=True))
        trainer.close()


@pytest.mark.parametrize("combination", [c for c in COMBINATIONS if not allowed(*c)], ids="-".join)
def test_every_other_combination_is_refused(combination: tuple[str, str, str]) -> None:
    """With an error that names the key to change."""
    advantage, baseline, collect = combination
    config = make_config(advantage=advantage, baseline=baseline, collect=collect)
    with pytest.raises(UserError, match=r"set algorithm\.(baseline=learned|collect=episodes)"):
        validate(to_plain(config))


def test_standardised_weights_have_mean_zero_and_deviation_one() -> None:
    """Divided by the standard deviation, not the variance, whatever their scale."""
    keys = {"advantage": "reward_to_go", "baseline": "zero", "collect": "episodes"}
    for scale in (3.0, 50.0):
        case = make_case("categorical")
        case = replace(case, batch=replace(case.batch, weights=case.batch.weights * scale + 7))
        weights = estimate(case.learner, case.rollout, make_config(standardize=True, **keys)).weights
        raw = case.batch.weights
        torch.testing.assert_close(weights, (raw - raw.mean()) / raw.std(), rtol=1e-7, atol=1e-7)


def test_batch_mean_baseline_is_the_mean_of_the_batch() -> None:
    """b = mean of the batch's returns; zero leaves the returns alone."""
    case = make_case("categorical")
    keys = {"advantage": "reward_to_go", "collect": "episodes", "standardize": False}
    raw = estimate(case.learner, case.rollout, make_config(baseline="zero", **keys)).weights
    torch.testing.assert_close(raw, case.batch.weights)
    centred = estimate(case.learner, case.rollout, make_config(baseline="batch_mean", **keys)).weights
    torch.testing.assert_close(centred, raw - raw.mean())
