"""Who proposes trials. Optuna's TPE and Gaussian process learn from earlier trials; the other three are point sets:
trial n is a function of n and the seed alone.
"""

import itertools
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pgbench.errors import UserError
from sweeps.search.schema import Search
from sweeps.search.space import Dimension, Params

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

Space = tuple[Dimension, ...]
LEARNING = ("tpe", "gp")
STARTUP = 10  # random trials before a sampler that learns begins to
INSTALL = "pip install 'pgbench-rl[search]'"


def learner(search: Search, number: int) -> "BaseSampler":
    """The sampler for trial `number`, seeded by it, so that a study that went on equals one that was never stopped.

    Everything that decides a proposal is said here, since Optuna's defaults change between versions.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import GPSampler, RandomSampler, TPESampler

    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if search.sampler == "tpe":
            return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)
        if search.sampler == "gp":
            need_scipy("search.sampler=gp")
            return GPSampler(seed=seed, n_startup_trials=STARTUP, deterministic_objective=False)
        return RandomSampler(seed=seed)  # never asked: the points are enqueued


def points(search: Search, space: Space) -> Callable[[int], Params] | None:
    """Trial number -> its parameters, for random, grid and qmc; None for samplers that learn."""
    if search.sampler in LEARNING:
        return None
    if search.sampler == "grid":
        rows = grid(space, search.trials, search.seed)
        return lambda number: rows[number]
    if search.sampler == "random":
        return lambda number: place(space, np.random.default_rng([search.seed, number]).random(len(space)))
    sobol = sobol_points(len(space), search.trials, search.seed)
    return lambda number: place(space, sobol[number])


def size(search: Search, space: Space) -> int:
    """How many trials the study has: `trials`, or as many points as its grid has."""
    return len(grid(space, search.trials, search.seed)) if search.sampler == "grid" else search.trials


def place(space: Space, shares: np.ndarray) -> Params:
    """The point at shares [D] in [0, 1) of the dimensions."""
    return {dimension.key: dimension.at(float(u)) for dimension, u in zip(space, shares, strict=True)}


def grid(space: Space, trials: int, seed: int) -> list[Params]:
    """At most `trials` points: all choices, and on every interval as many values as fit, in random order.

    Raises UserError where the choices alone are more than `trials`.
    """
    counts = [dimension.values if dimension.kind == "choice" else 1 for dimension in space]
    if math.prod(counts) > trials:
        raise UserError(
            f"search.trials: got {trials}, but the choices of the grid alone are {math.prod(counts)} points"
        )
    free = [i for i, dimension in enumerate(space) if dimension.kind != "choice"]
    while free:  # one more value on the dimension with the fewest, while the grid still fits
        i = min(free, key=lambda i: counts[i])
        if counts[i] == space[i].values or math.prod(counts) // counts[i] * (counts[i] + 1) > trials:
            free.remove(i)
        else:
            counts[i] += 1
    values = [dimension.grid(count) for dimension, count in zip(space, counts, strict=True)]
    rows = [dict(zip([d.key for d in space], row, strict=True)) for row in itertools.product(*values)]
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]


def sobol_points(dimensions: int, count: int, seed: int) -> np.ndarray:
    """The first `count` points of a scrambled Sobol sequence, [count, dimensions]."""
    need_scipy("search.sampler=qmc")
    from scipy.stats.qmc import Sobol

    power = max(0, math.ceil(math.log2(count)))
    found: np.ndarray = Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed)).random_base2(power)
    return found[:count]


def need_scipy(what: str) -> None:
    """Raises UserError unless SciPy is there."""
    try:
        import scipy  # noqa: F401
    except ImportError:
        raise UserError(f"{what} needs SciPy: {INSTALL}") from None
