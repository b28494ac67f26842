"""Figures from a DataFrame: those of the command, of whatever rows are kept."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from pgbench.errors import UserError
from reports import load_runs, plot
from reports.__main__ import main
from reports.assemble import from_frame, load_data
from reports.statistics import mean_interval

Write = Callable[..., Path]
OWN = """
from reports import style
from reports.figures.drawing import Drawing

def entropy(data):
    figure, (panel,) = style.panels(1)
    for group in data.groups:
        for seed in group.seeds:
            panel.plot(seed.env_steps, seed.table["entropy"], color=style.style(group, data).color)
    return Drawing(figure, "Entropy falls.")
"""


@pytest.fixture(autouse=True)
def _agg() -> None:
    mpl.use("Agg")


def test_a_figure_of_filtered_runs(write: Write, tmp_path: Path) -> None:
    for delta in (0.01, 0.1, 1.0):
        for seed in range(3):
            write("trpo", seed, values={"delta": delta})
    runs = load_runs(tmp_path)
    figure = plot.learning_curves(runs[runs["hyperparameters.delta"] < 1], metric="kl", x="seconds")
    assert isinstance(figure, Figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "TRPO, delta=0.01 (n = 3)",
        "TRPO, delta=0.1 (n = 3)",
    ]
    assert figure.axes[0].get_ylabel() == "kl"
    assert len(plot.step_size(runs).axes) == 1


def test_a_task_that_all_runs_change_has_no_bounds(write: Write, tmp_path: Path) -> None:
    """A longer CartPole returns more than 500, in a figure of a DataFrame as in the command's."""
    for seed, last in enumerate((480.0, 490.0)):
        write("trpo", seed, [last], kwargs={"max_episode_steps": 1000}, steps=100_000)
    runs = load_runs(tmp_path)
    assert runs["env.kwargs.max_episode_steps"].tolist() == [1000, 1000]
    for data in (from_frame(runs[runs["algorithm"] == "trpo"]), load_data(tmp_path)):
        (group,) = data.groups
        assert group.interval(group.final).high == mean_interval([480, 490]).high > 500


@pytest.mark.parametrize("name", plot.__all__)
def test_every_figure_draws_or_says_why_not(write: Write, tmp_path: Path, name: str) -> None:
    write(seed=0)
    write(seed=1)
    runs = load_runs(tmp_path)
    if name in ("learning_curves", "seeds", "final_return", "steps_to_threshold", "diagnostics"):
        assert isinstance(getattr(plot, name)(runs, note=False), Figure)
    else:
        with pytest.raises(UserError, match=f"{name}: these runs hold nothing for it"):
            getattr(plot, name)(runs)


def test_the_examples_of_the_documents_run(write: Write, tmp_path: Path, monkeypatch, capsys) -> None:
    text = (Path(__file__).parents[2] / "docs" / "howto" / "reports.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", text, re.S)
    for seed in range(2):
        write("trpo", seed, root=tmp_path / "runs" / "first")
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    assert "490.0" in capsys.readouterr().out
    assert (tmp_path / "kl.pdf").exists()


def test_a_figure_of_ones_own_is_drawn(write: Write, tmp_path: Path, monkeypatch, capsys) -> None:
    for seed in range(2):
        write("trpo", seed, root=tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["runs", "--out", "out", "--figure", "mine:entropy"]) == 0
    assert (tmp_path / "out" / "entropy.png").exists()
    assert "Entropy falls." in (tmp_path / "out" / "index.html").read_text()
    assert main(["runs", "--figure", "mine:nothing"]) == 2
    assert "--figure: 'mine' has no 'nothing', it has" in capsys.readouterr().err


def test_mistakes_are_told(write: Write, tmp_path: Path) -> None:
    write()
    runs = load_runs(tmp_path)
    with pytest.raises(UserError, match=r"no column episode_return; `reports\.load_runs`"):
        plot.final_return(runs.drop(columns="episode_return"))
    with pytest.raises(UserError, match="no look 'neon'"):
        plot.final_return(runs, look="neon")
    with pytest.raises(UserError, match="no rows"):
        plot.final_return(runs[:0])
