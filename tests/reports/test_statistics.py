"""Statistics with known answers, and claims for all inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import (
    align,
    area_under_curve,
    average,
    best,
    bootstrap_ci,
    censored_median,
    difference_interval,
    geometric_mean_interval,
    improvement_over_tasks,
    iqm,
    iqm_difference_interval,
    iqm_interval,
    mean,
    mean_interval,
    median,
    median_interval,
    optimality_gap,
    performance_profile,
    probability_interval,
    probability_of_improvement,
    steps_interval,
    steps_to_threshold,
    stratified_bootstrap,
    task_iqm,
    task_mean,
    task_median,
    task_optimality_gap,
    tolerance_interval,
    variance_shares,
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


def test_mean_interval_is_students() -> None:
    """t with two degrees of freedom: 4.302653; s = 1, S = 3."""
    np.testing.assert_allclose(mean_interval([1, 2, 3]), [2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5], rtol=1e-6)
    np.testing.assert_allclose(geometric_mean_interval([1, 10, 100]), 10 ** np.array(mean_interval([0, 1, 2])))
    assert np.isnan(mean_interval([5.0])).all()


def test_iqm_interval_by_hand() -> None:
    """Eight values, two dropped at each end: h = 4, winsorised to 2, 2, 2, 3, 4, 7, 7, 7; t with 3 degrees 3.182446."""
    low, high = iqm_interval([9, 1, 8, 2, 3, 4, 7, 0])
    winsorised = np.std([2, 2, 2, 3, 4, 7, 7, 7], ddof=1)
    half = 3.182446 * winsorised * (7 / (4 * 3)) ** 0.5
    np.testing.assert_allclose([low, high], [4 - half, 4 + half], rtol=1e-6)
    np.testing.assert_allclose(iqm_interval([1, 2, 3]), mean_interval([1, 2, 3]))


def test_difference_interval_is_welchs() -> None:
    """By hand: variances 1 and 4 over 3 seeds each, (1/3 + 4/3)^2 / (1/9/2 + 16/9/2) = 2.941 degrees of freedom."""
    low, high = difference_interval([1, 2, 3], [2, 4, 6])
    assert (low + high) / 2 == pytest.approx(-2)
    assert (high - low) / 2 == pytest.approx(3.2186 * (5 / 3) ** 0.5, rel=1e-3)
    assert difference_interval([1, 1], [0, 0]) == (1, 1)


def test_iqm_difference_interval_is_yuens() -> None:
    from scipy.stats import ttest_ind  # a twin: Yuen's test is its `trim`

    rng = np.random.default_rng(0)
    for seeds, others in ((3, 3), (5, 9), (12, 8)):
        x, y = rng.normal(3, 2, seeds), rng.normal(0, 5, others)
        low, high = iqm_difference_interval(x, y)
        assert (low + high) / 2 == pytest.approx(float(iqm(x) - iqm(y)))
        # The p-value of this difference, less its end, is 5%.
        assert ttest_ind(x - low, y, equal_var=False, trim=0.25).pvalue == pytest.approx(0.05)
        assert ttest_ind(x - high, y, equal_var=False, trim=0.25).pvalue == pytest.approx(0.05)
    np.testing.assert_allclose(iqm_difference_interval([1, 2, 3], [2, 4, 6]), difference_interval([1, 2, 3], [2, 4, 6]))
    assert np.isnan(iqm_difference_interval([1], [2, 3])).all()


def test_median_interval_needs_six_seeds() -> None:
    assert median_interval([1, 2, 3, 4, 5]) == (-np.inf, np.inf)
    assert median_interval([1, 2, 3, 4, 5, 6]) == (1, 6)
    assert median_interval(range(1, 11)) == (2, 9)


def test_steps_interval_holds_whatever_a_censored_seed_would_have_done() -> None:
    times, ends = [10, 20, 30, np.inf, np.inf, np.inf], [99, 99, 99, 40, 50, 60]
    assert steps_interval(times, ends) == (10, np.inf)
    assert steps_interval([np.inf] * 6, [5] * 6) == (5, np.inf)
    assert steps_interval([1, 2], [9, 9]) == (0, np.inf)


def test_censored_median_is_kaplan_and_meiers() -> None:
    """Survival 4/5 at 10; the seed that ended at 15 leaves; 4/5 x 2/3 at 20; x 1/2 at 30: 0.267."""
    assert censored_median([10, np.inf, 20, 30, np.inf], [99, 15, 99, 99, 40]) == 30
    assert censored_median([10, 20, np.inf], [99, 99, 99]) == 20
    assert censored_median([10, np.inf, np.inf], [99, 99, 99]) == np.inf


@given(st.lists(st.integers(1, 99) | st.just(np.inf), min_size=1, max_size=9).filter(lambda x: len(x) % 2))
def test_with_equal_ends_it_is_the_median(times: list[float]) -> None:
    assert censored_median(times, [100] * len(times)) == median(times)


def test_probability_interval_solves_its_equation() -> None:
    """At both ends the observed value is z standard deviations away (Newcombe 2006, method 5)."""
    x, y = [1, 5, 6, 7], [2, 3, 4, 8, 0]
    observed = probability_of_improvement(x, y)
    for p in probability_interval(x, y):
        spread = p * (1 - p) * (1 + 3.5 * (1 - p) / (2 - p) + 3.5 * p / (1 + p)) / 20
        assert abs(p - observed) == pytest.approx(1.959964 * spread**0.5, rel=1e-5)
    assert probability_interval([2, 3], [0, 1])[1] == pytest.approx(1)
    assert probability_interval([2, 3], [0, 1])[0] < 1


def test_tolerance_interval_says_how_sure_it_is() -> None:
    """The range of n seeds holds 90% of runs with confidence 1 - n 0.9^(n-1) + (n-1) 0.9^n."""
    (low, high), confidence = tolerance_interval([3, 1, 2, 5, 4])
    assert (low, high) == (1, 5)
    assert confidence == pytest.approx(1 - 5 * 0.9**4 + 4 * 0.9**5)
    assert tolerance_interval(range(100))[1] >= 0.95


def test_curve_statistics_by_hand() -> None:
    """1 held from 10 to 20, 3 from 20 to 40."""
    assert area_under_curve([10, 20, 50], [1, 3, 9], 40) == 10 + 60
    assert average([10, 20, 50], [1, 3, 9], 40) == 70 / 30
    assert best([10, 20, 50], [1, 3, 9], 40) == 3
    assert average([5, 10, 20], [np.nan, 1, 3], 20) == 1
    assert np.isnan(average([10], [np.nan], 10))


def test_aggregates_are_rliables_definitions() -> None:
    """Two tasks of four seeds, by hand: the mean over all, the median of task means, scipy's trim_mean(., 0.25) of the
    eight pooled, 1 - mean of min(x, 1)."""
    tasks = [[0.0, 0.2, 0.4, 0.6], [0.8, 1.0, 1.2, 1.4]]
    assert task_mean(tasks) == pytest.approx(0.7)
    assert task_median(tasks) == pytest.approx(0.7)
    assert task_iqm(tasks) == pytest.approx(np.mean([0.4, 0.6, 0.8, 1.0]))
    assert task_optimality_gap(tasks) == pytest.approx(1 - np.mean([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1]))
    assert optimality_gap([0.5, 2.0]) == 0.25
    np.testing.assert_allclose(performance_profile(tasks, [-1, 0.5, 1.0, 2]), [1, 5 / 8, 2 / 8, 0])
    assert improvement_over_tasks([[1, 2], [0, 0]], [[0, 0], [1, 1]]) == 0.5


def test_stratified_bootstrap_redraws_within_tasks() -> None:
    """Seeds that agree within a task leave nothing to redraw, however the tasks differ; and `expand` is wider."""
    assert stratified_bootstrap(task_mean, [[1, 1, 1], [9, 9, 9]]) == (5, 5)
    tasks = np.random.default_rng(0).normal(size=(4, 5))
    narrow = stratified_bootstrap(task_iqm, tasks, expand=False)
    wide = stratified_bootstrap(task_iqm, tasks)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert np.isnan(stratified_bootstrap(task_mean, [[1.0], [2.0, 3.0]])).all()


def test_intervals_hold_their_level_with_three_seeds() -> None:
    """The percentile bootstrap would hold 70%."""
    draws = np.random.default_rng(0).normal(size=(3, 4000))
    low, high = mean_interval(draws)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.012)
    low, high = bootstrap_ci(mean, draws[:, :500], resamples=200)
    assert np.mean((low <= 0) & (high >= 0)) < 0.8


def test_variance_shares() -> None:
    """Scores that are the first key alone; a key of noise explains nothing; a constant one neither."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(3, size=300), rng.integers(4, size=300)
    shares = variance_shares(first * 10.0, [first.tolist(), second.tolist(), [1] * 300])
    assert shares[0] > 0.99
    assert shares[1] < 0.03
    assert shares[2] == 0
    both = variance_shares(first + 2.0 * (second == 0), [first.tolist(), second.tolist()])
    assert both.sum() == pytest.approx(1, abs=0.1)
