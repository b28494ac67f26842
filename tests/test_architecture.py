"""Imports run one way: reports and sweeps know pgbench, pgbench knows neither; W&B lives in one file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("pgbench", "sweeps", "reports")


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_sources(room: str) -> None:
    assert sources(room)


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [("pgbench", ("sweeps", "reports")), ("sweeps", ("reports", "wandb")), ("reports", ("sweeps", "torch", "wandb"))],
)
def test_imports_run_one_way(room: str, forbidden: tuple[str, ...]) -> None:
    for path in sources(room):
        for name in imports(path):
            assert name.split(".")[0] not in forbidden, f"{path} imports {name}"


def test_reports_knows_only_the_records_of_pgbench() -> None:
    for path in sources("reports"):
        for name in imports(path):
            if name.split(".")[0] == "pgbench" and name != "pgbench":
                assert name.split(".")[1] in ("records", "errors"), f"{path} imports {name}"


def test_wandb_is_imported_in_one_file() -> None:
    users = {
        path.name for room in ROOMS for path in sources(room) if any(n.split(".")[0] == "wandb" for n in imports(path))
    }
    assert users == {"weights_and_biases.py"}


def test_the_mathematics_knows_no_disk_and_no_config_file() -> None:
    for name in ("returns", "natural", "networks", "distributions", "optimizers"):
        for imported in imports(ROOT / "pgbench" / f"{name}.py"):
            assert imported.split(".")[0] in (
                "numpy",
                "torch",
                "pgbench",
                "collections",
                "dataclasses",
                "itertools",
                "math",
                "typing",
            )
            assert not imported.startswith(("pgbench.records", "pgbench.config", "pgbench.job"))
