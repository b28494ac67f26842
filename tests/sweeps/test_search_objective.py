"""From a curve to a score to a value, in closed form; and the statistics of the confirmation."""

import math

import numpy as np
import pytest

from pgbench.errors import UserError
from reports.statistics import Interval, difference_interval, iqm_interval, mean_interval
from sweeps.search.confirmation import held_out, interval
from sweeps.search.objective import Curve, Objective, area, pooled, read_curve, solved_at, steps_to_threshold

CURVE = Curve(np.array([10.0, 20.0, 40.0]), np.array([1.0, 3.0, 2.0]), ready=1)


def objective(kind, **values):
    return Objective(kind, "mean", **values)


def test_scores():
    assert objective("final_return").score(CURVE, 40) == 2
    # 1 until the second record at 20 (carried back to 0), 3 until 40, where the curve ends; then 2 until 100
    assert area(CURVE, 40) == (1 * 20 + 3 * 20) / 40
    assert area(CURVE, 100) == (1 * 20 + 3 * 20 + 2 * 60) / 100
    assert area(CURVE, 30) == (1 * 20 + 3 * 10) / 30
    assert objective("area").score(CURVE, 40) == 2
    assert objective("steps_to_threshold", threshold=2).score(CURVE, 40) == 20
    assert objective("steps_to_threshold", threshold=9).score(CURVE, 40) == 80  # never: twice total_steps
    assert math.isnan(objective("area").score(Curve(np.array([]), np.array([]), 0), 40))


def test_a_threshold_needs_a_full_window_of_episodes():
    assert steps_to_threshold(CURVE, 1, 99) == 20
    assert steps_to_threshold(Curve(CURVE.steps, CURVE.returns, 3), 1, 99) == 99


def test_scores_of_several_tasks_are_comparable():
    assert objective("final_return", low=1, high=5, normalised=True).score(CURVE, 40) == 0.25
    assert objective("steps_to_threshold", threshold=2, normalised=True).score(CURVE, 40) == 0.5


def test_what_a_pruner_compares():
    assert objective("final_return").progress(CURVE, 25) == 3
    assert objective("area").progress(CURVE, 30) == area(CURVE.until(30), 30)
    assert objective("steps_to_threshold", threshold=9).progress(CURVE, 25) == -3


def test_pooling():
    values = [9.0, 1, 2, 3, 4, 5, 6, 100]
    assert pooled(values, "mean") == np.mean(values)
    assert pooled(values, "iqm") == np.mean([3, 4, 5, 6])
    assert math.isnan(pooled([1, math.nan], "iqm"))
    assert math.isnan(pooled([], "mean"))


def test_a_curve_is_read_while_it_is_written(tmp_path):
    assert not len(read_curve(tmp_path).steps)
    (tmp_path / "metrics.csv").write_text("env_steps,episodes,episode_return\n10,50,\n20,90,1.5\n30,100,2.5\n40,11")
    curve = read_curve(tmp_path)
    assert (curve.steps.tolist(), curve.returns.tolist(), curve.ready) == ([20, 30], [1.5, 2.5], 1)


def test_a_curve_of_evaluations_is_of_one_kind(tmp_path):
    """Drawn actions and the mode are two evaluations, and a torn last row is none."""
    of_mode = objective("final_return", evaluated=True)
    assert not len(of_mode.read(tmp_path).steps)
    rows = ["10,0,1.0,5,1", "10,1,3.0,5,1", "10,0,90.0,5,0", "20,0,4.0,5,1", "20,1,6.0,5,1", "30,0,7"]
    (tmp_path / "evaluations.csv").write_text("\n".join(["env_steps,episode,return,length,deterministic", *rows]))
    assert of_mode.read(tmp_path).returns.tolist() == [2, 5]
    assert of_mode.score(of_mode.read(tmp_path), 30) == 5
    assert objective("final_return", evaluated=False).read(tmp_path).returns.tolist() == [90]
    reached = objective("steps_to_threshold", threshold=2, evaluated=True)
    assert reached.score(reached.read(tmp_path), 30) == 10  # each evaluation is whole: no window to wait for


def test_thresholds_come_from_gymnasium_or_the_file():
    assert solved_at("CartPole-v1", None) == 475
    assert solved_at("CartPole-v1", 100) == 100
    with pytest.raises(UserError, match="threshold: missing"):
        solved_at("Pendulum-v1", None)


def test_held_out_scores_know_nothing_of_the_choice():
    # Candidate 0 wins on seeds other than 0, candidate 1 on those other than 1 and 2.
    table = np.array([[0.0, 4.0, 4.0], [5.0, 1.0, 1.0]])
    assert held_out(table, "mean", True).tolist() == [0, 1, 1]
    rng = np.random.default_rng(0)  # of equal candidates, the winner looks good, and held out it does not
    draws = rng.normal(size=(400, 4, 10))
    chosen = np.mean([draw.mean(axis=1).max() for draw in draws])
    honest = np.mean([held_out(draw, "mean", True).mean() for draw in draws])
    assert chosen > 0.25
    assert abs(honest) < 0.05


def test_intervals_are_those_of_the_reports():
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(3, 1, 9), rng.normal(1, 1, 7)
    assert interval(ours, "mean")[1:] == pytest.approx(mean_interval(ours))
    assert interval(ours, "iqm")[1:] == pytest.approx(iqm_interval(ours))
    assert interval(ours, "mean", theirs)[1:] == pytest.approx(difference_interval(ours, theirs))
    assert interval(ours, "mean", theirs).value == pytest.approx(ours.mean() - theirs.mean())
    assert math.isnan(interval(np.array([1.0]), "mean").low)
    # Not beyond what a return can be, unless one was.
    few, bounds = np.array([20.0, 90.0, 480.0]), Interval(1.0, 500.0)
    assert interval(few, "mean", possible=bounds)[1:] == (1, 500)
    assert interval(few, "mean", few + 1, bounds)[1:] == (-499, 499)
    assert interval(few * 2, "mean", possible=bounds).high > 960
    # Neither is a difference, where one of the samples was.
    ours, theirs, unit = np.array([30.0, 31, 32]), np.array([10.0, 11, 12]), Interval(0.0, 1.0)
    for one, other in ((ours, theirs), (ours, theirs / 100), (ours / 100, theirs)):
        assert interval(one, "mean", other, unit)[1:] == pytest.approx(difference_interval(one, other))


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_without_seeds_there_is_no_interval(statistic):
    none, two = np.array([]), np.array([1.0, 2.0])
    for sample, other in ((none, None), (none, two), (two, none)):
        assert all(map(math.isnan, interval(sample, statistic, other)))
