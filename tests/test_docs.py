"""The documents say what the code does: commands run, tables match, links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pgbench.runs.records import EPISODES, EVALUATIONS, MEASUREMENTS, METRICS, TIMES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.S)


def test_the_glossary_is_the_record_module() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M)
    expected = [
        (name, meaning.replace("||", "‖"))
        for table in (METRICS, EPISODES, TIMES, EVALUATIONS, MEASUREMENTS)
        for name, meaning in table.items()
    ]
    assert rows == expected


def test_the_page_of_the_python_interface_is_the_docstrings() -> None:
    done = subprocess.run([sys.executable, "docs/make_api.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "api.md").read_text() == done.stdout, "python docs/make_api.py > docs/api.md"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_the_commands_of_the_documents_run(tmp_path: Path) -> None:
    """All of them, in order, as they stand; only the steps are fewer."""
    lines = [line for path in DOCUMENTS for block in blocks(path, "sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("python")]
    assert len(commands) >= 8
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        quick = re.sub(r"total_steps=\d+", "total_steps=6000", command)
        done = subprocess.run(
            quick, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{quick}\n{done.stdout}\n{done.stderr}"
    (code,) = blocks(ROOT / "README.md", "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 4
    assert (tmp_path / "figures" / "delta" / "learning_curves.png").exists()


def test_the_search_to_copy_is_the_one_in_conf() -> None:
    first = blocks(ROOT / "docs" / "search.md", "yaml")[0]
    assert first == (ROOT / "conf" / "sweep" / "search_npg.yaml").read_text()


def test_every_key_of_a_search_is_in_its_document() -> None:
    from sweeps.search.schema import KEYS

    text = (ROOT / "docs" / "search.md").read_text().partition("## The keys below")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \|", text, re.M)
    assert rows == list(KEYS)


def test_the_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in DOCUMENTS:
        for target in re.findall(r"`make ([a-z]+)`", path.read_text()):
            assert target in targets, f"{path.name}: make {target}"
