"""Statistics over seeds, as pure functions of arrays. S seeds, G grid points, R records of one seed.

Sources: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv
2108.13264); Patterson et al. 2024, "Empirical Design in Reinforcement Learning" (JMLR 25): intervals, not
standard errors.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """The ends of an interval, each [...]."""

    low: Any
    high: Any


def mean(values: ArrayLike) -> Any:
    """1/S sum_s x_s: [S, ...] -> [...]."""
    return np.mean(np.asarray(values, dtype=float), axis=0)


def median(values: ArrayLike) -> Any:
    """The median over seeds, [S, ...] -> [...]; infinity counts as larger than any number."""
    return np.median(np.asarray(values, dtype=float), axis=0)


def iqm(values: ArrayLike) -> Any:
    """Interquartile mean: [S, ...] -> [...].

    The mean of what is left after dropping the floor(S / 4) smallest and as many largest (Agarwal et al.
    2021; their rliable uses `scipy.stats.trim_mean(x, 0.25)`, the same rule). On one task it can hide
    failures: read it beside the mean and the seeds.
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=0)
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut].mean(axis=0)
    # Sorting puts NaN last, where the cut would hide it.
    return np.where(np.isnan(ordered[-1]), np.nan, middle)


def geometric_mean(values: ArrayLike) -> Any:
    """exp(mean over seeds of log x), for ratios and what spans decades: [S, ...] -> [...]; x > 0."""
    return np.exp(np.mean(np.log(np.asarray(values, dtype=float)), axis=0))


def difference_of_means(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Mean over seeds of ours [S] less that of theirs [S']."""
    return float(mean(ours) - mean(theirs))


def bootstrap_ci(
    statistic: Callable[..., Any],
    *samples: ArrayLike,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of `statistic(*samples)` over seeds (Efron 1979; Agarwal et al. 2021).

    Each sample is [S_i, ...]: its seeds are redrawn with replacement, apart from the other samples',
    `resamples` times; the interval's ends, [...], are the (1 - level)/2 and (1 + level)/2 quantiles of the
    statistic (an observed one, so that infinity is allowed). A curve [S, G] is resampled as a whole, all grid
    points at once. The same call gives the same numbers. NaN with fewer than two seeds: one seed shows no
    spread. With few seeds such an interval is too narrow (of width 0 where all of them agree).
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    if min(len(array) for array in arrays) < 2:
        nothing = np.full_like(np.asarray(statistic(*arrays), dtype=float), np.nan)
        return Interval(nothing, nothing)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(len(array), size=(resamples, len(array))) for array in arrays]
    statistics = np.stack(
        [statistic(*(array[draw[k]] for array, draw in zip(arrays, draws, strict=True))) for k in range(resamples)]
    )
    low, high = np.quantile(statistics, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    return Interval(low, high)


def align(env_steps: ArrayLike, values: ArrayLike, grid: ArrayLike, until: float = np.inf) -> Array:
    """A seed's curve on a common grid of environment steps, the last value carried forward: [R], [R], [G] ->
    [G].

    y(g) = x_r with the largest r such that env_steps_r <= g and x_r is a number. NaN before the first such
    record, and after `until` (the last step of a seed that is still running). Seeds that collect whole
    episodes take different numbers of steps an iteration, so records cannot be compared by their place.
    """
    steps, points, known = np.asarray(env_steps, float), np.asarray(grid, float), np.asarray(values, float)
    finite = ~np.isnan(known)
    steps, known = steps[finite], known[finite]
    place = np.searchsorted(steps, points, side="right") - 1
    curve = np.full(points.shape, np.nan)
    inside = (place >= 0) & (points <= until)
    curve[inside] = known[place[inside]]
    return curve


def steps_to_threshold(env_steps: ArrayLike, returns: ArrayLike, threshold: float) -> float:
    """min {env_steps_r : return_r >= threshold}, infinity where no record reaches it: [R], [R] -> scalar."""
    steps = np.asarray(env_steps, dtype=float)[np.asarray(returns, dtype=float) >= threshold]
    return float(steps.min()) if len(steps) else np.inf


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """P(X > Y) + P(X = Y) / 2 for a seed X of ours [S] and a seed Y of theirs [S'] (Mann-Whitney U / (S S')).

    Agarwal et al. 2021, section 4.3. 1/2 is no difference.
    """
    x, y = np.asarray(ours, dtype=float)[:, None], np.asarray(theirs, dtype=float)[None, :]
    return float(np.mean((x > y) + 0.5 * (x == y)))
