"""Statistics with known answers, and claims for all inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import (
    align,
    bootstrap_ci,
    iqm,
    mean,
    median,
    probability_of_improvement,
    steps_to_threshold,
)

finite = st.floats(-1e6, 1e6)
samples = st.lists(finite, min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], 7),
        ([1, 2, 3], 2),  # floor(3 / 4) = 0: the mean
        ([0, 1, 2, 300], 1.5),
        ([-99, 1, 2, 3, 99], 2),
        ([9, 1, 8, 2, 3, 4, 7, 0], (2 + 3 + 4 + 7) / 4),
    ],
)
def test_iqm_is_the_mean_of_the_middle(values: list[float], expected: float) -> None:
    assert iqm(values) == expected


def test_iqm_does_not_trim_missing_values_away() -> None:
    assert np.isnan(iqm([1, 2, 3, np.nan]))


@given(samples)
def test_iqm_lies_within_the_values(values: list[float]) -> None:
    assert min(values) - 1e-6 <= iqm(values) <= max(values) + 1e-6


def test_statistics_work_on_each_grid_point_alone() -> None:
    values = np.random.default_rng(0).normal(size=(9, 3))
    for statistic in (mean, median, iqm):
        np.testing.assert_allclose(statistic(values), [statistic(column) for column in values.T])


def test_bootstrap_finds_the_exact_interval_of_two_seeds() -> None:
    # The mean of two draws of {0, 1} is 0, 1/2 or 1, with probability 1/4, 1/2 and 1/4.
    assert bootstrap_ci(mean, [0, 1]) == (0, 1)
    assert bootstrap_ci(mean, [0, 1], level=0.4) == (0.5, 0.5)


def test_bootstrap_agrees_with_the_normal_theory_for_many_seeds() -> None:
    values = np.random.default_rng(0).normal(10, 2, size=400)
    low, high = bootstrap_ci(mean, values)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.1 * half)


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(size=(200, 30))
    intervals = [bootstrap_ci(mean, draw, resamples=400) for draw in draws]
    assert 0.88 <= np.mean([low <= 0 <= high for low, high in intervals]) <= 0.99


def test_bootstrap_of_a_curve_is_that_of_its_points() -> None:
    curves = np.random.default_rng(0).normal(size=(7, 5))
    low, high = bootstrap_ci(mean, curves)
    for g in range(5):
        assert bootstrap_ci(mean, curves[:, g]) == pytest.approx((low[g], high[g]))


def test_bootstrap_gives_the_same_numbers_again() -> None:
    assert bootstrap_ci(iqm, [3, 1, 4, 1, 5]) == bootstrap_ci(iqm, [3, 1, 4, 1, 5])


@given(samples.filter(lambda values: len(values) > 1), st.floats(-100, 100))
def test_bootstrap_moves_with_the_values(values: list[float], shift: float) -> None:
    low, high = bootstrap_ci(mean, values, resamples=50)
    moved = bootstrap_ci(mean, np.array(values) + shift, resamples=50)
    assert low <= high
    assert moved == pytest.approx((low + shift, high + shift), rel=1e-6, abs=1e-6)


def test_one_seed_has_no_interval() -> None:
    assert np.isnan(bootstrap_ci(mean, [5.0])).all()


def test_bootstrap_of_a_median_may_be_infinite_at_one_end_only() -> None:
    low, high = bootstrap_ci(median, [1, 2, 3, 4, np.inf, np.inf])
    assert np.isfinite(low)
    assert high == np.inf


def test_align_carries_the_last_value_forward() -> None:
    np.testing.assert_array_equal(
        align([10, 20, 35], [1, 2, 3], [0, 9, 10, 19, 20, 34, 35, 100]), [np.nan, np.nan, 1, 1, 2, 2, 3, 3]
    )


def test_align_waits_for_the_first_finished_episode_and_skips_gaps() -> None:
    np.testing.assert_array_equal(align([10, 20, 30], [np.nan, 5, np.nan], [10, 20, 30]), [np.nan, 5, 5])


def test_align_says_nothing_about_what_a_running_seed_has_not_seen() -> None:
    np.testing.assert_array_equal(align([10, 20], [1, 2], [20, 21], until=20), [2, np.nan])


def test_align_of_nothing_is_nothing() -> None:
    assert np.isnan(align([], [], [1, 2])).all()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_align_is_the_curve_at_its_own_steps(steps: list[int], data: st.DataObject) -> None:
    grid = np.cumsum(steps)
    values = np.array(data.draw(st.lists(finite, min_size=len(steps), max_size=len(steps))))
    np.testing.assert_array_equal(align(grid, values, grid), values)


def test_steps_to_threshold_is_the_first_time() -> None:
    steps, returns = [10, 20, 30, 40], [np.nan, 475, 100, 480]
    assert steps_to_threshold(steps, returns, 475) == 20
    assert steps_to_threshold(steps, returns, 476) == 40
    assert steps_to_threshold(steps, returns, 481) == np.inf
    assert steps_to_threshold([], [], 0) == np.inf


def test_median_counts_those_that_never_reach_as_infinite() -> None:
    assert median([10, 30, np.inf]) == 30
    assert median([10, np.inf, np.inf]) == np.inf
    assert median([np.inf, np.inf]) == np.inf


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [([2, 3], [0, 1], 1), ([1], [1], 0.5), ([0, 2], [1], 0.5), ([1, 2, 3], [2], 0.5)]
)
def test_probability_of_improvement(ours: list[float], theirs: list[float], expected: float) -> None:
    assert probability_of_improvement(ours, theirs) == expected


@given(samples, samples)
def test_one_of_two_is_better(ours: list[float], theirs: list[float]) -> None:
    both = probability_of_improvement(ours, theirs) + probability_of_improvement(theirs, ours)
    assert both == pytest.approx(1)
