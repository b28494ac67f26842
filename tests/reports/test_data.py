"""Which seeds count, and how far a group has come."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports.assemble import load_data
from reports.curves import Table
from reports.data import Seed
from reports.published import COMPARABLE
from reports.thresholds import threshold

Write = Callable[..., Path]


def test_diverged_counts_failed_does_not_running_limits(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[10, 20, 30, 40])
    write(seed=1, returns=[10, 20], status="diverged")
    write(seed=2, returns=[900, 900], status="failed")
    write(seed=3, returns=[10, 20, 60], status="running")
    write(seed=4, returns=[], status="pending")
    (group,) = load_data(tmp_path).groups
    assert group.note == "n = 2, 1 diverged, 1 failed, 1 running, 1 pending"
    assert (group.start, group.end) == (25_000, 100_000)
    np.testing.assert_array_equal(group.final, [40, 20])
    np.testing.assert_array_equal(group.curves([10_000, 25_000, 100_000]), [[np.nan, 10, 40], [np.nan, 10, 20]])
    assert [seed.seed for seed in group.seeds] == [0, 1, 3]
    assert dict(group.left_out).keys() == {2, 3, 4}


def test_seeds_that_are_all_running_count_as_far_as_all_have_come(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[10, 20, 30], status="running")
    write(seed=1, returns=[10, 40], status="running")
    (group,) = load_data(tmp_path).groups
    assert (group.n, group.end) == (2, 50_000)
    np.testing.assert_array_equal(group.final, [20, 40])


def test_no_value_beyond_a_runs_last_step(write: Write, tmp_path: Path) -> None:
    """Seeds of one job that were extended differently, and a job of half the length, done all of them."""
    write("npg", 0, [1, 2, 3, 4], format=2)
    write("npg", 1, [1, 2], total_steps=50_000, job="npg-CartPole-v1-default-1234-100000", format=2)
    write("vpg", 0, [5, 6], total_steps=50_000, format=2)
    data = load_data(tmp_path)
    for group in data.groups:
        curves = group.curves([25_000, 50_000, 75_000, 100_000])
        for seed, curve in zip(group.counted, curves, strict=True):
            assert np.isnan(curve).tolist() == [step > seed.env_steps[-1] for step in (25e3, 50e3, 75e3, 100e3)]
    assert {group.end for group in data.groups if group.algorithm == "vpg"} == {50_000}


def test_a_lost_status_does_not_hide_a_finished_run(write: Write, tmp_path: Path) -> None:
    (write(seed=0) / "status.json").write_text("")
    (write(seed=1, returns=[1, 2]) / "status.json").unlink()
    data = load_data(tmp_path)
    (group,) = data.groups
    assert group.note == "n = 1, 2 unknown"
    assert [seed.finished for seed in group.seeds] == [True, False]
    assert [problem.split("/")[-1] for problem in data.problems] == [
        "status.json: damaged; the run's records are shown",
        "status.json: missing; the run's records are shown",
    ]


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
    numbers = np.array([[1.0, 2.0], [500.0, 500.0], [99.0, 100.0]])
    few = Seed(0, "done", Table(("env_steps", "episode_return", "episodes"), numbers), 2)
    assert replace(group, seeds=(few,)).reached(475) == [2]


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


def test_numbers_of_another_version_of_a_mujoco_task_say_so(write: Write, tmp_path: Path) -> None:
    """HalfCheetah-v3 lies over HalfCheetah-v5 and is named; CartPole-v0 is another task than CartPole-v1."""
    write("trpo", env="HalfCheetah-v5", steps=250_000, total_steps=1_000_000)
    write("vpg", env="CartPole-v0")
    write("trpo", env="Hopper-v5")  # ends long before anything was published
    rows = load_data(tmp_path, published=True, evaluations=True).published
    assert {row.env for row in rows} == {"HalfCheetah-v5"}
    assert {row.algorithm for row in rows} == {"trpo"}
    assert {row.mean for row in rows if row.source == "SB3-contrib docs, on HalfCheetah-v3"} == {1803}
    assert all(row.protocol in COMPARABLE for row in load_data(tmp_path, published=True).published)
