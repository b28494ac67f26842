"""Which seeds count, and how far a group has come."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reports.data import load_data
from reports.thresholds import threshold

Write = Callable[..., Path]


def test_diverged_counts_failed_does_not_running_limits(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[10, 20, 30, 40])
    write(seed=1, returns=[10, 20], status="diverged")
    write(seed=2, returns=[900, 900], status="failed")
    write(seed=3, returns=[10, 20, 60], status="running")
    write(seed=4, returns=[], status="pending")
    (group,) = load_data(tmp_path).groups
    assert group.note == "n = 3, 1 diverged, 1 failed, 1 running, 1 pending"
    assert (group.start, group.end) == (25_000, 75_000)
    np.testing.assert_array_equal(group.final, [30, 20, 60])
    np.testing.assert_array_equal(
        group.returns([10_000, 25_000, 100_000]), [[np.nan, 10, 40], [np.nan, 10, 20], [np.nan, 10, np.nan]]
    )


def test_the_end_is_total_steps_though_records_overshoot(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[1, 2, 3], steps=40_000)
    write(seed=1, returns=[1, 2, 3, 4], steps=30_000)
    (group,) = load_data(tmp_path).groups
    assert group.end == 100_000
    np.testing.assert_array_equal(group.final, [2, 3])


def test_a_run_shorter_than_its_first_record_ends_there(write: Write, tmp_path: Path) -> None:
    write(returns=[20], total_steps=1000)
    (group,) = load_data(tmp_path).groups
    assert (group.end, group.final) == (25_000, [20])


def test_steps_to_threshold_wait_for_a_hundred_episodes(write: Write, tmp_path: Path) -> None:
    write(returns=[480, 100, 480])
    data = load_data(tmp_path)
    assert data.thresholds == {"CartPole-v1": 475}
    (group,) = data.groups
    assert group.reached(475) == [25_000]
    few = group.seeds[0].__class__(0, "done", np.array([1.0, 2.0]), np.array([500.0, 500.0]), np.array([99.0, 100.0]))
    assert group.__class__(**{**vars(group), "seeds": (few,)}).reached(475) == [2]


@pytest.mark.parametrize(
    ("env", "given", "expected"),
    [
        ("CartPole-v1", {}, 475),
        ("CartPole-v0", {}, 195),
        ("Acrobot-v1", {}, -100),
        ("MountainCarContinuous-v0", {}, 90),
        ("Pendulum-v1", {}, -200),
        ("InvertedPendulum-v5", {}, 950),
        ("Humanoid-v5", {}, None),
        ("mine:Some-v0", {}, None),
        ("CartPole-v1", {None: 300}, 300),
        ("CartPole-v1", {None: 300, "CartPole-v1": 400}, 400),
        ("CartPole-v1", {"Acrobot-v1": -80}, 475),
    ],
)
def test_threshold(env: str, given: dict, expected: float | None) -> None:
    assert threshold(env, given) == expected


def test_only_training_returns_of_the_same_pair_are_comparable(write: Write, tmp_path: Path) -> None:
    write("trpo")
    write("trpo", env="Pendulum-v1")
    assert load_data(tmp_path).published == ()
    rows = load_data(tmp_path, published=True).published
    assert {(row.env, row.algorithm, row.seeds) for row in rows} == {("CartPole-v1", "trpo", 10)}
    assert [(row.env_steps, row.mean, row.spread) for row in rows][:2] == [(50_000, 228.8, 8.7), (100_000, 419.6, 36.7)]
