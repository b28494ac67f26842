"""The benchmark still runs and adds up, without the peers and in seconds."""

import csv
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.figure import draw
from tests.benchmarks.growth import AXES, BASE
from tests.benchmarks.losses import losses
from tests.benchmarks.measure import Contestant, Row, alternate, compare, rates
from tests.benchmarks.ours import ours
from tests.benchmarks.phases import ALGORITHMS, PHASES
from tests.benchmarks.table import markdown, write_csv

SMALL = ("hyperparameters.n_envs=4", "hyperparameters.n_steps=16", "hyperparameters.critic_steps=2")


def made_up() -> list[Row]:
    """Rows of every shape of part: a list, a pivot, shares."""
    speed = compare([30.0, 20.0, 60.0], [10.0, 10.0, 15.0], part="a", case="TRPO", quantity="rate", against="peer",
                    unit="env-steps/s", least=2.5)  # fmt: skip
    sizes = [(f"{axis} = {size}", size) for axis, sizes in AXES.items() for size in sizes]
    growth = [
        compare([1.0 * size], [10.0], part="d", case=case, quantity=quantity, against="base", unit=unit)
        for case, size in sizes
        for quantity, unit in (("rate", "env-steps/s"), ("memory", "MB"))
    ]
    shares = [
        compare([1.0], [9.0], part="e", case=name.upper(), quantity=phase, against="whole iteration", unit="ms")
        for name in ALGORITHMS
        for phase in PHASES
    ]
    return [speed, *growth, *shares]


def test_contestants_train_in_turn_and_their_phases_add_up() -> None:
    contestants = {
        name: ours(name, seeds, 2, *SMALL, module=module)
        for name, seeds, module in (("trpo", 2, "phases"), ("reinforce", 1, "ours"))
    }
    turns = alternate(contestants, times=2)
    assert [turn["steps"] for turn in turns["trpo"]] == [2 * 2 * 4 * 16] * 2, "iterations x seeds x N x T"
    assert all(rate > 0 for own in turns.values() for rate in rates(own))
    for turn in turns["trpo"]:
        assert all(turn[phase] > 0 for phase in PHASES), "every phase is found where it is called"
        assert sum(turn[phase] for phase in PHASES) == pytest.approx(turn["seconds"], rel=0.05)
        assert 50 < turn["peak"] < 1000


def test_an_evaluation_is_timed_alone() -> None:
    job = ("algorithm=trpo", "env=pendulum", "seeds=1", "evaluation.episodes=3")
    (turns,) = alternate({"evaluation": Contestant("evaluation", job, 2)}, times=1).values()
    assert turns[0]["steps"] == 2 * 3 * 200, "iterations x episodes x Pendulum's steps"


def test_a_ratio_is_the_median_over_alternations() -> None:
    row = made_up()[0]
    assert (row.low, row.ratio, row.high) == (2, 3, 4)
    assert row.target == ">= 2.5: met"
    seconds = compare([2.0], [9.0], less_is_better=True, part="c", case="", quantity="", against="", unit="s", least=5)
    assert (seconds.ratio, seconds.target) == (4.5, ">= 5: missed")


def test_table_and_figure(tmp_path: Path) -> None:
    rows = made_up()
    page = markdown(rows, "machine")
    assert "| TRPO | peer | **3.00** [2.00, 4.00] | 30 / 10 env-steps/s | >= 2.5: met |" in page
    short = compare(
        [0.476], [25.7], less_is_better=True, part="b", case="x", quantity="", against="y", unit="s", most=1
    )
    assert "0.48 / 26 s" in markdown([short], "machine")
    assert f"| width = {BASE.width} | 6.40 (64 env-steps/s) | 6.40 (64 MB) |" in page
    write_csv(tmp_path / "benchmark.csv", rows)
    with open(tmp_path / "benchmark.csv", newline="") as file:
        assert next(csv.DictReader(file))["ratio"] == "3"
    draw(tmp_path / "benchmark.png", rows)
    assert (tmp_path / "benchmark.png").stat().st_size > 10_000


def test_an_unknown_part_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "a,z"])
    assert "allowed is a,b,c,d,e,f,g,h" in capsys.readouterr().err


def test_the_shares_of_a_sweeps_time_add_up() -> None:
    found = losses(jobs=3, steps=2048, seeds=1, n_jobs=1)
    assert found["units"] == 3
    assert 0 < found["training"] < 1
    shares = ("training", "set-up", "records", "start", "between", "tail")
    assert sum(found[share] for share in shares) == pytest.approx(1, abs=0.01)
