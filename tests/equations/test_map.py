"""docs/reference/equations.md maps every equation to code, test and figure: no empty cell, and what it names exists."""

import ast
import importlib
import inspect
import re
from functools import reduce
from pathlib import Path
from types import ModuleType

import pytest

from pgbench.maths import natural, returns
from pgbench.runs.records import METRICS
from reports.figures import ARGUMENTS, FIGURES

HERE = Path(__file__).parent
MAP = (HERE.parents[1] / "docs" / "reference" / "equations.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in MAP.splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| slide |"))
]


def names(column: int) -> list[str]:
    """What a column names in backticks, without repeats."""
    return list(dict.fromkeys(name for row in ROWS for name in re.findall(r"`([^`]+)`", row[column])))


def test_there_are_all_columns_and_no_empty_cell() -> None:
    """Slide, equation, code, test, figure; the last three name something."""
    assert len(ROWS) > 60
    for row in ROWS:
        assert len(row) == 5, row
        assert all(row), row
        assert all(re.fullmatch(r"`[^`]+`(, `[^`]+`)*", cell) for cell in row[2:]), row


@pytest.mark.parametrize("name", names(2))
def test_code_exists(name: str) -> None:
    """floor.module.function or floor.module.Class.method, below pgbench; `policy` alone stands on no floor."""
    parts = name.split(".")
    depth = 2 if (HERE.parents[1] / "pgbench" / parts[0]).is_dir() else 1
    module: ModuleType = importlib.import_module(".".join(["pgbench", *parts[:depth]]))
    assert callable(reduce(getattr, parts[depth:], module))


@pytest.mark.parametrize("name", names(3))
def test_test_exists(name: str) -> None:
    """file::function, in this directory."""
    file, _, function = name.partition("::")
    tree = ast.parse((HERE / file).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", names(4))
def test_figure_exists(name: str) -> None:
    """A figure of the reports."""
    assert name in FIGURES | ARGUMENTS


def test_nothing_is_left_out() -> None:
    """The four algorithms, every figure of an argument with its sweep, every formula of returns.py and natural.py, and
    every recorded quantity of an update are on the map."""
    for number in range(1, 5):
        assert any(row[1] == f"Algorithm {number}" for row in ROWS), number
    assert set(ARGUMENTS) <= set(names(4))
    measured = {"gradient_variance", "parameter_space"}  # of policies of three ages, by `python -m pgbench.measure`
    sweeps = {*ARGUMENTS} - measured | {"policy_ages"}
    assert all((HERE.parents[1] / "conf" / "sweep" / f"{name}.yaml").exists() for name in sweeps)
    for module in (returns, natural):
        functions = [f for f, value in vars(module).items() if inspect.isfunction(value)]
        room = module.__name__.removeprefix("pgbench.")
        missing = {f"{room}.{f}" for f in functions} - set(names(2)) - {"maths.natural.dot"}
        assert not missing
    progress = {"iteration", "env_steps", "episodes", "episode_return", "episode_length"}
    assert METRICS.keys() - progress <= set(names(1))
