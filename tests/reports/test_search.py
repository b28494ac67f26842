"""The figures and the table of a search, from its search.json alone."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from reports.__main__ import main
from reports.assemble import load_data
from reports.data import Data
from reports.figures import SEARCH
from reports.figures.search_budget import values
from reports.figures.search_history import best_so_far
from reports.search import Dimension, Study, expected_best, load, rows
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


def test_the_page_of_a_search_has_its_figures_and_the_runs_on_fresh_seeds(directory, write, tmp_path, capsys):
    """Tuning seeds and fresh ones of one setting are one job, and must not be pooled."""
    for part, seeds in (("trials", (1000, 1001)), ("confirmation", (2000, 2001, 2002))):
        for seed in seeds:
            write("npg", seed, root=directory / part)
    out = tmp_path / "out"
    assert main([str(directory), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "A search: 12 trials of npg-CartPole-v1. Figures and tables of runs are of the best trials and" in said
    told = content()
    told["studies"][0] |= {"confirmation": None}  # gone on with, and stopped before it was confirmed again
    told["studies"][0]["trials"][-1]["state"] = "running"
    (directory / "search.json").write_text(json.dumps(told))
    assert main([str(directory), "--out", str(tmp_path / "gone on")]) == 0
    assert (
        "A search: 11 trials of npg-CartPole-v1. Figures and tables of runs are of the best" in capsys.readouterr().out
    )
    assert "trial 4, the best in the search with 24.0, scores 21.0 [20.0, 22.5] on 2 fresh seeds" in said
    assert "the search was 3 too optimistic" in said
    assert "gains 1.5 [-0.5, 3] on the defaults, which may be nothing" in said
    for name in SEARCH:
        assert (out / f"{name}.png").stat().st_size > 5000
        assert len(pd.read_csv(out / f"{name}.csv"))
    page = (out / "index.html").read_text()
    assert "delta matters most (0.70 [0.35, 0.84]), activation least (0.10 [0.05, 0.12])." in page
    assert page.count('<figure id="search_') == len(SEARCH)
    assert "Search: every trial" in page
    table = (out / "summary.md").read_text()
    assert "| steps of the search | 1.2M |" in table
    assert "| trials | 10 done, 1 pruned, 1 failed |" in table
    account = json.loads((out / "final_return.json").read_text())
    assert list(account["used"].values()) == ["2000-2002"]
    assert account["searches"] == ["npg-CartPole-v1"]


def test_before_the_confirmation_the_trials_are_drawn(directory, write):
    write("npg", 1000, root=directory / "trials")
    data = load_data(directory)
    assert [seed.seed for group in data.groups for seed in group.seeds] == [1000]
    (directory / "search.json").unlink()
    (directory / "journal.log").touch()  # a search that has not paused yet
    data = load_data(directory)
    assert (len(data.groups), data.searches) == (1, ())


def test_where_the_defaults_win_it_is_said(tmp_path):
    (tmp_path / "search.json").write_text(json.dumps(content(winner=None)))
    studies = load(tmp_path)
    drawing = SEARCH["search_confirmation"](Data((), searches=tuple(studies)))
    assert "no trial beats the defaults, 21.0 [20.0, 22.5]" in drawing.sentence
    assert rows(studies)[0]["winner on fresh seeds"] == "defaults"


def test_a_key_without_a_default_number_has_no_line_of_it(tmp_path):
    """critic_batch: null is a batch of all, no place on an axis of numbers."""
    told = content()
    told["studies"][0]["defaults"]["hyperparameters.critic_steps"] = None
    (tmp_path / "search.json").write_text(json.dumps(told))
    drawing = SEARCH["search_slices"](Data((), searches=tuple(load(tmp_path))))
    assert [len(panel.lines) for panel in drawing.figure.axes[:3]] == [1, 1, 0]


def test_what_is_not_there_is_not_drawn(tmp_path):
    told = content()
    told["studies"][0] |= {"confirmation": None, "importance": {}}
    (tmp_path / "search.json").write_text(json.dumps(told))
    data = Data((), searches=tuple(load(tmp_path)))
    assert SEARCH["search_confirmation"](data) is None
    assert SEARCH["search_importance"](data) is None
    assert "winner on fresh seeds" not in rows(data.searches)[0]
    assert all(draw(Data(())) is None for draw in SEARCH.values())


def test_a_damaged_table_is_one_line(write, tmp_path, capsys):
    write(root=tmp_path / "trials")
    (tmp_path / "search.json").write_text("{")
    assert main([str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "re-run the command of the search" in told


def test_an_interval_of_the_budget_curve_covers(directory):
    (study,) = load(directory)
    reach = bootstrap_ci(expected_best, values(study), resamples=100)
    curve = expected_best(values(study))
    assert ((reach.low <= curve) & (curve <= reach.high)).all()
    assert math.isclose(curve[-1], 24, abs_tol=0.5)


def test_candidates_that_share_no_fresh_seed_are_drawn(directory, write, tmp_path):
    """As after a confirmation that was stopped."""
    told = content()
    told["studies"][0]["confirmation"] |= {"held_out": None, "gain": None}
    (directory / "search.json").write_text(json.dumps(told))
    for seed in (2000, 2001):
        write("npg", seed, root=directory / "confirmation")
    assert main([str(directory), "--out", str(tmp_path / "out")]) == 0
