"""The documents say what the code does: commands run, tables match, links lead somewhere."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from literally import follow, shorter

import pgbench
from pgbench.runs.records import EPISODES, EVALUATIONS, MEASUREMENTS, METRICS, TIMES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *PAGES]
FIRST = [DOCS / "start.md", DOCS / "howto" / "evaluation.md"]
"""Other pages read the runs of these."""
ELSEWHERE = ("make ", "source ")
HEAVY = [DOCS / "howto" / name for name in ("tracking.md", "search.md", "clusters.md")]


def blocks(path: Path, *languages: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page in their order: language and text."""
    return re.findall(rf"^```({'|'.join(languages)})\n(.*?)^```", path.read_text(), re.S | re.M)


def steps(pages: list[Path], directory: Path) -> list[str]:
    """What pages say, in order, as command lines. A block of Python is a module; one whose first line names a file is
    that file, as YAML's may; else YAML above a `sweep=NAME.yaml` is that file."""
    lines: list[str] = []
    for page in pages:
        found = blocks(page, "sh", "python", "yaml")
        for (language, text), (_, below) in zip(found, [*found[1:], ("", "")], strict=False):
            name = re.match(r"# ([\w/]+\.(?:py|yaml))\n", text)
            if language == "yaml" and not name:
                name = re.search(r"sweep=(\w+\.yaml)", below)
            if language == "sh":
                lines += [one for one in text.splitlines() if not one.startswith(ELSEWHERE) and one not in lines]
            elif name:
                (directory / name[1]).parent.mkdir(parents=True, exist_ok=True)
                (directory / name[1]).write_text(shorter(text))
            elif language == "python":
                (directory / f"block{len(lines)}.py").write_text(shorter(text))
                lines.append(f"python -m block{len(lines)}")
    return lines


def test_the_pages_do_what_they_say(tmp_path: Path) -> None:
    others = [page for page in PAGES if page not in (*FIRST, *HEAVY)]
    lines = steps([*FIRST, ROOT / "README.md", *others], tmp_path)
    assert len(lines) > 20
    assert "delta=0.001: " in follow(lines, tmp_path)
    assert (tmp_path / "figures" / "delta" / "learning_curves.png").exists()


@pytest.mark.parametrize("page", HEAVY, ids=lambda page: page.stem)
def test_the_larger_pages_do_what_they_say(page: Path, tmp_path: Path) -> None:
    follow(steps([page], tmp_path), tmp_path)


def test_the_notebook_runs(tmp_path: Path) -> None:
    cells = json.loads((ROOT / "examples" / "first_steps.ipynb").read_text())["cells"]
    code = [shorter("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 5
    script = "\n".join(["import matplotlib; matplotlib.use('agg')", *code])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, timeout=600)
    assert list(tmp_path.glob("runs/*/*/seed-0/policy.pt"))


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["api.md", "configuration.md", "commands.md"])
def test_the_reference_is_the_code(name: str) -> None:
    """Made anew it is the same: so every public name, config key, command and option appears."""
    made: str = maker().PAGES[name]()
    assert (DOCS / "reference" / name).read_text() == made, "python docs/make_reference.py"


def test_every_public_name_and_key_appears() -> None:
    import reports
    from pgbench.validation import keys
    from sweeps.options import OPTIONS

    text = {name: (DOCS / "reference" / f"{name}.md").read_text() for name in ("api", "configuration", "commands")}
    for module in (pgbench, reports):
        for name in module.__all__:
            if not isinstance(getattr(module, name), ModuleType):
                assert f"### {module.__name__}.{name}\n" in text["api"]
    assert all(f"| `{key}` |" in text["configuration"] for key, _ in keys())
    assert all(f"| `{key}` |" in text["commands"] for key in OPTIONS)


def test_the_glossary_is_the_record_module() -> None:
    text = (DOCS / "reference" / "records.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M)
    expected = [
        (name, meaning.replace("||", "‖"))
        for table in (METRICS, EPISODES, TIMES, EVALUATIONS, MEASUREMENTS)
        for name, meaning in table.items()
    ]
    assert rows == expected


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_tests_that_prove_an_equation_exist() -> None:
    for path in DOCUMENTS:
        for file, function in re.findall(r"`(test_\w+\.py)::(\w+)`", path.read_text()):
            found = (ROOT / "tests" / "equations" / file).read_text()
            assert f"def {function}(" in found, f"{path.name}: {file}::{function}"


def test_every_page_is_in_the_contents() -> None:
    contents = "\n".join(re.findall(r"```{toctree}\n(.*?)```", (DOCS / "index.md").read_text(), re.S)).splitlines()
    for page in PAGES:
        name = str(page.relative_to(DOCS).with_suffix(""))
        assert name == "index" or name in contents, name


def test_the_search_to_copy_is_the_one_in_conf() -> None:
    _, first = blocks(DOCS / "howto" / "search.md", "yaml")[0]
    assert first == (ROOT / "conf" / "sweep" / "search_npg.yaml").read_text()


def test_every_key_of_a_search_is_in_its_document() -> None:
    from sweeps.search.schema import KEYS

    text = (DOCS / "howto" / "search.md").read_text().partition("## The keys below")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \|", text, re.M)
    assert rows == list(KEYS)


def test_the_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in DOCUMENTS:
        for target in re.findall(r"`make ([a-z-]+)`", path.read_text()):
            assert target in targets, f"{path.name}: make {target}"


def test_what_others_read_of_the_repository_is_whole() -> None:
    files = [*(ROOT / ".github").rglob("*.yaml"), ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"]
    assert len(files) >= 6
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in files:
        assert isinstance(yaml.safe_load(path.read_text()), dict), path
        assert set(re.findall(r"run: make (\S+)", path.read_text())) <= targets, path


def test_the_version_is_said_once() -> None:
    assert f"version: {pgbench.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {pgbench.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
