"""Statistics over seeds, as pure functions of arrays. S seeds, G grid points, R records of one seed, M tasks.

The seed is the unit of replication. An interval of 95% is made so that it contains the true value in 95 of 100
studies, also with few seeds: Student's for means, order statistics for medians, a score interval for probabilities.
`python -m tests.reports.coverage` measures how often each really does.

Sources: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv 2108.13264),
whose rliable defines the aggregates; Patterson et al. 2024, "Empirical Design in Reinforcement Learning" (JMLR 25).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]
FEW = 5
"""With fewer seeds than this, figures say that there are too few."""


class Interval(NamedTuple):
    """The ends of an interval, each [...]."""

    low: Any
    high: Any


UNBOUNDED = Interval(-np.inf, np.inf)


def within(ends: Interval, possible: Interval) -> Interval:
    """The part of an interval that the quantity can be: ends [...] -> ends [...].

    A mean of returns of at most 200 is at most 200, wherever Student's formula ends; what is cut off holds no true
    value, so that the interval covers as before.
    """
    return Interval(np.clip(ends.low, *possible), np.clip(ends.high, *possible))


# Summaries: [S, ...] -> [...].


def mean(values: ArrayLike) -> Any:
    """1/S sum_s x_s: [S, ...] -> [...]."""
    return np.mean(np.asarray(values, dtype=float), axis=0)


def median(values: ArrayLike) -> Any:
    """The median over seeds, [S, ...] -> [...]; infinity counts as larger than any number."""
    return np.median(np.asarray(values, dtype=float), axis=0)


def iqm(values: ArrayLike) -> Any:
    """Interquartile mean: [S, ...] -> [...].

    The mean of what is left after dropping the floor(S / 4) smallest and as many largest (Agarwal et al. 2021; their
    rliable uses `scipy.stats.trim_mean(x, 0.25)`, the same rule). On one task it can hide failures: read it beside
    the mean and the seeds.
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=0)
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut].mean(axis=0)
    # Sorting puts NaN last, where the cut would hide it.
    return np.where(np.isnan(ordered[-1]), np.nan, middle)


def geometric_mean(values: ArrayLike) -> Any:
    """exp(mean over seeds of log x), for ratios and what spans decades: [S, ...] -> [...]; x > 0."""
    return np.exp(np.mean(np.log(np.asarray(values, dtype=float)), axis=0))


def optimality_gap(values: ArrayLike, goal: float = 1.0) -> Any:
    """goal - mean over seeds of min(x, goal): what is missing to the goal, overshoot not counted (Agarwal et al.
    2021): [S, ...] -> [...]."""
    return goal - np.minimum(np.asarray(values, dtype=float), goal).mean(axis=0)


def difference_of_means(ours: ArrayLike, theirs: ArrayLike) -> Any:
    """Mean over seeds of ours [S, ...] less that of theirs [S', ...]: [...]."""
    return mean(ours) - mean(theirs)


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> Any:
    """P(X > Y) + P(X = Y) / 2 for a seed X of ours [S, ...] and a seed Y of theirs [S', ...] (Mann-Whitney U / (S S')).

    Agarwal et al. 2021, section 4.3. 1/2 is no difference.
    """
    x, y = np.asarray(ours, dtype=float)[:, None], np.asarray(theirs, dtype=float)[None, :]
    return np.mean((x > y) + 0.5 * (x == y), axis=(0, 1))


# Intervals over the seeds of one job.


def student(level: float, freedom: ArrayLike) -> Any:
    """The (1 + level) / 2 quantile of Student's t with `freedom` degrees, [...]."""
    return special.stdtrit(freedom, (1 + level) / 2)


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's interval of the mean over seeds: [S, ...] -> ends [...] (Student 1908).

    mean +- t s / sqrt(S), with s the standard deviation over seeds and t the quantile of Student's distribution with
    S - 1 degrees of freedom. Exact where returns are normally distributed; a few points below its level where they are
    skewed. The percentile bootstrap, which is usual, contains the mean of three normal seeds 7 times in 10 instead of
    19 in 20. NaN with fewer than two seeds: one seed shows no spread.
    """
    array = np.asarray(values, dtype=float)
    center, half = array.mean(axis=0), _half(array, level)
    return Interval(center - half, center + half)


def _half(array: Array, level: float) -> Any:
    seeds = len(array)
    if seeds < 2:
        return np.full(array.shape[1:], np.nan)
    return student(level, seeds - 1) * array.std(axis=0, ddof=1) / np.sqrt(seeds)


def geometric_mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's interval of the mean of log x, back through exp: [S, ...] -> ends [...]; x > 0."""
    low, high = mean_interval(np.log(np.asarray(values, dtype=float)), level)
    return Interval(np.exp(low), np.exp(high))


