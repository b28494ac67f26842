"""The figures show what the records hold, and say how it was computed."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure

from pgbench.errors import UserError
from reports import style
from reports.assemble import load_data
from reports.figures import (
    FIGURES,
    evaluation,
    final_return,
    learning_curves,
    ranking,
    step_size,
    steps_to_threshold,
    tasks,
    trust_region,
)
from reports.statistics import probability_interval

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _agg() -> Iterator[None]:
    mpl.use("Agg")
    with style.applied():
        yield


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_learning_curves_show_the_mean_at_equal_steps_and_every_seed(write: Write, tmp_path: Path) -> None:
    write(seed=0, returns=[10, 20, 30, 40])
    write(seed=1, returns=[30, 60], steps=50_000)
    drawing = learning_curves.draw(load_data(tmp_path))
    (panel,) = drawing.figure.axes
    assert texts(drawing.figure) == ["TRPO (n = 2)"]
    (mean,) = [line for line in panel.lines if line.get_label() == "TRPO (n = 2)"]
    curve = dict(zip(np.asarray(mean.get_xdata()), np.asarray(mean.get_ydata()), strict=True))
    assert (curve[50_000.0], curve[75_000.0], curve[100_000.0]) == (25, 30, 50)
    assert np.isnan(curve[25_000.0])  # seed 1 has no episode yet
    assert len(panel.collections) == 1
    assert panel.get_xlabel() == "environment steps"
    assert panel.get_ylabel() == "return (mean of the last 100 training episodes)"
    assert panel.get_title() == "CartPole-v1 (default)"
    # Student's t of two seeds: 50 -+ 12.706 x 10, but no return of CartPole is below 1.
    assert "at 100k steps: TRPO 50.0 [1, 177.1]" in drawing.sentence
    assert "95% interval" in drawing.note
    assert "n = 2 is too few" in drawing.note
    assert panel.get_ylim()[1] < 70  # the axis keeps to what seeds reached
    assert drawing.table is not None
    assert drawing.table.iloc[-1][["n", "mean"]].tolist() == [2, 50]


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
    figure = learning_curves.draw(load_data(study)).figure
    assert set(texts(figure)) >= {
        "REINFORCE (n = 6)",
        "VPG (n = 6, 1 diverged)",
        "NPG (n = 5, 1 failed)",
        "TRPO (n = 5, 1 running)",
        "NPG (n = 0, 1 pending)",
    }
    assert len(figure.legends) == 1


def test_published_numbers_lie_at_their_steps(write: Write, tmp_path: Path) -> None:
    write("npg", returns=[10, 20, 30, 40])
    data = load_data(tmp_path, published=True)
    drawing = learning_curves.draw(data)
    (panel,) = drawing.figure.axes
    marks = [line.get_xydata()[0] for line in panel.lines if line.get_marker() == "^"]
    np.testing.assert_allclose(marks[:2], [[50_000, 242.0], [100_000, 428.4]])
    assert texts(drawing.figure) == ["NPG (n = 1)", "NPG, published (n = 10)"]
    assert "0xangelo/deep-rl" in drawing.note
    assert len(final_return.draw(data).figure.axes[0].containers) == 1


def test_final_return_names_the_best_and_how_surely(write: Write, tmp_path: Path) -> None:
    for seed in range(4):
        write("npg", seed, [10, 100 + seed])
        write("vpg", seed, [10, 50 + seed])
    sentence = final_return.draw(load_data(tmp_path)).sentence
    assert sentence.startswith("CartPole-v1: NPG ends with the highest mean, 101.5 [")
    low = float(probability_interval([2, 3, 4, 5], [0, 0, 1, 1]).low)
    assert 0.5 < low < 0.7
    assert sentence.endswith(f"a seed of it beats one of VPG with probability 1.00 [{low:.2f}, 1.00].")


def test_final_return_compares_only_what_has_come_as_far(write: Write, tmp_path: Path) -> None:
    write("npg", 0, [10, 100], status="running")
    write("vpg", 0, [10, 50, 60, 70])
    drawing = final_return.draw(load_data(tmp_path))
    assert drawing.sentence == "CartPole-v1: VPG ends at a mean of 70.0, IQM 70.0."
    assert [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()] == [
        "VPG (n = 1)",
        "NPG (n = 1, 1 running, at 50k)",
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
    assert "to a return of 475: TRPO 75k (2 of 3 reached)" in drawing.sentence


def test_without_a_threshold_there_is_no_such_figure(write: Write, tmp_path: Path) -> None:
    write(env="Humanoid-v5")
    assert steps_to_threshold.draw(load_data(tmp_path)) is None
    assert steps_to_threshold.draw(load_data(tmp_path, thresholds={None: 400})) is not None


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("returns", [[], [20.0]])
def test_figures_of_next_to_nothing_can_be_drawn(write: Write, tmp_path: Path, name: str, returns: list[float]) -> None:
    write(returns=returns, status="running")
    drawing = FIGURES[name](load_data(tmp_path, published=True))
    assert drawing is not None or name not in ("learning_curves", "final_return", "steps_to_threshold")
    if drawing is not None:
        drawing.figure.savefig(tmp_path / "figure.png")


@pytest.mark.parametrize("count", [1, 8, 9, 200])
def test_nothing_overlaps_with_any_number_of_groups(write: Write, tmp_path: Path, count: int) -> None:
    """Names of rows and of the legend stay within the picture and apart from each other, and long ones are cut."""
    for k in range(count):
        name = f"{'very ' * 30}long-{k}"
        write("trpo", 0, [10.0, 20.0 + k], values={"delta": 0.01, "name_of_a_setting": name}, total_steps=50_000)
    data = load_data(tmp_path)
    for name in ("learning_curves", "final_return", "ranking", "seeds", "sensitivity"):
        drawing = FIGURES[name](data)
        if drawing is None:
            continue
        drawing.figure.draw_without_rendering()
        size = drawing.figure.get_size_inches()
        assert size[0] <= 16, name
        assert size[1] <= 16, name
        for legend in drawing.figure.legends:
            assert legend.get_window_extent().width <= drawing.figure.bbox.width, name
        for panel in drawing.figure.axes:
            boxes = [label.get_window_extent() for label in panel.get_yticklabels() if label.get_text()]
            assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :]), name
            assert panel.get_window_extent().width > 0.25 * drawing.figure.bbox.width / len(drawing.figure.axes), name


def test_more_groups_than_colours_show_the_best_and_the_worst(write: Write, tmp_path: Path) -> None:
    for k in range(12):
        write("trpo", 0, [10.0 * k], values={"delta": 0.1 * (k + 1)}, steps=100_000)
    drawing = learning_curves.draw(load_data(tmp_path))
    shown = texts(drawing.figure)
    assert [name.split()[1] for name in shown if "delta" in name] == [f"delta={d:g}" for d in (1.2, 1.1, 1, 0.9, 0.1)]
    assert "7 others, means" in shown


def test_ranking_says_what_is_more_than_noise(write: Write, tmp_path: Path) -> None:
    finals = {0.1: [100.0, 102.0, 98.0], 0.2: [99.0, 103.0, 97.0], 0.3: [10.0, 12.0, 8.0]}
    for delta, values in finals.items():
        for seed, value in enumerate(values):
            write("trpo", seed, [value], values={"delta": delta}, steps=100_000)
    table = ranking.losses(load_data(tmp_path), "CartPole-v1")
    assert table["label"].tolist() == [f"TRPO, delta={delta}" for delta in (0.1, 0.2, 0.3)]
    assert table["worse"].tolist() == [False, False, True]
    drawing = ranking.draw(load_data(tmp_path))
    assert drawing is not None
    assert "best of 3 is TRPO, delta=0.1" in drawing.sentence
    assert "1 of the 2 others cannot be told from it" in drawing.sentence


def test_a_setting_that_an_algorithm_does_not_read_is_drawn_once_as_a_reference(write: Write, tmp_path: Path) -> None:
    for delta in (0.001, 0.01, 0.1):
        for name in ("npg", "trpo"):
            write(name, 0, [100 * delta], values={"delta": delta}, format=2, steps=100_000)
    write("vpg", 0, [50.0], values={}, format=2, steps=100_000)
    data = load_data(tmp_path)
    assert [group.label for group in data.groups if group.algorithm == "vpg"] == ["VPG"]
    drawing = step_size.draw(data)
    assert drawing is not None
    assert len(drawing.figure.axes) == 2
    for panel in drawing.figure.axes:
        assert panel.get_xscale() == "log"
        assert "VPG (n = 1)" in panel.get_legend_handles_labels()[1]


def test_the_form_follows_what_varies(write: Write, tmp_path: Path) -> None:
    """One key: a curve; two: a map; three: parallel coordinates. And none of these where it does not hold."""
    roots = [tmp_path / str(keys) for keys in (1, 2, 3)]
    names = ("gamma", "n_steps", "critic_steps")
    for keys, root in enumerate(roots, 1):
        for values in itertools.product((1, 2, 3), repeat=keys):
            write(returns=[float(sum(values))], values=dict(zip(names, values, strict=False)), root=root, steps=100_000)
    forms = ("sensitivity", "heat_map", "importance")
    for keys, root in enumerate(roots):
        data = load_data(root)
        assert [FIGURES[form](data) is not None for form in forms] == [k == keys for k in range(3)]


def test_statistics_over_tasks_need_shared_methods_and_bounds(write: Write, tmp_path: Path) -> None:
    for env, low, high in (("CartPole-v1", 22.2, 475.0), ("Acrobot-v1", -499.1, -100.0)):
        for seed in range(3):
            write("trpo", seed, [high], env=env, steps=100_000)
            write("npg", seed, [low], env=env, steps=100_000)
    write("vpg", 0, [1.0], steps=100_000)
    write("trpo", 0, [1.0], env="Own-v0", steps=100_000)
    data = load_data(tmp_path)
    table = tasks.aggregates(data).table
    assert table.groupby(["aggregate", "label"])["value"].first().round(6).to_dict() == {
        (name, label): value
        for name, best in (("IQM", 1), ("mean", 1), ("median", 1), ("optimality gap", 0))
        for label, value in (("TRPO", best), ("NPG", 1 - best))
    }
    assert "Left out: Own-v0" in tasks.aggregates(data).note
    assert tasks.improvement(data).table["P(X > Y)"].tolist() == [1]
    assert tasks.profiles(data).table.groupby("label")["share"].max().to_dict() == {"TRPO": 1, "NPG": 1}


def test_two_settings_of_one_delta_are_not_pooled_without_a_word(write: Write, tmp_path: Path) -> None:
    """Three lambdas a delta: a column each with its own sentence; a job without its partner is not drawn."""
    for lam, delta, name in itertools.product((0.9, 1.0), (0.01, 0.1), ("npg", "trpo")):
        write(name, 0, values={"delta": delta, "gae_lambda": lam})
    write("npg", 0, values={"delta": 0.1, "gae_lambda": 0.5})
    drawing = trust_region.draw(load_data(tmp_path))
    assert drawing is not None
    lines = drawing.sentence.split("\n")
    assert [line.split(":")[0] for line in lines] == [
        f"CartPole-v1, δ={delta}, λ={lam}" for delta in (0.01, 0.1) for lam in (0.9, 1)
    ]


def test_evaluations_are_drawn_apart_with_their_protocol(write: Write, tmp_path: Path) -> None:
    for seed in range(2):
        rows = [f"{steps},{k},{steps / 1000 + seed},10,1" for steps in (25_000, 100_000) for k in range(3)]
        path = write(seed=seed) / "evaluations.csv"
        path.write_text("\n".join(["env_steps,episode,return,length,deterministic", *rows, ""]))
    assert evaluation.draw(load_data(tmp_path)) is None
    drawing = evaluation.draw(load_data(tmp_path, evaluations=True))
    assert drawing is not None
    assert drawing.table[["env_steps", "n", "episodes", "mean"]].to_numpy().tolist() == [
        [25_000, 2, 6, 25.5],
        [100_000, 2, 6, 100.5],
    ]
    assert "by its mode" in drawing.sentence


def test_evaluations_at_one_step_stand_side_by_side(write: Write, tmp_path: Path) -> None:
    """Where settings were evaluated once, at the end, one would hide the other."""
    rows = "env_steps,episode,return,length,deterministic\n100000,0,7,10,1\n"
    for algorithm in ("vpg", "trpo"):
        (write(algorithm, seed=0) / "evaluations.csv").write_text(rows)
        (write(algorithm, seed=1) / "evaluations.csv").write_text(rows)
    drawing = evaluation.draw(load_data(tmp_path, evaluations=True))
    assert drawing is not None
    (panel,) = drawing.figure.axes
    places = sorted(float(line.get_xdata()[0]) for line in panel.lines if len(line.get_xdata()) == 1)
    assert places[0] < 100_000 < places[1]
    assert sum(places) == pytest.approx(200_000)
    assert drawing.table["env_steps"].tolist() == [100_000, 100_000]


def test_an_evaluation_is_one_point_where_seeds_end_at_other_steps(write: Write, tmp_path: Path) -> None:
    """As batches of whole episodes do; where a seed was evaluated more often than another, steps stay as they are."""
    head = "env_steps,episode,return,length,deterministic\n"
    for seed, steps in enumerate(((50_010, 100_100), (50_050, 100_300))):
        lines = [f"{step},0,{step // 1000},10,1\n" for step in steps]
        (write("reinforce", seed=seed) / "evaluations.csv").write_text(head + "".join(lines))
    drawing = evaluation.draw(load_data(tmp_path, evaluations=True))
    assert drawing is not None
    assert drawing.table[["env_steps", "n", "mean"]].to_numpy().tolist() == [[50_030, 2, 50], [100_200, 2, 100]]
    (write("reinforce", seed=2) / "evaluations.csv").write_text(head + "100100,0,100,10,1\n")
    drawing = evaluation.draw(load_data(tmp_path, evaluations=True))
    assert drawing is not None
    assert drawing.table["n"].tolist() == [1, 1, 2, 1]


def test_only_evaluations_of_seeds_that_count_are_drawn(write: Write, tmp_path: Path) -> None:
    """A failed run may have been evaluated before; an environment of such alone has no panel."""
    rows = "env_steps,episode,return,length,deterministic\n25000,0,7,10,1\n"
    (write(seed=0, status="failed", root=tmp_path / "a") / "evaluations.csv").write_text(rows)
    assert evaluation.draw(load_data(tmp_path / "a", evaluations=True)) is None
    write(seed=1, root=tmp_path / "a")
    assert evaluation.draw(load_data(tmp_path / "a", evaluations=True)) is None
    (write(seed=0, env="Acrobot-v1", root=tmp_path / "b") / "evaluations.csv").write_text(rows)
    drawing = evaluation.draw(load_data(tmp_path, evaluations=True))
    assert drawing is not None
    assert [panel.get_title() for panel in drawing.figure.axes] == ["Acrobot-v1 (default)"]
    assert drawing.table[["env", "mean"]].to_numpy().tolist() == [["Acrobot-v1", 7]]


def test_another_metric_and_another_axis(write: Write, tmp_path: Path) -> None:
    write(seed=0)
    write(seed=1)
    drawing = learning_curves.draw(load_data(tmp_path, metric="kl", x="seconds"))
    (panel,) = drawing.figure.axes
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("seconds of training (wall clock)", "kl")
    assert drawing.table.iloc[-1]["seconds"] == 2
    assert drawing.table.iloc[-1]["mean"] == pytest.approx(0.0025)
    with pytest.raises(UserError, match="no run records 'speed'; recorded: "):
        load_data(tmp_path, metric="speed")


def test_an_own_algorithm_has_its_own_colour_and_name(write: Write, tmp_path: Path) -> None:
    for name in ("ppo", "sac", "trpo"):
        write(name)
    data = load_data(tmp_path)
    assert [group.label for group in data.groups] == ["TRPO", "PPO", "SAC"]
    colors = {style.style(group, data).color for group in data.groups}
    assert len(colors | {look.color for look in style.STYLES.values()}) == 2 + 4
