"""The figures and the table of a search, from its search.json alone."""

import json
import math

import numpy as np
import pytest

from reports.figures.search import SEARCH
from reports.figures.search_budget import values
from reports.figures.search_history import best_so_far
from reports.search import Dimension, Study, expected_best, load, main, rows
from reports.statistics import bootstrap_ci


def dimension(key, kind, low=0.0, high=0.0, log=False, choices=()):
    return {"key": key, "kind": kind, "low": low, "high": high, "log": log, "step": None, "choices": list(choices)}


def content(direction="maximize", winner=4):
    rng, sign = np.random.default_rng(0), 1 if direction == "maximize" else -1
    keys = ("hyperparameters.delta", "hyperparameters.activation", "hyperparameters.critic_steps")
    trials = []
    for number in range(12):
        state = {3: "pruned", 7: "failed"}.get(number, "done")
        params = dict(
            zip(keys, (float(10 ** rng.uniform(-3, -1)), ["tanh", "relu"][number % 2], 5 + number), strict=True)
        )
        trial = {"number": number, "state": state, "params": params, "along": {}, "env_steps": 100, "seconds": 3600.0}
        trials.append({**trial, "value": sign * (20.0 + number % 5) if state == "done" else None})
    confirmed = {"value": 21.0, "low": 20.0, "high": 22.5}
    candidates = [
        {
            "trial": t,
            "searched": s,
            "params": {},
            "jobs": [],
            "scores": {"2000": 20.0, "2001": 22.0},
            "confirmed": confirmed,
        }
        for t, s in ((4, 24.0), (9, 24.0), (None, None))
    ]
    study = {
        "name": "npg-CartPole-v1",
        "algorithm": "npg",
        "envs": ["CartPole-v1"],
        "total_steps": 1000,
        "space": [
            dimension(keys[0], "float", 0.001, 0.1, log=True),
            dimension(keys[1], "choice", choices=("tanh", "relu")),
            dimension(keys[2], "int", 5, 80),
        ],
        "defaults": {keys[0]: 0.01, keys[1]: "tanh", keys[2]: 80},
        "objective": "final_return" if sign > 0 else "steps_to_threshold",
        "statistic": "mean",
        "direction": direction,
        "sampler": "tpe",
        "pruner": "median",
        "tasks": None,
        "seeds": [1000, 1001],
        "trials": trials,
        "importance": {
            key: {"value": v, "low": v / 2, "high": v * 1.2} for key, v in zip(keys, (0.7, 0.1, 0.2), strict=True)
        },
        "confirmation": {
            "seeds": [2000, 2001],
            "best": 4,
            "searched": 24.0,
            "optimism": 3.0,
            "winner": winner,
            "confirmed": confirmed,
            "held_out": {"value": 20.5, "low": None, "high": None},
            "gain": {"value": 1.5, "low": -0.5, "high": 3.0},
            "candidates": candidates,
        },
        "cost": {"env_steps": 1_200_000, "seconds": 7200.0},
    }
    return {"format": 1, "description": "", "studies": [study]}


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "search.json").write_text(json.dumps(content()))
    return tmp_path


def test_expected_best_is_dodges_formula():
    # of two draws with replacement from {1, 2}: the best is 1 with probability 1/4
    np.testing.assert_allclose(expected_best([2.0, 1.0]), [1.5, 1.75])
    np.testing.assert_allclose(expected_best([2.0, 1.0], maximize=False), [1.5, 1.25])
    sample = np.random.default_rng(0).normal(size=30)
    draws = np.random.default_rng(1).choice(sample, size=(200_000, 7)).max(axis=1)
    assert abs(expected_best(sample)[6] - draws.mean()) < 0.01
    assert expected_best(sample)[0] == pytest.approx(sample.mean())


def test_a_trial_without_a_value_counts_as_the_worst(directory):
    (study,) = load(directory)
    assert len(values(study)) == 12
    assert sorted(values(study))[:3] == [20.0, 20.0, 20.0]


def test_history_and_marks(directory):
    (study,) = load(directory)
    numbers, best = best_so_far(study)
    assert numbers.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    assert best.tolist() == [20, 21, 22, 24, 24, 24, 24, 24, 24, 24]
    assert study.marked["number"] == 4
    fewer = Study("", "", (), content("minimize", None)["studies"][0])
    assert best_so_far(fewer)[1].tolist()[:4] == [-20, -21, -22, -24]
    assert fewer.marked["number"] == 4


def test_places_on_an_axis():
    log = Dimension("a.b", "float", 0.01, 1.0, True, ())
    assert (log.name, log.share(0.1), log.at(0.1)) == ("b", pytest.approx(0.5), 0.1)
    choice = Dimension("a.b", "choice", 0, 0, False, ("x", [64, 64]))
    assert (choice.at([64, 64]), choice.share("x"), choice.labels) == (1, 0.25, ["x", "[64, 64]"])


def test_everything_is_drawn_and_said(directory, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(directory), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for name in SEARCH:
        assert (out / f"{name}.png").stat().st_size > 5000
        assert f"{name}: " in said
    assert "trial 4, the best in the search with 24.0, scores 21.0 [20.0, 22.5] on 2 fresh seeds" in said
    assert "the search was 3 too optimistic" in said
    assert "gains 1.5 [-0.5, 3] on the defaults, which may be nothing" in said
    assert "delta matters most (0.70 [0.35, 0.84]), activation least (0.10 [0.05, 0.12])." in said
    table = (out / "search.md").read_text()
    assert "| steps of the search | 1.2M |" in table
    assert "| trials | 10 done, 1 pruned, 1 failed |" in table
    assert (out / "search.html").read_text().count("<img") == len(SEARCH)


def test_where_the_defaults_win_it_is_said(tmp_path):
    (tmp_path / "search.json").write_text(json.dumps(content(winner=None)))
    studies = load(tmp_path)
    assert "no trial beats the defaults, 21.0 [20.0, 22.5]" in SEARCH["search_confirmation"](studies).sentence
    assert rows(studies)[0]["winner on fresh seeds"] == "defaults"


def test_what_is_not_there_is_not_drawn(tmp_path):
    told = content()
    told["studies"][0] |= {"confirmation": None, "importance": {}}
    (tmp_path / "search.json").write_text(json.dumps(told))
    studies = load(tmp_path)
    assert SEARCH["search_confirmation"](studies) is None
    assert SEARCH["search_importance"](studies) is None
    assert "winner on fresh seeds" not in rows(studies)[0]


def test_a_directory_without_a_search_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interval_of_the_budget_curve_covers(directory):
    (study,) = load(directory)
    reach = bootstrap_ci(expected_best, values(study), resamples=100)
    curve = expected_best(values(study))
    assert ((reach.low <= curve) & (curve <= reach.high)).all()
    assert math.isclose(curve[-1], 24, abs_tol=0.5)
