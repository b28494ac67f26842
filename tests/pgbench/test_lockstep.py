"""A seed's numbers depend on the seed alone, bit for bit: not on its group, nor on being stopped and resumed."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from pgbench.runs.trainer import Trainer

NORMALIZED = ("hyperparameters.normalize_observation=true", "hyperparameters.normalize_reward=true")
TASKS = {
    "cartpole": ("env=cartpole",),
    "cartpole timed": ("env=cartpole", "env.append_time=true", "+env.kwargs.max_episode_steps=20", *NORMALIZED),
    "pendulum timed": ("env=pendulum", "env.append_time=true", "+env.kwargs.max_episode_steps=25", *NORMALIZED),
    "mujoco": ("env=inverted_double_pendulum",),
}
ALGORITHMS = ("reinforce", "vpg", "npg", "trpo")


def rows(trainer: Trainer, seed: int, iterations: int) -> list[Any]:
    """The seed's records of some iterations, with NaN made equal to itself."""
    s = trainer.seeds.index(seed)
    found = [trainer.iterate()[s] for _ in range(iterations)]
    return [({k: "nan" if v != v else v for k, v in row.items()}, episodes) for row, episodes in found]


def make(small, algorithm: str, task: str, seeds: tuple[int, ...]) -> Trainer:
    config = small(f"algorithm={algorithm}", *TASKS[task], "total_steps=1000000")
    return Trainer(config, seeds)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_seed_does_not_see_its_group(small, algorithm: str, task: str) -> None:
    alone = make(small, algorithm, task, (3,))
    expected = rows(alone, 3, 4)
    for group in ((3, 1), (0, 1, 2, 3, 4, 5, 6)):
        together = make(small, algorithm, task, group)
        assert rows(together, 3, 4) == expected
        assert torch.equal(together.learners[group.index(3)].theta, alone.learners[0].theta)


@pytest.mark.parametrize("size", [1, 2, 5, 10])
def test_full_sized_batches_in_groups_of_any_size(small, size: int) -> None:
    """The same at the sizes of the speed comparison, where the matrix library takes its fast paths."""
    config = small("hyperparameters=equal_work", "hyperparameters.n_envs=16", "hyperparameters.n_steps=128")
    config_64 = small(
        "hyperparameters=equal_work",
        "hyperparameters.n_envs=16",
        "hyperparameters.n_steps=128",
        "hyperparameters.hidden=[64,64]",
        "hyperparameters.critic_hidden=[64,64]",
    )
    for one in (config, config_64):
        assert rows(Trainer(one, range(size)), 0, 2) == rows(Trainer(one, (0,)), 0, 2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_different_seeds_differ(small, algorithm: str) -> None:
    together = make(small, algorithm, "cartpole", (0, 1))
    (first, _), (second, _) = together.iterate().values()
    assert first["gradient_norm"] != second["gradient_norm"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("algorithm", ["reinforce", "trpo"])
def test_saved_and_loaded_elsewhere_it_goes_on_the_same(small, algorithm: str, task: str) -> None:
    whole = make(small, algorithm, task, (0, 5))
    rows(whole, 5, 3)
    saved = whole.save(1)
    expected = rows(whole, 5, 3)

    resumed = make(small, algorithm, task, (9, 5, 2))
    resumed.load(1, saved)
    assert rows(resumed, 5, 3) == expected


def test_seeds_at_different_iterations_train_together(small) -> None:
    config = small("algorithm=npg", "total_steps=512")
    ahead = Trainer(config, (0,))
    rows(ahead, 0, 2)
    both = Trainer(config, (0, 1))
    both.load(0, ahead.save(0))
    last = {}
    while both.live.any():
        last |= both.iterate()
    assert [last[s][0]["iteration"] for s in (0, 1)] == [4, 4]
    assert last[1][0]["env_steps"] == 512


def test_a_diverged_seed_hurts_no_other(small) -> None:
    expected = rows(make(small, "vpg", "cartpole", (1,)), 1, 3)
    trainer = make(small, "vpg", "cartpole", (0, 1))
    trainer.learners[0] = replace(trainer.learners[0], theta=trainer.learners[0].theta * math.nan)
    found = [trainer.iterate() for _ in range(3)]
    assert trainer.diverged[1] == ""
    assert trainer.diverged[0].endswith("is nan")
    assert [sorted(one) for one in found] == [[0, 1], [1], [1]]
    assert [one[1][0]["kl"] for one in found] == [row["kl"] for row, _ in expected]
