"""The record tables: what is written is what is read, row by row, and the glossary names every column."""

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgbench.files import write_atomic
from pgbench.runs.records import METRICS, Records, Table, read_status, write_status
from pgbench.runs.trainer import Trainer

COUNTS = {"iteration", "env_steps", "episodes", "episode_return", "episode_length"}


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_floats_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    table = Table(path, ["x"])
    table.append([[value] for value in values])
    table.close()
    assert pd.read_csv(path)["x"].tolist() == values


def test_a_table_grows_and_is_cut_back(tmp_path: Path) -> None:
    table = Table(tmp_path / "t.csv", ["a", "b"])
    table.append([[1, math.nan]])
    kept = (table.size, table.checksum)
    table.append([[2, 0.5], [3, 0.25]])
    table.close()
    assert (tmp_path / "t.csv").read_text() == "a,b\n1,\n2,0.5\n3,0.25\n"
    with open(tmp_path / "t.csv", "a") as torn:
        torn.write("4,0.1")
    table = Table(tmp_path / "t.csv", ["a", "b"], keep=kept)
    table.append([[9, 9.0]])
    table.close()
    assert (tmp_path / "t.csv").read_text() == "a,b\n1,\n9,9.0\n"


def test_an_iteration_is_in_the_file_at_once(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.append({"iteration": 1, "env_steps": 10, "kl": 0.5}, [(1, 7, 2.0, 2, 1)], 0.1)
    assert pd.read_csv(tmp_path / "metrics.csv")["kl"].tolist() == [0.5]
    assert pd.read_csv(tmp_path / "episodes.csv")["episode_return"].tolist() == [2.0]
    assert pd.read_csv(tmp_path / "times.csv")["seconds"].tolist() == [0.1]
    records.close()


def test_status(tmp_path: Path) -> None:
    assert read_status(tmp_path) == {"status": "pending"}
    write_status(tmp_path, "running", env_steps=3)
    assert read_status(tmp_path)["env_steps"] == 3
    with pytest.raises(AssertionError):
        write_status(tmp_path, "finished")
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_atomic_write_replaces_whole(tmp_path: Path) -> None:
    write_atomic(tmp_path / "f", b"one", durable=True)
    write_atomic(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("algorithm", ["reinforce", "vpg", "npg", "trpo"])
def test_every_recorded_metric_is_in_the_glossary(small, algorithm: str) -> None:
    trainer = Trainer(small(f"algorithm={algorithm}"), (0,))
    row, _ = trainer.iterate()[0]
    assert set(row) <= set(METRICS)
    missing = set(METRICS) - set(row)
    natural = {"cg_residual", "natural_norm"}
    search = {"line_search_steps", "line_search_accepted"}
    critic = {"value_loss", "explained_variance"}
    assert (
        missing
        == {
            "reinforce": natural | search | critic,
            "vpg": natural | search,
            "npg": search,
            "trpo": set(),
        }[algorithm]
    )
