"""What is searched: Hydra's words, their meaning, and what of it an algorithm reads."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgbench.composition import compose
from pgbench.errors import UserError
from sweeps.search.samplers import grid, place, sobol_points
from sweeps.search.space import Dimension, deciding, encode, parse_space, relevant

DELTA, STEPS, LAMBDA = "hyperparameters.delta", "hyperparameters.critic_steps", "hyperparameters.gae_lambda"

CONFIGS = {name: compose([f"algorithm={name}"]) for name in ("reinforce", "vpg", "npg", "trpo")}


def one(text, key=DELTA):
    (dimension,) = parse_space({key: text})
    return dimension


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("interval(0.1, 1)", Dimension(DELTA, "float", 0.1, 1.0)),
        ("interval(1, 8)", Dimension(DELTA, "float", 1.0, 8.0)),
        ("tag(log, interval(1e-4, 0.1))", Dimension(DELTA, "float", 1e-4, 0.1, log=True)),
        ("int(interval(5, 80))", Dimension(DELTA, "int", 5, 80)),
        ("tag(log, int(interval(8, 512)))", Dimension(DELTA, "int", 8, 512, log=True)),
        ("int(tag(log, interval(8, 512)))", Dimension(DELTA, "int", 8, 512, log=True)),
        ("range(1, 8)", Dimension(DELTA, "int", 1, 7, step=1)),  # as in Hydra's grids, stop is excluded
        ("range(4, 20, 4)", Dimension(DELTA, "int", 4, 16, step=4)),
        ("range(0.9, 0.99, step=0.01)", Dimension(DELTA, "float", 0.9, 0.98, step=0.01)),
        ("choice(tanh, relu)", Dimension(DELTA, "choice", choices=("tanh", "relu"))),
        ("1,2", Dimension(DELTA, "choice", choices=(1, 2))),
        ([[64, 64], [32]], Dimension(DELTA, "choice", choices=([64, 64], [32]))),
    ],
)
def test_hydras_words(text, dimension):
    assert one(text) == dimension
    distribution = dimension.distribution()
    for value in dimension.grid(3):
        assert distribution._contains(distribution.to_internal_repr(encode(value)))
        assert dimension.decode(encode(value)) == value


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        (DELTA, "uniform(0, 1)", "got 'uniform.*allowed is interval"),
        (DELTA, "0.1", "allowed is interval"),
        (DELTA, "interval(1, 0.1)", "a lower bound below the upper one"),
        (DELTA, "tag(log, interval(0, 1))", "a logarithm needs a lower bound above 0"),
        (DELTA, "interval(0, inf)", "finite bounds"),
        (DELTA, "tag(log, choice(1, 2))", "no logarithm"),
        (DELTA, "tag(log, range(1, 9))", "write tag"),
        (DELTA, "range(1, 2)", "at least two values"),
        (DELTA, [1, 1], "two different values"),
        ("algorithm.advantag", "interval(0, 1)", "no such key; did you mean 'algorithm.advantage'"),
        ("total_steps", "interval(0, 1)", "cannot be searched"),
    ],
)
def test_mistakes_are_told(key, text, message):
    with pytest.raises(UserError, match=message):
        one(text, key)


@pytest.mark.parametrize(
    ("text", "counts"),
    [("range(0, 4)", [25] * 4), ("choice(a, b, c, d)", [25] * 4), ("int(interval(1, 4))", [25] * 4)],
)
def test_equal_shares_are_equally_likely_values(text, counts):
    values = [one(text).at((i + 0.5) / 100) for i in range(100)]
    assert [values.count(value) for value in dict.fromkeys(values)] == counts


def test_a_logarithm_spreads_over_decades():
    log = one("tag(log, interval(0.001, 0.1))")
    np.testing.assert_allclose([log.at(0), log.at(0.5)], [0.001, 0.01])
    np.testing.assert_allclose(log.grid(3), [0.001, 0.01, 0.1])


@given(st.integers(1, 60), st.integers(0, 5))
def test_a_grid_fits_its_budget_and_has_no_point_twice(trials, seed):
    space = parse_space({DELTA: "tag(log, interval(0.001, 0.1))", STEPS: "range(1, 4)", LAMBDA: "interval(0, 1)"})
    rows = grid(space, trials, seed)
    assert 1 <= len(rows) <= trials
    assert len({str(row) for row in rows}) == len(rows)
    assert {row[STEPS] for row in rows} <= {1, 2, 3}
    if trials >= 27:
        assert {row[DELTA] for row in rows} >= {0.001, 0.1}


def test_a_grid_takes_all_choices_or_says_so():
    space = parse_space({DELTA: [1, 2, 3], STEPS: [1, 2]})
    assert len(grid(space, 100, 0)) == 6
    with pytest.raises(UserError, match="the grid alone are 6 points"):
        grid(space, 5, 0)


def test_sobol_points_fill_the_space_evenly():
    points = sobol_points(2, 16, 0)
    assert (np.histogram2d(*points.T, bins=4, range=[[0, 1]] * 2)[0] == 1).all()
    assert (sobol_points(2, 10, 0) == points[:10]).all()
    space = parse_space({DELTA: "interval(0, 1)", STEPS: "int(interval(1, 4))"})
    assert place(space, np.array([0.25, 0.99])) == {DELTA: 0.25, STEPS: 4}


READ = {  # key -> the algorithms that read it with their own settings
    "learning_rate": "reinforce vpg",
    "optimizer": "reinforce vpg",
    "delta": "npg trpo",
    "cg_damping": "npg trpo",
    "line_search_steps": "trpo",
    "gae_lambda": "vpg npg trpo",
    "critic_steps": "vpg npg trpo",
    "n_step": "",
    "gamma": "reinforce vpg npg trpo",
    "hidden": "reinforce vpg npg trpo",
}


@pytest.mark.parametrize("key", READ)
def test_a_value_nobody_reads_is_not_searched(key):
    space = (Dimension(f"hyperparameters.{key}", "float", 0, 1),)
    assert [name for name in CONFIGS if relevant(space, [CONFIGS[name]])] == READ[key].split()


def test_a_searched_choice_decides_what_is_read():
    space = parse_space({"algorithm.advantage": "choice(gae, n_step)", "hyperparameters.n_step": "range(1, 9)"})
    assert deciding(space) == [{"algorithm.advantage": "gae"}, {"algorithm.advantage": "n_step"}]
    other = replace(CONFIGS["vpg"], algorithm=replace(CONFIGS["vpg"].algorithm, advantage="n_step"))
    assert not CONFIGS["vpg"].takes("hyperparameters.n_step")
    assert other.takes("hyperparameters.n_step")
