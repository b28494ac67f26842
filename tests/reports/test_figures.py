"""The figures show what the records hold, and say how it was computed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_rgb

from reports import style
from reports.data import load_data
from reports.figures import FIGURES, final_return, learning_curves, steps_to_threshold

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _agg() -> Iterator[None]:
    mpl.use("Agg")
    with style.applied():
        yield


def texts(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_learning_curves_show_the_mean_at_equal_steps_and_every_seed(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[10, 20, 30, 40])
    write(seed=1, returns=[30, 60], steps=50_000)
    drawing = learning_curves.draw(load_data(tmp_path))
    (panel,) = drawing.figure.axes
    assert texts(panel) == ["TRPO (n = 2)"]
    (mean,) = [line for line in panel.lines if line.get_label() == "TRPO (n = 2)"]
    curve = dict(zip(np.asarray(mean.get_xdata()), np.asarray(mean.get_ydata()), strict=True))
    assert (curve[50_000.0], curve[75_000.0], curve[100_000.0]) == (25, 30, 50)
    assert np.isnan(curve[25_000.0])  # seed 1 has no episode yet
    assert len(panel.collections) == 1
    assert panel.get_xlabel() == "environment steps"
    assert panel.get_ylabel() == "return (mean of the last 100 training episodes)"
    assert panel.get_title() == "CartPole-v1 (default)"
    assert "at 100k steps: TRPO 50.0 [40.0, 60.0]" in drawing.sentence
    assert "95% percentile bootstrap" in drawing.figure.texts[0].get_text()


def test_one_colour_an_algorithm_and_a_line_style_beside_it(study: Path) -> None:
    data = load_data(study)
    cartpole = [style.style(group, data) for group in data.of("CartPole-v1")]
    assert [look.color for look in cartpole] == [
        style.STYLES[name].color for name in ("reinforce", "vpg", "npg", "trpo")
    ]
    for looks in (cartpole, [style.style(group, data) for group in data.of("Pendulum-v1")]):
        for part in zip(*looks, strict=True):
            assert len(set(part)) == len(looks)
    # In greyscale, neighbours of one algorithm's tints stay apart and its strongest tint is its colour.
    sweep = [style.style(group, data).color for group in data.of("Pendulum-v1")]
    assert same_color(sweep[-1], style.STYLES["trpo"].color)
    assert np.all(np.diff([to_rgb(color)[1] for color in sweep]) < -0.1)


def test_the_studys_legend_tells_of_every_seed(study: Path) -> None:
    panels = {panel.get_title().split()[0]: panel for panel in learning_curves.draw(load_data(study)).figure.axes}
    assert texts(panels["CartPole-v1"]) == [
        "REINFORCE (n = 6)",
        "VPG (n = 6, 1 diverged)",
        "NPG (n = 5, 1 failed)",
        "TRPO (n = 6, 1 running)",
    ]
    assert texts(panels["Acrobot-v1"]) == ["NPG (n = 0, 1 pending)"]


def test_published_numbers_lie_at_their_steps(write: Write, tmp_path: Path) -> None:
    write("npg", returns=[10, 20, 30, 40])
    data = load_data(tmp_path, published=True)
    drawing = learning_curves.draw(data)
    (panel,) = drawing.figure.axes
    marks = [line.get_xydata()[0] for line in panel.lines if line.get_marker() == "^"]
    np.testing.assert_allclose(marks[:2], [[50_000, 242.0], [100_000, 428.4]])
    assert texts(panel) == ["NPG (n = 1)", "NPG, published (n = 10)"]
    assert "0xangelo/deep-rl" in drawing.figure.texts[0].get_text()
    assert len(final_return.draw(data).figure.axes[0].containers) == 1


def test_final_return_names_the_best_and_how_surely(write: Write, tmp_path: Path) -> None:
    for seed in range(4):
        write("npg", seed, [10, 100 + seed])
        write("vpg", seed, [10, 50 + seed])
    sentence = final_return.draw(load_data(tmp_path)).sentence
    assert sentence.startswith("CartPole-v1: NPG ends with the highest mean, 101.5 [")
    assert sentence.endswith("a seed of it beats one of VPG with probability 1.00 [1.00, 1.00].")


def test_final_return_compares_only_what_has_come_as_far(write: Write, tmp_path: Path) -> None:
    write("npg", 0, [10, 100], status="running")
    write("vpg", 0, [10, 50, 60, 70])
    drawing = final_return.draw(load_data(tmp_path))
    assert drawing.sentence == "CartPole-v1: VPG ends at a mean of 70.0, IQM 70.0."
    assert [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()] == [
        "VPG\n(n = 1)",
        "NPG\n(n = 1, 1 running, at 50k)",
    ]


def test_seeds_that_never_reach_the_threshold_are_shown_and_counted(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[10, 480, 490])
    write(seed=1, returns=[10, 20, 480])
    write(seed=2, returns=[10, 20, 30])
    drawing = steps_to_threshold.draw(load_data(tmp_path))
    assert drawing is not None
    (panel,) = drawing.figure.axes
    assert "2 of 3 reached" in [text.get_text() for text in panel.texts]
    assert [len(collection.get_offsets()) for collection in panel.collections] == [2, 1]
    assert "to a return of 475: TRPO 75k [50k, never] (2 of 3 reached)" in drawing.sentence


def test_without_a_threshold_there_is_no_such_figure(write: Write, tmp_path: Path) -> None:
    write(env="Humanoid-v5")
    assert steps_to_threshold.draw(load_data(tmp_path)) is None
    assert steps_to_threshold.draw(load_data(tmp_path, thresholds={None: 400})) is not None


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("returns", [[], [20.0]])
def test_figures_of_next_to_nothing_can_be_drawn(write: Write, tmp_path: Path, name: str, returns: list[float]) -> None:
    write(returns=returns, status="running")
    drawing = FIGURES[name](load_data(tmp_path, published=True))
    assert drawing is not None
    drawing.figure.savefig(tmp_path / "figure.png")
