"""How often nominal 95% intervals hold what they should, by number of seeds: `python -m tests.reports.coverage`.

Simulated returns of three shapes: normal; skewed (lognormal, sigma 0.75); and two-humped, as where one seed in four
never learns. A table of percentages, in Markdown; docs/explanation/statistics.md holds it.
"""

import sys
from collections.abc import Callable

import numpy as np

from reports.statistics import (
    Array,
    Interval,
    bootstrap_ci,
    difference_interval,
    iqm,
    iqm_interval,
    mean,
    mean_interval,
    median_interval,
    probability_interval,
    stratified_bootstrap,
    task_iqm,
)

SEEDS = (3, 5, 10, 20, 50)
TASKS = 4
Draw = Callable[[np.random.Generator, int], Array]
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: rng.lognormal(sigma=0.75, size=n),
    "two-humped": lambda rng, n: np.where(rng.random(n) < 0.25, rng.normal(0, 0.3, n), rng.normal(3, 0.3, n)),
}


def cases(draw: Draw) -> dict[str, tuple[Callable[[np.random.Generator, int], Interval], float]]:
    """Each interval as a function of a fresh sample, and the truth it should hold."""
    rng = np.random.default_rng(0)
    many = draw(rng, 1_000_000)
    truth, middle = float(many.mean()), float(np.median(many))

    def tasks(rng: np.random.Generator, n: int) -> list[Array]:
        return [draw(rng, n) + k for k in range(TASKS)]

    pooled = float(task_iqm([many[:250_000] + k for k in range(TASKS)]))
    return {
        "mean, Student (used)": (lambda r, n: mean_interval(draw(r, n)), truth),
        "mean, percentile bootstrap": (lambda r, n: bootstrap_ci(mean, draw(r, n), resamples=500), truth),
        "IQM, winsorised (used)": (lambda r, n: iqm_interval(draw(r, n)), float(iqm(many))),
        "IQM, percentile bootstrap": (lambda r, n: bootstrap_ci(iqm, draw(r, n), resamples=500), float(iqm(many))),
        "median, order statistics (used)": (lambda r, n: median_interval(draw(r, n)), middle),
        "difference, Welch (used)": (lambda r, n: difference_interval(draw(r, n), 2 * draw(r, n)), -truth),
        "P(X > Y), Newcombe (used)": (lambda r, n: probability_interval(draw(r, n), draw(r, n)), 0.5),
        "IQM over 4 tasks, expanded bootstrap (used)": (
            lambda r, n: stratified_bootstrap(task_iqm, tasks(r, n), resamples=500),
            pooled,
        ),
        "IQM over 4 tasks, rliable's bootstrap": (
            lambda r, n: stratified_bootstrap(task_iqm, tasks(r, n), resamples=500, expand=False),
            pooled,
        ),
    }


def coverage(interval: Callable[[np.random.Generator, int], Interval], truth: float, n: int, trials: int) -> float:
    """The share of trials whose interval holds the truth."""
    rng = np.random.default_rng(n)
    ends = [interval(rng, n) for _ in range(trials)]
    return float(np.mean([low <= truth <= high for low, high in ends]))


def main(trials: int = 2000) -> None:
    print(f"| interval | shape | {' | '.join(f'n = {n}' for n in SEEDS)} |")
    print(f"| --- | --- | {' | '.join(['---'] * len(SEEDS))} |")
    known = {shape: cases(draw) for shape, draw in SHAPES.items()}
    for name in known["normal"]:
        for shape in SHAPES:
            interval, truth = known[shape][name]
            cells = [f"{coverage(interval, truth, n, trials):.1%}" for n in SEEDS]
            print(f"| {name} | {shape} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
