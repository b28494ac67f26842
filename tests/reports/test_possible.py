"""No interval leaves what the quantity can be, and the caption says where it is cut."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pgbench.runs.records import METRICS, METRICS_FILE
from reports import possible, style, tables
from reports.assemble import load_data
from reports.data import Data
from reports.explorer import explorer
from reports.figures import ALL
from reports.normalization import load_bounds
from reports.statistics import UNBOUNDED, Interval, mean_interval, within

Write = Callable[..., Path]


def test_what_is_cut_off_holds_no_true_value() -> None:
    """Means of three seeds at a wall: the clipped interval is shorter and covers exactly as often."""
    rng = np.random.default_rng(0)
    seeds = np.minimum(200, rng.normal(190, 20, (3, 2000)))
    truth = np.minimum(200, rng.normal(190, 20, 1_000_000)).mean()
    whole = mean_interval(seeds)
    cut = within(whole, Interval(1, 200))
    assert (cut.high <= 200).all()
    assert (whole.high > 200).mean() > 0.5
    np.testing.assert_array_equal(
        (whole.low <= truth) & (truth <= whole.high), (cut.low <= truth) & (truth <= cut.high)
    )


@pytest.fixture
def data(write: Write, tmp_path: Path) -> Data:
    for delta in (0.01, 0.05, 0.1):
        for seed, last in enumerate((200.0, 200.0, 150.0)):
            write("trpo", seed, [20.0, 100.0, last, last - delta], env="CartPole-v0", values={"delta": delta})
    return load_data(tmp_path)


@pytest.mark.parametrize("name", ["learning_curves", "final_return", "step_size"])
def test_no_figure_shows_more_than_a_return_can_be(data: Data, name: str) -> None:
    group = data.groups[0]
    assert mean_interval(group.final).high > 200  # Student's formula alone goes beyond
    with style.applied():
        drawing = ALL[name](data)
    assert drawing is not None
    assert "Intervals end where returns do: CartPole-v0 1 to 200" in drawing.note
    drawn = [line.get_xdata() if name == "final_return" else line.get_ydata() for line in drawing.figure.axes[0].lines]
    drawn += [path.vertices[:, 1] for one in drawing.figure.axes[0].collections for path in one.get_paths()[:1]]
    if name != "final_return":
        assert max(float(np.nanmax(values)) for values in drawn) <= 200
        assert drawing.table["high"].max() == 200
    else:
        assert max(float(np.max(values)) for values in drawn[: len(data.groups) * 4]) <= 200


def test_tables_and_differences_too(data: Data) -> None:
    table = tables.summary(data)
    assert table[["mean_high", "iqm_high"]].to_numpy().max() == 200
    one, other = data.groups[:2]
    assert one.lead(other, 0.999) == Interval(-199, 199)
    assert one.interval([0.1, 0.1, 5.0], "kl").low == 0
    assert one.interval([0.1, 0.9, 0.9], "explained_variance").high == 1
    assert one.interval([0.1, 0.1, 5.0], "entropy").low < 0  # a Gaussian's may be


def test_records_that_say_otherwise_are_believed(write: Write, tmp_path: Path) -> None:
    """Somebody's own environment under a known name."""
    for seed, last in enumerate((100.0, 900.0)):
        write("trpo", seed, [last], env="CartPole-v0", steps=100_000)
    data = load_data(tmp_path)
    assert data.groups[0].returns == UNBOUNDED
    assert data.limits == ""


def test_the_page_cuts_where_figures_do(write: Write, tmp_path: Path) -> None:
    """Of a job whose records contradict a bound neither does."""
    for algorithm, kl in (("trpo", "0.01"), ("npg", "-0.01")):
        for seed in range(2):
            path = write(algorithm, seed, [20.0]) / METRICS_FILE
            path.write_text(path.read_text().replace(",0.01,", f",{kl},"))
    data = load_data(tmp_path)
    jobs = {job["algorithm"]: job for job in explorer(data, tmp_path)["jobs"]}
    for group in data.groups:
        assert jobs[group.algorithm]["possible"].get("kl", UNBOUNDED) == group.possible("kl")
        assert jobs[group.algorithm]["possible"]["episode_return"] == (1, 500)
    assert jobs["trpo"]["possible"]["kl"] == (0, float("inf"))
    assert "kl" not in jobs["npg"]["possible"]


def test_a_changed_task_has_bounds_of_its_own() -> None:
    bounds = load_bounds()["CartPole-v0"]
    assert possible.returns({"env.id": "CartPole-v0", "env.kwargs": (), "env.wrappers": ()}, bounds) == (1, 200)
    assert possible.returns({"env.kwargs.max_episode_steps": 500}, bounds) == UNBOUNDED
    assert possible.returns({"env.wrappers": ((("wrapper", "mine:Reward"),),)}, bounds) == UNBOUNDED
    assert possible.returns({}, None) == UNBOUNDED


def test_what_is_known_of_metrics_and_tasks_fits() -> None:
    assert set(possible.METRICS) <= {*METRICS, "seconds"}
    for env, bounds in load_bounds().items():
        assert bounds.least <= bounds.random, env
        assert bounds.reference < bounds.most, env
