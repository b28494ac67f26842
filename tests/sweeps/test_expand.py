"""A sweep's blocks become jobs: union of blocks, product of grids, zip side by side, the command line above all."""

from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgbench.composition import choices
from pgbench.errors import UserError
from sweeps.expand import expand, load
from sweeps.plan import resolve
from sweeps.search.command import plan

DELTA, GAMMA, ENVS = "hyperparameters.delta", "hyperparameters.gamma", "hyperparameters.n_envs"


@pytest.mark.parametrize(
    ("sweep", "line", "jobs"),
    [
        ({}, {}, [{}]),
        ({"seeds": 3}, {}, [{"seeds": 3}]),
        ({"seeds": 3}, {"seeds": [4]}, [{"seeds": 4}]),
        ({"jobs": [{"set": {"seeds": 1}}, {"set": {"seeds": 2}}]}, {}, [{"seeds": 1}, {"seeds": 2}]),
        ({"seeds": 5, "jobs": [{"set": {"seeds": 1}}, {}]}, {}, [{"seeds": 1}, {"seeds": 5}]),
        (
            {"jobs": [{"grid": {DELTA: [1, 2], GAMMA: [0, 1]}}]},
            {},
            [{DELTA: 1, GAMMA: 0}, {DELTA: 1, GAMMA: 1}, {DELTA: 2, GAMMA: 0}, {DELTA: 2, GAMMA: 1}],
        ),
        (
            {"jobs": [{"zip": {DELTA: [1, 2], GAMMA: [0, 1]}, "grid": {ENVS: [4]}}]},
            {},
            [{ENVS: 4, DELTA: 1, GAMMA: 0}, {ENVS: 4, DELTA: 2, GAMMA: 1}],
        ),
        ({"jobs": [{"set": {DELTA: 3}, "grid": {DELTA: [1, 2]}}]}, {}, [{DELTA: 1}, {DELTA: 2}]),
        ({"jobs": [{"grid": {DELTA: [1, 2]}}]}, {DELTA: [9]}, [{DELTA: 9}]),
        ({"jobs": [{}]}, {DELTA: [1, 2]}, [{DELTA: 1}, {DELTA: 2}]),
        ({"jobs": [{"set": {"env.kwargs.gravity": 5.0}}]}, {}, [{"env.kwargs.gravity": 5.0}]),
    ],
)
def test_table(sweep, line, jobs):
    assert expand(sweep, line) == jobs


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"sedes": 3}, r"sedes: no such key; did you mean 'seeds'\?"),
        ({"jobs": []}, "jobs: got .*, allowed is a list"),
        ({"jobs": [{}, {"gird": {}}]}, r"jobs\[1\]: gird: no such part .* 'grid'"),
        ({"jobs": [{"grid": {DELTA: 1}}]}, "delta: got 1, allowed is a list"),
        ({"jobs": [{"grid": {"hyperparameters.detla": [1]}}]}, "'hyperparameters.delta'"),
        ({"jobs": [{"zip": {DELTA: [1], GAMMA: [1, 2]}}]}, "delta has 1, hyperparameters.gamma has 2"),
        ({"jobs": ["algorithm=vpg"]}, r"jobs\[0\]: got 'algorithm=vpg', allowed is a mapping"),
    ],
)
def test_mistakes(sweep, message):
    with pytest.raises(UserError, match=message):
        resolve(expand(sweep))


values = st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True)
grids = st.dictionaries(st.sampled_from([DELTA, GAMMA, ENVS, "total_steps"]), values, max_size=3)


@given(st.lists(grids, min_size=1, max_size=3))
def test_every_combination_of_each_block_once(blocks):
    jobs = expand({"jobs": [{"grid": block} for block in blocks]})
    assert (
        len({repr(sorted(job.items())) for job in jobs}) == len(jobs) <= sum(prod(map(len, b.values())) for b in blocks)
    )
    for block in blocks:
        inside = [job for job in jobs if job.keys() == block.keys() and all(job[key] in block[key] for key in block)]
        assert len(inside) == prod(map(len, block.values()))


@given(grids, st.integers(0, 9))
def test_the_command_line_wins(block, value):
    assert all(job[DELTA] == value for job in expand({DELTA: 1, "jobs": [{"grid": block}]}, {DELTA: [value]}))


@pytest.mark.parametrize("name", choices("sweep"))
def test_each_sweep_resolves(name, tmp_path):
    sweep = load(name)
    assert sweep["description"]
    if "search" in sweep:
        studies = plan(sweep, {}, tmp_path)
        assert all(study.space and study.base for study in studies)
    else:
        assert resolve(expand(sweep))


def test_a_sweep_is_a_file(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("description: mine\ntotal_steps: 1000\njobs: [{grid: {hyperparameters.delta: [1e-3, 1e-2]}}]\n")
    jobs = resolve(expand(load(str(path))))
    assert [job.hyperparameters.delta for job in jobs] == [0.001, 0.01]
    path.write_text("jobs: [")
    with pytest.raises(UserError, match=r"cannot read .*mine.yaml"):
        load(str(path))
    with pytest.raises(UserError, match=r"got 'figure2', allowed is .*; did you mean 'figure1'"):
        load("figure2")
