"""Any text that people give, in any locale: through hash, records, reports, tables and page."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from small import SMALL

from pgbench.api import train
from pgbench.composition import compose
from pgbench.runs.find import find_runs
from reports.__main__ import main as reports

ROOT = Path(__file__).parents[1]
NAMES = [
    "a$^$b",
    "cost $5 and $6",
    "<script>alert(1)</script> & <b>",
    "a,b;c|d",
    "x" * 200,
    "🤖 ünïcode データ שלום",
    "100% _{\\alpha} # ~",
    "\"quoted\" 'single'",
    "",
]


def _calls() -> Iterator[tuple[Path, ast.Call, str]]:
    for package in ("pgbench", "sweeps", "reports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield path, node, ast.unparse(node.func)


def test_every_file_is_read_and_written_as_utf_8() -> None:
    for path, call, name in _calls():
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        given = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        modes = [
            x for x in [*given, keywords.get("mode", "").strip("'")] if isinstance(x, str) and set(x) <= {*"rwabx+"}
        ]
        last = name.rpartition(".")[2]
        opens = (name in ("open", "os.fdopen") or last == "NamedTemporaryFile") and not any("b" in x for x in modes)
        text = last in ("read_text", "write_text") or (name.startswith("subprocess.") and "text" in keywords)
        if opens or text:
            assert keywords.get("encoding") == "'utf-8'", f"{path}:{call.lineno}: {ast.unparse(call)}"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("names") / "données $x$"
    for number, name in enumerate(NAMES):
        text = name.replace("'", "\\'")
        kwargs = "+env.kwargs.max_episode_steps=20"
        common = [*SMALL, "algorithm=npg", "env=cartpole", "seeds=2", "total_steps=256", kwargs]
        own = [f"hyperparameters.name='{text}'", f"hyperparameters.gamma=0.{number + 1}", f"output_dir='{directory}'"]
        train(compose([*common, *own]))
    return directory


def test_names_are_recorded_and_drawn_as_they_are(records: Path, tmp_path: Path) -> None:
    held = [yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")) for run in find_runs(records)]
    assert {each["config"]["hyperparameters"]["name"] for each in held} == set(NAMES)
    assert len({each["job"] for each in held}) == len(NAMES)
    assert reports([str(records), "--out", str(tmp_path)]) == 0
    for file in ("index.html", "summary.md", "summary.tex", "manifest.json"):
        (tmp_path / file).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(set(pd.read_csv(tmp_path / "summary.csv")["job"])) == len(NAMES)


def test_keywords_of_any_shape(tmp_path: Path) -> None:
    names = set()
    for value in ("{1: a, b: [c, {2: d}]}", "[[1, [2]], null, true]", "'é,{}'"):
        arguments = ["env.id=probes:Keyword-v0", f"+env.kwargs.options={value}", *SMALL, "seeds=2", "algorithm=npg"]
        config = compose([*arguments, "total_steps=256", f"output_dir={tmp_path}/runs"])
        names.add(config.job_name)
        train(config)
        held = yaml.safe_load((config.job_dir / "seed-0" / "config.yaml").read_text(encoding="utf-8"))
        assert held["config"]["env"]["kwargs"] == config.env.kwargs
    assert len(names) == 3
    assert reports([str(tmp_path / "runs"), "--out", str(tmp_path / "figures")]) == 0
    labels = pd.read_csv(tmp_path / "figures" / "summary.csv")
    assert labels["label"].nunique() == labels["job"].nunique() == 3


@pytest.mark.parametrize("locale", ["C", "latin-1"])
def test_no_locale_stops_a_command(locale: str, records: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "LC_ALL": "C"}
    if locale == "latin-1":
        command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / "en_US.ISO-8859-1")]
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode:
            pytest.skip("no localedef")
        env |= {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}
    small = [*SMALL, "algorithm=vpg", "seeds=1", "total_steps=128", "hyperparameters.name='é🤖'", "output_dir=rüns"]
    for command in (
        ["pgbench", *small],
        ["sweeps", *small, "n_jobs=1"],
        ["sweeps.status", "rüns"],
        ["reports", str(records), "--out", "f"],
        ["pgbench", "hyperparameters.nom='é🤖'"],
    ):
        done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, env=env, capture_output=True, check=False)
        assert done.returncode == (2 if "hyperparameters.nom" in command[1] else 0), done.stderr.decode("latin-1")
        assert b"Traceback" not in done.stderr
    if locale == "C":
        (run,) = find_runs(tmp_path / "rüns")
        held = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        assert held["config"]["hyperparameters"]["name"] == "é🤖"
        assert held["job"] == compose([*small]).job_name
