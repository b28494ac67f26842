"""Jobs become units: same records, same job; each open seed in one unit; no worker idle for want of a split."""

import re
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgbench.composition import compose
from pgbench.errors import UserError
from sweeps.expand import expand
from sweeps.plan import Unit, resolve, shrink, split, spread

BASE = compose([])


def test_resolving_is_what_hydra_composes():
    overrides = {"algorithm": "npg", "hyperparameters.delta": 0.02, "env": "acrobot", "seeds": [3, 4]}
    strings = ["algorithm=npg", "hyperparameters.delta=0.02", "env=acrobot", "seeds=[3,4]"]
    assert resolve([overrides]) == [compose(strings)]


def test_jobs_with_the_same_records_are_one_with_the_seeds_of_both():
    (job,) = resolve([{"seeds": 2}, {"seeds": [7, 1], "hyperparameters.delta": "1e-2"}])
    assert job.seed_list == (0, 1, 7)


def test_jobs_in_two_directories_are_two():
    jobs = resolve(
        [{"output_dir": "x", "seeds": 2}, {"output_dir": "y", "seeds": 3}, {"output_dir": "./x/", "seeds": [9]}]
    )
    assert [(job.output_dir, job.seed_list) for job in jobs] == [("x", (0, 1, 9)), ("y", (0, 1, 2))]
    assert len({job.job_name for job in jobs}) == 1


@pytest.mark.parametrize(
    ("key", "value"), [("evaluation.every", 1000), ("tracking.tags", ["a"]), ("other_code", "resume")]
)
def test_a_job_has_one_of_each_setting(key, value):
    """Also where the algorithm does not read what else differs."""
    message = rf"^{key}: got .* and {re.escape(repr(value))} for one job, vpg-CartPole-v1-\w+; allowed is one of them"
    with pytest.raises(UserError, match=message):
        resolve([{"algorithm": "vpg"}, {"algorithm": "vpg", "hyperparameters.delta": 0.5, key: value}])
    assert len(resolve([{"algorithm": "vpg"}, {"algorithm": "npg", key: value}])) == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"algorithm": "trop"}, "algorithm: got 'trop', allowed is .*'trpo'"),
        ({"hyperparameters.delta": -1}, "hyperparameters.delta: got -1"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"total_steps.x": 0}, "total_steps.x: no such key"),
    ],
)
def test_mistakes(overrides, message):
    with pytest.raises(UserError, match=message):
        resolve([overrides])


def test_ten_thousand_runs_expand_within_seconds():
    begun = time.monotonic()
    grid = {
        "hyperparameters.delta": [0.001 * i for i in range(1, 101)],
        "hyperparameters.gamma": [i / 100 for i in range(25)],
    }
    jobs = resolve(expand({"seeds": 4, "jobs": [{"grid": {"algorithm": ["npg", "trpo"], **grid}}]}))
    units = split([(job, job.seed_list) for job in jobs], 2)
    assert sum(len(unit.seeds) for unit in units) == 20_000
    assert time.monotonic() - begun < 20


def test_a_grid_over_a_key_trains_an_algorithm_that_does_not_read_it_once():
    grid = {"algorithm": ["vpg", "npg"], "hyperparameters.delta": [0.001, 0.01, 0.1]}
    jobs = resolve(expand({"jobs": [{"grid": grid}]}))
    assert [job.algorithm.name for job in jobs] == ["vpg", "npg", "npg", "npg"]


def test_equal_jobs_of_other_lengths_are_one_of_the_longest():
    (job,) = resolve([{"total_steps": 10, "snapshots": [5]}, {"total_steps": 30}, {"total_steps": 20, "seeds": 7}])
    assert (job.total_steps, job.seed_list, job.snapshots) == (30, tuple(range(7)), (5,))


counts = st.lists(st.integers(0, 12), min_size=1, max_size=6)


@settings(deadline=None)
@given(counts, st.integers(1, 8), st.none() | st.integers(1, 12))
def test_each_open_seed_is_in_one_unit(counts, workers, size):
    todo = [(replace(BASE, total_steps=1000 * (i + 1)), range(count)) for i, count in enumerate(counts)]
    units = split(todo, workers, size)
    for job, seeds in todo:
        assert sorted(seed for unit in units if unit.config is job for seed in unit.seeds) == list(seeds)
    assert all(len(unit.seeds) <= (size or 5) for unit in units)
    assert [unit.cost for unit in units] == sorted((unit.cost for unit in units), reverse=True)


@pytest.mark.parametrize(
    ("jobs", "seeds", "workers", "size", "sizes"),
    [
        (1, 5, 1, None, [5]),
        (1, 10, 1, None, [5, 5]),
        (1, 10, 2, None, [5, 5]),
        (1, 10, 4, None, [3, 2, 3, 2]),
        (1, 4, 8, None, [1, 1, 1, 1]),
        (4, 10, 2, None, [5] * 8),
        (1, 10, 2, 10, [10]),
        (1, 0, 2, None, []),
    ],
)
def test_split_keeps_the_workers_busy(jobs, seeds, workers, size, sizes):
    todo = [(replace(BASE, total_steps=1000 + i), range(seeds)) for i in range(jobs)]
    assert sorted(len(unit.seeds) for unit in split(todo, workers, size)) == sorted(sizes)


@pytest.mark.parametrize(
    ("seeds", "parts", "sizes"), [(5, 2, [2, 3]), (4, 2, [2, 2]), (3, 8, [1, 1, 1]), (1, 2, [1]), (0, 3, [])]
)
def test_a_unit_is_spread_evenly(seeds, parts, sizes):
    units = spread(Unit(BASE, tuple(range(9))), range(seeds), parts)
    assert [len(unit.seeds) for unit in units] == sizes
    assert [seed for unit in units for seed in unit.seeds] == list(range(seeds))
    if seeds:
        whole = Unit(BASE, tuple(range(seeds)))
        assert max(unit.cost for unit in units) == pytest.approx(whole.cost * shrink(seeds, len(units)))
