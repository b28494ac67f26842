"""The figures of the slides' arguments: drawn from records that vary what they are about, with sentences that say what
the records show and when they do not show it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from reports import style
from reports.curves import Table
from reports.data import Data, Group, Seed
from reports.figures import ARGUMENTS, gae, gradient_variance, parameter_space, step_size, trust_region

DELTA = "hyperparameters.delta"
COLUMNS = ("env_steps", "episode_return", "episodes")


@pytest.fixture(autouse=True)
def _agg() -> Iterator[None]:
    mpl.use("Agg")
    with style.applied():
        yield


def group(finals: Sequence[float], algorithm: str = "trpo", /, **config: Any) -> Group:
    """A job of 1000 steps whose seeds end at these returns."""
    seeds = tuple(
        Seed(k, "done", Table(COLUMNS, np.array([[1000.0], [final], [100.0]])), 1000) for k, final in enumerate(finals)
    )
    keys = {"algorithm.name": algorithm, "env.id": "CartPole-v1", **config}
    return Group(
        job=str(keys),
        env="CartPole-v1",
        algorithm=algorithm,
        label=algorithm.upper(),
        hyperparameters="default",
        total_steps=1000,
        config=keys,
        statuses=Counter({"done": len(finals)}),
        seeds=seeds,
    )


def data(*groups: Group, measurements: pd.DataFrame | None = None) -> Data:
    return Data(groups=groups, measurements=pd.DataFrame() if measurements is None else measurements)


def test_no_argument_is_drawn_from_runs_that_do_not_vary_it() -> None:
    plain = data(group([1, 2], **{DELTA: 0.01}), group([1, 2], "npg", **{DELTA: 0.01}))
    assert all(draw(plain) is None for draw in ARGUMENTS.values())


def test_step_size_says_what_the_smallest_and_the_largest_lose() -> None:
    """Returns 10, 300, 290: the smallest loses 290 for sure, the largest perhaps nothing."""
    finals = {0.001: [10, 11, 9], 0.01: [200, 300, 400], 0.1: [290, 150, 430]}
    drawing = step_size.draw(data(*(group(x, **{DELTA: delta}) for delta, x in finals.items())))
    assert drawing is not None
    assert "CartPole-v1, TRPO: best at δ=0.01, return 300.0 [51.6, 548.4]; " in drawing.sentence
    assert "the smallest, δ=0.001 loses 290.0 [" in drawing.sentence
    assert drawing.sentence.endswith("which may be nothing.")
    (panel,) = drawing.figure.axes
    assert np.asarray(panel.lines[-1].get_xydata()).tolist() == [[0.001, 10], [0.01, 300], [0.1, 290]]


def test_step_size_needs_three_and_nothing_else_that_differs() -> None:
    three = [group([1, 2], **{DELTA: delta}) for delta in (0.1, 0.2, 0.3)]
    assert step_size.draw(data(*three)) is not None
    assert step_size.draw(data(*three[:2])) is None
    assert step_size.draw(data(*three, group([1, 2], **{DELTA: 0.1, "hyperparameters.gamma": 0.5}))) is None


@pytest.mark.parametrize(("last", "shown"), [(100.0, "for γ=0.9 alone"), (305.0, "the data do not show")])
def test_gae_says_whether_a_lambda_between_the_ends_is_best(last: float, shown: str) -> None:
    groups = [
        group([value + noise for noise in (-5, 0, 5)], "vpg", **{gae.GAMMA: gamma, gae.LAMBDA: lam})
        for gamma, values in ((0.9, (100.0, 300.0, last)), (1.0, (100.0, 200.0, 300.0)))
        for lam, value in zip((0.0, 0.5, 1.0), values, strict=True)
    ]
    drawing = gae.draw(data(*groups))
    assert drawing is not None
    assert shown in drawing.sentence
    assert "γ=1 is best with λ=1, 300.0 [287.6, 312.4] (λ=0 loses 200.0 [" in drawing.sentence


def test_trust_region_counts_what_leaves_it_and_what_the_search_does() -> None:
    """Two seeds, four updates each: NPG leaves it in 1 and 2 of 4, TRPO never; 1 of 8 rejected, 2 of 8 shortened."""
    groups = [group([1, 2], name, **{DELTA: delta}) for name in ("npg", "trpo") for delta in (0.1, 0.2)]
    columns = (*COLUMNS, "kl", "line_search_steps", "line_search_accepted")
    full = []
    for one in groups:
        factors = [[0.9, 0.5, 2.0, 0.9], [3.0, 0.9, 1.5, 0.5]] if one.algorithm == "npg" else [[0.9, 0.5, 0, 1.0]] * 2
        seeds = []
        for seed, (kls, tries) in enumerate(zip(factors, ([0, 1, 4, 0], [0, 1, 0, 0]), strict=True)):
            kl = np.array(kls) * float(one.config[DELTA])
            search = [tries, [int(i < 4) for i in tries]] if one.algorithm == "trpo" else np.full((2, 4), np.nan)
            numbers = np.array([[250, 500, 750, 1000], [1] * 4, [100] * 4, kl, *search], dtype=float)
            seeds.append(Seed(seed, "done", Table(columns, numbers), 1000))
        full.append(replace(one, seeds=tuple(seeds)))
    drawing = trust_region.draw(data(*full))
    assert drawing is not None
    # Student's t of the two seeds' shares, kept to what a share can be.
    assert "δ=0.1: KL exceeds δ in 37.5% [0%, 100%] of NPG's updates, up to 3 times, and in 0% " in drawing.sentence
    assert "shortens 25% [25%, 25%] and rejects 12.5% [0%, 100%]: only TRPO keeps" in drawing.sentence
    assert len(drawing.figure.axes) == 4


def test_gradient_variance_compares_each_weight_with_the_one_it_comes_from() -> None:
    """Each weight a tenth of the one before in the chain, but the TD residual twice the n-step advantage; its squared
    bias 3 times its variance."""
    one = group([1, 2], "vpg", measure="gradient_variance")
    size: dict[str | None, float] = {None: 1e6}
    for subject, (_, origin) in gradient_variance.CHAIN.items():
        size[subject] = size[origin] * (2 if subject == "TD residual" else 0.1)
    rows = [
        {
            "job": one.job,
            "seed": seed,
            "env_steps": 1000,
            "subject": subject,
            "distance": np.nan,
            "quantity": quantity,
            "value": value,
        }
        for seed in (0, 1)
        for subject in gradient_variance.CHAIN
        for quantity, value in (
            ("variance", size[subject] * (1 + seed)),
            ("squared_bias", 3 * size[subject] * (1 + seed)),
        )
    ]
    drawing = gradient_variance.draw(data(one, measurements=pd.DataFrame(rows)))
    assert drawing is not None
    assert "reward to go 0.1 [0.1, 0.1] of R(τ)" in drawing.sentence
    assert "TD residual 2 [2, 2] of n-step advantage; not shown to lower it: TD residual; " in drawing.sentence
    assert "the squared bias of the TD residual is 3 times its variance" in drawing.sentence


def test_parameter_space_compares_directions_at_one_distance() -> None:
    """KL 5 d^2 along the gradient and d^2 / 100 along the natural gradient: 500 times."""
    one = group([1, 2], "vpg", measure="policy_path")
    rows = [
        {
            "job": one.job,
            "seed": k,
            "env_steps": 1000,
            "subject": subject,
            "distance": d,
            "quantity": "kl",
            "value": c * d**2 * (1 + k),
        }
        for k in (0, 1)
        for subject, c in (("vanilla", 5.0), ("natural", 0.01))
        for d in (0.01, 0.1, 1.0)
    ]
    drawing = parameter_space.draw(data(one, measurements=pd.DataFrame(rows)))
    assert drawing is not None
    assert "‖d‖=0.1 along the gradient changes the policy by a KL 500 [500, 500] times" in drawing.sentence
    assert "from seed to seed it is 0.05 to 0.1 nats" in drawing.sentence


def test_kl_of_the_family_of_policies() -> None:
    """KL(Bernoulli(p) || Bernoulli(q)) by its definition, p = sigmoid(theta), q = sigmoid(theta + step)."""
    theta = np.array([-3.0, 0.0, 2.0])
    p, q = 1 / (1 + np.exp(-theta)), 1 / (1 + np.exp(-theta - 1.5))
    expected = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    np.testing.assert_allclose(parameter_space.bernoulli_kl(theta, 1.5), expected)