def iqm_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's interval for a trimmed mean, here the interquartile mean: [S, ...] -> ends [...] (Tukey and McLaughlin
    1963).

    IQM +- t s_w sqrt((S - 1) / (h (h - 1))). h = S - 2 floor(S / 4) seeds are left after trimming, and t has h - 1
    degrees of freedom. s_w is the winsorised standard deviation: that of all S values after each dropped one was
    replaced by the nearest that was kept. With fewer than four seeds nothing is dropped, and this is `mean_interval`.
    """
    center = iqm(values)
    variance, freedom = _winsorised(values)
    if freedom < 1:
        nothing = np.full_like(np.asarray(center), np.nan)
        return Interval(nothing, nothing)
    half = student(level, freedom) * np.sqrt(variance)
    return Interval(center - half, center + half)


def _winsorised(values: ArrayLike) -> tuple[Any, int]:
    """The squared standard error of the interquartile mean, [...], and its degrees of freedom."""
    ordered = np.sort(np.asarray(values, dtype=float), axis=0)
    seeds, cut = len(ordered), len(ordered) // 4
    left = seeds - 2 * cut
    if left < 2:
        return np.full(ordered.shape[1:], np.nan), 0
    winsorised = np.clip(ordered, ordered[cut], ordered[seeds - 1 - cut])
    return winsorised.var(axis=0, ddof=1) * (seeds - 1) / (left * (left - 1)), left - 1


def median_interval(lowest: ArrayLike, highest: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """From the k-th smallest seed to the k-th largest: an interval for the median, whatever the distribution: [S] ->
    scalars.

    The median lies outside only if fewer than k of S seeds fall on one side of it; k is the largest number for which
    that is rare enough, P(Binomial(S, 1/2) < k) <= (1 - level) / 2. With fewer than six seeds even the range is not
    enough for 95%, and the ends are -infinity and infinity. A seed known only to lie between two values (a censored
    one) is given by both, as `lowest` and `highest`; the interval then holds for every value between.
    """
    low = np.sort(np.asarray(lowest, dtype=float))
    high = low if highest is None else np.sort(np.asarray(highest, dtype=float))
    seeds = len(low)
    place = int(np.sum(special.bdtr(np.arange(seeds // 2 + 1), seeds, 0.5) <= (1 - level) / 2)) if seeds else 0
    if not place:
        return Interval(-np.inf, np.inf)
    return Interval(float(low[place - 1]), float(high[seeds - place]))


def tolerance_interval(values: ArrayLike, share: float = 0.9, level: float = 0.95) -> tuple[Interval, float]:
    """A range that holds a `share` of all runs that this setting could give, and how sure that is: [S] -> ends,
    confidence (Wilks 1941; Patterson et al. 2024, section 4.3).

    It is about single runs, not about their mean. From the k-th smallest seed to the k-th largest, with the largest k
    whose confidence, P(Binomial(S, share) <= S - 2k), is at least `level`. With few seeds even k = 1, their whole
    range, does not get there, and the confidence given back is lower: 8% for a share of 0.9 and five seeds.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    seeds = len(ordered)
    if seeds < 2:
        return Interval(np.nan, np.nan), 0.0
    cuts = np.arange(1, seeds // 2 + 1)
    confidence = special.bdtr(seeds - 2 * cuts, seeds, share)
    place = max(int(np.sum(confidence >= level)), 1)
    return Interval(float(ordered[place - 1]), float(ordered[seeds - place])), float(confidence[place - 1])


def difference_interval(ours: ArrayLike, theirs: ArrayLike, level: float = 0.95) -> Interval:
    """Welch's interval of mean(ours) - mean(theirs): [S, ...], [S', ...] -> ends [...] (Welch 1947).

    The difference +- t sqrt(a + b), with a = s^2 / S and b = s'^2 / S' the squared standard errors of the means and t
    of (a + b)^2 / (a^2 / (S - 1) + b^2 / (S' - 1)) degrees of freedom. Seeds are not paired, and the two spreads may
    differ. NaN where either has fewer than two seeds.
    """
    x, y = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    center = np.asarray(difference_of_means(x, y))
    if min(len(x), len(y)) < 2:
        return Interval(np.full_like(center, np.nan), np.full_like(center, np.nan))
    a, b = x.var(axis=0, ddof=1) / len(x), y.var(axis=0, ddof=1) / len(y)
    return _welch(center, (a, len(x) - 1), (b, len(y) - 1), level)


def iqm_difference_interval(ours: ArrayLike, theirs: ArrayLike, level: float = 0.95) -> Interval:
    """The same of iqm(ours) - iqm(theirs), with winsorised variances and the seeds that are left (Yuen 1974)."""
    center, a, b = np.asarray(iqm(ours) - iqm(theirs)), _winsorised(ours), _winsorised(theirs)
    if min(a[1], b[1]) < 1:
        return Interval(np.full_like(center, np.nan), np.full_like(center, np.nan))
    return _welch(center, a, b, level)


def _welch(center: Any, ours: tuple[Any, int], theirs: tuple[Any, int], level: float) -> Interval:
    """Welch's interval from squared standard errors and their degrees of freedom."""
    (a, first), (b, second) = ours, theirs
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (a + b) ** 2 / (a**2 / first + b**2 / second)
    half = np.where(a + b > 0, student(level, np.where(a + b > 0, freedom, 1)) * np.sqrt(a + b), 0.0)
    return Interval(center - half, center + half)


def probability_interval(ours: ArrayLike, theirs: ArrayLike, level: float = 0.95) -> Interval:
    """Interval of the probability of improvement: [S, ...], [S', ...] -> ends [...] (Newcombe 2006, method 5).

    The values p that the data do not contradict: all p with |p - p_observed| <= z sqrt(V(p)),
    V(p) = p (1 - p) (1 + N (1 - p) / (2 - p) + N p / (1 + p)) / (S S'), N = (S + S') / 2 - 1
    It stays within [0, 1], and keeps a width where all seeds of one beat all of the other.
    """
    x, y = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    observed = np.asarray(probability_of_improvement(x, y), dtype=float)
    if min(len(x), len(y)) < 2:
        return Interval(np.full_like(observed, np.nan), np.full_like(observed, np.nan))
    pairs, extra = len(x) * len(y), (len(x) + len(y)) / 2 - 1
    z = special.ndtri((1 + level) / 2)

    def inside(p: Array) -> Any:
        spread = p * (1 - p) * (1 + extra * (1 - p) / (2 - p) + extra * p / (1 + p)) / pairs
        return np.abs(p - observed) <= z * np.sqrt(spread)

    ends = []
    for far in (np.zeros_like(observed), np.ones_like(observed)):
        near, edge = observed.copy(), far
        for _ in range(50):
            middle = (near + edge) / 2
            ok = inside(middle)
            near, edge = np.where(ok, middle, near), np.where(ok, edge, middle)
        ends.append(near)
    return Interval(ends[0], ends[1])


# Bootstrap.


def bootstrap_ci(
    statistic: Callable[..., Any],
    *samples: ArrayLike,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of `statistic(*samples)` over seeds (Efron 1979; Agarwal et al. 2021).

    Each sample is [S_i, ...]: its seeds are redrawn with replacement, apart from the other samples', `resamples`
    times; the ends, [...], are the (1 - level)/2 and (1 + level)/2 quantiles of the statistic (an observed one, so
    that infinity is allowed). `statistic` reduces axis 0 of arrays of any shape. The same call gives the same numbers.
    NaN with fewer than two seeds. Too narrow with few seeds: the suite draws it nowhere, it is here to compare.
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    if min(len(array) for array in arrays) < 2:
        nothing = np.full_like(np.asarray(statistic(*arrays), dtype=float), np.nan)
        return Interval(nothing, nothing)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(len(array), size=(len(array), resamples)) for array in arrays]
    statistics = statistic(*(array[draw] for array, draw in zip(arrays, draws, strict=True)))
    low, high = np.quantile(statistics, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    return Interval(low, high)


def stratified_bootstrap(
    statistic: Callable[[list[Array]], Any],
    tasks: Sequence[ArrayLike],
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    expand: bool = True,
) -> Interval:
    """Bootstrap interval of a statistic over tasks, each task's seeds redrawn within it: M arrays [S_m] -> ends [...].

    `statistic` takes the M arrays [S_m, ...] and reduces their axis 0. Percentiles of rliable's stratified bootstrap
    with `expand=False`. With few seeds those are too narrow, for redrawing S seeds shows (S - 1) / S of the variance;
    `expand` takes the quantiles Phi(-+ sqrt(S/(S-1)) t) instead, t Student's with sum (S_m - 1) degrees of freedom
    and S the fewest seeds (Hesterberg 2015, expanded percentile). NaN with fewer than two seeds.
    """
    arrays = [np.asarray(task, dtype=float) for task in tasks]
    fewest = min((len(array) for array in arrays), default=0)
    if fewest < 2:
        return Interval(np.nan, np.nan)
    rng = np.random.default_rng(seed)
    drawn = [array[rng.integers(len(array), size=(len(array), resamples))] for array in arrays]
    tail = (1 - level) / 2
    if expand:
        freedom = sum(len(array) - 1 for array in arrays)
        tail = special.ndtr(-np.sqrt(fewest / (fewest - 1)) * student(level, freedom))
    low, high = np.quantile(statistic(drawn), [tail, 1 - tail], axis=0)
    return Interval(low, high)


# Over tasks: M arrays [S_m] of normalised scores -> scalar (or [S_m, K] -> [K]).


def task_mean(tasks: Sequence[ArrayLike]) -> Any:
    """The mean over tasks of the mean over seeds."""
    return np.mean([mean(task) for task in tasks], axis=0)


def task_median(tasks: Sequence[ArrayLike]) -> Any:
    """The median over tasks of the mean over seeds."""
    return np.median([mean(task) for task in tasks], axis=0)


def task_iqm(tasks: Sequence[ArrayLike]) -> Any:
    """The interquartile mean of all seeds of all tasks, pooled."""
    return iqm(np.concatenate([np.asarray(task, dtype=float) for task in tasks]))


def task_optimality_gap(tasks: Sequence[ArrayLike]) -> Any:
    """The mean over tasks of the gap to a score of 1."""
    return np.mean([optimality_gap(task) for task in tasks], axis=0)


def performance_profile(tasks: Sequence[ArrayLike], levels: ArrayLike) -> Array:
    """The mean over tasks of the share of seeds with a score above each level: M arrays [S_m], [L] -> [L].

    Run-score distribution of Agarwal et al. 2021, section 4.2; of arrays [S_m, K]: [K, L].
    """
    points = np.asarray(levels, dtype=float)
    return np.asarray(
        np.mean([(np.asarray(task, dtype=float)[..., None] > points).mean(axis=0) for task in tasks], axis=0)
    )


def improvement_over_tasks(ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike]) -> Any:
    """The mean over tasks of the probability of improvement (rliable's `probability_of_improvement`)."""
    return np.mean([probability_of_improvement(x, y) for x, y in zip(ours, theirs, strict=True)], axis=0)


# Of one seed's curve.


def align(env_steps: ArrayLike, values: ArrayLike, grid: ArrayLike, until: float = np.inf) -> Array:
    """A seed's curve on a common grid of environment steps, the last value carried forward: [R], [R], [G] -> [G].

    y(g) = x_r with the largest r such that env_steps_r <= g and x_r is a number. NaN before the first such record, and
    after `until`, the last step the records speak of. Seeds that collect whole episodes take different numbers of
    steps an iteration, so records cannot be compared by their place.
    """
    steps, points, known = np.asarray(env_steps, float), np.asarray(grid, float), np.asarray(values, float)
    finite = ~np.isnan(known)
    steps, known = steps[finite], known[finite]
    place = np.searchsorted(steps, points, side="right") - 1
    curve = np.full(points.shape, np.nan)
    inside = (place >= 0) & (points <= until)
    curve[inside] = known[place[inside]]
    return curve


def area_under_curve(env_steps: ArrayLike, values: ArrayLike, end: float) -> float:
    """The integral of a seed's curve from its first value to `end`, each value held until the next: [R], [R] -> scalar.

    Units: return x environment steps.
    """
    steps, points = np.asarray(env_steps, dtype=float), np.asarray(values, dtype=float)
    known = ~np.isnan(points) & (steps <= end)
    if not known.any():
        return np.nan
    return float(np.sum(points[known] * np.diff(np.append(steps[known], end))))


def average(env_steps: ArrayLike, values: ArrayLike, end: float) -> float:
    """The area under the curve over its length: the mean return over training, [R], [R] -> scalar."""
    steps, points = np.asarray(env_steps, dtype=float), np.asarray(values, dtype=float)
    known = ~np.isnan(points) & (steps <= end)
    if not known.any():
        return np.nan
    length = end - steps[known][0]
    return area_under_curve(steps, points, end) / length if length > 0 else float(points[known][-1])


def best(env_steps: ArrayLike, values: ArrayLike, end: float) -> float:
    """The largest value up to `end`: [R], [R] -> scalar. The largest of many noisy numbers is too high: never compare
    it with a final one."""
    points = np.asarray(values, dtype=float)[np.asarray(env_steps, dtype=float) <= end]
    return float(np.nanmax(points)) if np.isfinite(points).any() else np.nan


def steps_to_threshold(env_steps: ArrayLike, returns: ArrayLike, threshold: float) -> float:
    """min {env_steps_r : return_r >= threshold}, infinity where no record reaches it: [R], [R] -> scalar."""
    steps = np.asarray(env_steps, dtype=float)[np.asarray(returns, dtype=float) >= threshold]
    return float(steps.min()) if len(steps) else np.inf


def censored_median(times: ArrayLike, ends: ArrayLike) -> float:
    """The median of times of which some are known only to be larger than the seed's end: [S], [S] -> scalar.

    The first time t at which Kaplan and Meier's survival, prod_{t_i <= t} (1 - d_i / n_i), is at most 1/2 (1958); d_i
    seeds reach at t_i, n_i have not reached nor ended before. `times` of infinity are censored at `ends`. Infinity
    where survival stays above 1/2. With equal ends it is the median that counts censored seeds as infinity, but for
    an even number of seeds: then the lower of the two middle ones.
    """
    reached, last = np.asarray(times, dtype=float), np.asarray(ends, dtype=float)
    known = np.isfinite(reached)
    seen = np.where(known, reached, last)
    survival = 1.0
    for time in np.unique(reached[known]):
        survival *= 1 - np.sum(known & (reached == time)) / np.sum(seen >= time)
        if survival <= 0.5 + 1e-12:
            return float(time)
    return np.inf


def steps_interval(times: ArrayLike, ends: ArrayLike, level: float = 0.95) -> Interval:
    """Interval of the median time to the threshold, a censored seed anywhere between its end and infinity: [S] twice ->
    scalars (`median_interval`); 0 for an unbounded lower end."""
    reached = np.asarray(times, dtype=float)
    low, high = median_interval(np.where(np.isfinite(reached), reached, np.asarray(ends, dtype=float)), reached, level)
    return Interval(max(low, 0.0), high)


# Between settings.


def variance_shares(scores: ArrayLike, keys: Sequence[Sequence[Any]]) -> Array:
    """The share of the variance between J settings that each key explains alone: [J], K columns of J values -> [K].

    eta_k^2 = Var(E[score | key k]) / Var(score), less what a key that means nothing would explain by chance
    (omega squared's correction: (L - 1) / (J - 1) of the unexplained share, with L levels of the key), at least 0. A
    number with more than five values is cut at its quintiles first. The rest is interplay of keys and noise of seeds.
    """
    values = np.asarray(scores, dtype=float)
    total = float(np.sum((values - values.mean()) ** 2))
    shares = []
    for key in keys:
        levels = _levels(key)
        count = int(levels.max()) + 1
        if not total or count < 2 or count >= len(values):
            shares.append(0.0 if total else np.nan)
            continue
        sizes = np.bincount(levels)
        means = np.bincount(levels, values) / sizes
        between = float(np.sum(sizes * (means - values.mean()) ** 2))
        noise = (total - between) / (len(values) - count)
        shares.append(max(between - (count - 1) * noise, 0.0) / (total + noise))
    return np.array(shares)


def _levels(key: Sequence[Any]) -> NDArray[np.int64]:
    """Each setting's level of a key, as integers from 0."""
    names = list(dict.fromkeys(map(repr, key)))
    if len(names) > 5 and all(isinstance(value, int | float) for value in key):
        numbers = np.asarray(key, dtype=float)
        cuts = np.unique(np.quantile(numbers, [0.2, 0.4, 0.6, 0.8]))
        return np.unique(np.searchsorted(cuts, numbers), return_inverse=True)[1]
    return np.array([names.index(repr(value)) for value in key])
