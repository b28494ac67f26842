"""The tables hold the figures' numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from reports.assemble import load_data
from reports.statistics import mean_interval
from reports.tables import markdown, shown, summary

Write = Callable[..., Path]


def test_summary_has_a_row_a_job_and_checkpoint(write: Write, tmp_path: Path) -> None:
    for seed in range(4):
        write(seed=seed, returns=[10 + seed, 20, 30, [480, 490, 40, 40][seed]])
    write(seed=4, returns=[1], status="failed")
    table = summary(load_data(tmp_path))
    assert table["env_steps"].tolist() == [25_000, 50_000, 100_000]
    assert table["mean"].tolist() == [11.5, 20, 262.5]
    assert table["iqm"].tolist() == [11.5, 20, (40 + 480) / 2]
    last = table.iloc[-1]
    assert mean_interval([480, 490, 40, 40]).low < 1
    assert (last["mean_low"], last["mean_high"]) == (1, 500), "no mean of CartPole-v1 can be beyond"
    first = table.iloc[0]
    assert (first["mean_low"], first["mean_high"]) == tuple(mean_interval([10, 11, 12, 13]))
    assert last["median_steps_to_threshold"] == 100_000
    assert last["median_steps_to_threshold_high"] == np.inf
    assert (last["n"], last["reached"], last["failed"], last["diverged"]) == (4, 2, 1, 0)


def test_an_interval_from_zero_is_shown(write: Write, tmp_path: Path) -> None:
    """Of returns, that is; an interval of steps from zero on has no lower end."""
    for seed, last in enumerate((0.0, 5.0, 20.0)):
        write(seed=seed, returns=[last], steps=100_000, env="InvertedPendulum-v5")
    table = dict(shown(load_data(tmp_path)))["InvertedPendulum-v5: return, mean over seeds [95% interval]"]
    assert table["at 100k"].tolist() == ["8.33 [0, 34.2]"]
    assert table["median steps to 950"].tolist() == ["never"]


def test_a_group_that_has_not_come_so_far_has_no_number(write: Write, tmp_path: Path) -> None:
    write("vpg", 0)
    write("trpo", 0, [10, 20], status="running")
    table = summary(load_data(tmp_path)).set_index(["algorithm", "fraction"])
    assert table.loc[("trpo", 0.5), "mean"] == 20
    assert np.isnan(table.loc[("trpo", 1.0), "mean"])


def test_published_numbers_stand_beside_ours(write: Write, tmp_path: Path) -> None:
    write("vpg", 0, [10, 70, 80, 300])
    titles = dict(shown(load_data(tmp_path, published=True)))
    table = titles["Published numbers beside ours, at equal environment steps"]
    assert table["steps"].tolist() == ["50k", "100k"]
    assert table["published"].tolist() == ["73.1 ± 4.4 (std, n = 10)", "288.3 ± 19.4 (std, n = 10)"]
    assert table["ours"].tolist() == ["70.0 (n = 1)", "300.0 (n = 1)"]


def test_markdown_is_a_table() -> None:
    assert markdown(pd.DataFrame({"": ["a|b"], "n": ["1"]})) == "|  | n |\n| --- | --- |\n| a\\|b | 1 |\n"
