"""Imports run one way: reports and sweeps know pgbench, pgbench knows neither; W&B lives in one file."""

import ast
import subprocess
import sys
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
    [("pgbench", ("sweeps", "reports")), ("sweeps", ("wandb",)), ("reports", ("sweeps", "torch", "wandb"))],
)
def test_imports_run_one_way(room: str, forbidden: tuple[str, ...]) -> None:
    for path in sources(room):
        for name in imports(path):
            assert name.split(".")[0] not in forbidden, f"{path} imports {name}"


def test_sweeps_know_only_the_pure_functions_of_reports() -> None:
    for path in sources("sweeps"):
        for name in imports(path):
            if name.split(".")[0] == "reports":
                pure = ("reports.statistics", "reports.possible", "reports.normalization")
                assert name.startswith(pure), f"{path} imports {name}"


def test_reports_knows_only_the_records_of_pgbench() -> None:
    for path in sources("reports"):
        for name in imports(path):
            if name.split(".")[0] == "pgbench" and name != "pgbench":
                known = (
                    "pgbench.runs.records",
                    "pgbench.runs.find",
                    "pgbench.terminal",
                    "pgbench.options",
                    "pgbench.errors",
                    "pgbench.plugins",
                )
                assert name.startswith(known), f"{path} imports {name}"


def test_wandb_is_imported_in_one_file() -> None:
    users = {
        path.name for room in ROOMS for path in sources(room) if any(n.split(".")[0] == "wandb" for n in imports(path))
    }
    assert users == {"weights_and_biases.py"}


# From the ground up: each floor imports from those below it, and from itself.
FLOORS = (
    ("errors", "options"),
    ("files", "tensors", "terminal", "plugins", "maths"),
    ("config",),
    ("validation", "policy"),
    ("composition",),
    ("experience",),
    ("learning",),
    ("algorithms",),
    ("after",),
    ("runs",),
    ("tracking",),
    ("api", "commands"),
    ("__main__", "evaluate", "measure", "play"),
)


def floor(name: str) -> int:
    """Which floor a module of pgbench, or a name in one, stands on."""
    part = name.split(".")[1]
    (found,) = [number for number, parts in enumerate(FLOORS) if part in parts]
    return found


def test_each_floor_imports_from_those_below() -> None:
    root = ROOT / "pgbench"
    for path in sources("pgbench"):
        if path.parent == root and path.stem == "__init__":
            continue  # the door: it opens the interface with its first use
        mine = floor(f"pgbench.{path.relative_to(root).parts[0].removesuffix('.py')}")
        for name in imports(path):
            if name.startswith("pgbench.") and name != "pgbench.__version__":
                assert floor(name) <= mine, f"{path} imports {name}"


def test_the_mathematics_knows_no_disk_and_no_config_file() -> None:
    for path in sources("pgbench/maths"):
        for imported in imports(path):
            allowed = ("numpy", "torch", "pgbench", "collections", "dataclasses", "itertools", "math", "typing")
            assert imported.split(".")[0] in allowed, f"{path} imports {imported}"
            assert not imported.startswith("pgbench") or imported.startswith("pgbench.maths")


def test_what_reads_records_imports_no_torch() -> None:
    """So that drivers of sweeps and reports start at once."""
    code = "import sys, pgbench, pgbench.runs.code, pgbench.runs.find, pgbench.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
