"""python -m reports, as people and scripts call it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from reports import curves
from reports.__main__ import main
from reports.assemble import load_data

Write = Callable[..., Path]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_study_gives_figures_tables_and_a_page(study: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "deep" / "figures"
    assert main([str(study), "--out", str(out), "--published", "--threshold", "CartPole-v1=400"]) == 0
    names = ("learning_curves", "final_return", "ranking", "steps_to_threshold", "step_size", "diagnostics", "seeds")
    files = [f"{name}.{kind}" for name in names for kind in ("png", "pdf", "svg", "csv", "json")]
    rest = ["index.html", "manifest.json", "summary.csv", "summary.md", "summary.tex"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*files, *rest])
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].endswith(f"are in {out}")
    assert len(printed.splitlines()) <= 10
    summary = pd.read_csv(out / "summary.csv")
    assert len(summary) == 7 * 3
    assert {"diverged", "failed", "median_steps_to_threshold"} <= set(summary.columns)
    for page in ("index.html", "summary.md"):
        text = (out / page).read_text()
        assert "TRPO, delta=0.01" in text
        assert "0xangelo/deep-rl" in text


def test_equal_records_give_equal_files_and_no_figure_of_an_earlier_report_stays(write: Write, tmp_path: Path) -> None:
    write(root=tmp_path / "runs")
    (tmp_path / "b").mkdir()
    for name in ("gae.png", "mine.png", "ranking.json"):
        (tmp_path / "b" / name).touch()
    (tmp_path / "b" / "manifest.json").write_text('{"files": ["gae.png"]}')
    for out in ("a", "b"):
        assert main([str(tmp_path / "runs"), "--out", str(tmp_path / out)]) == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert not (tmp_path / "b" / "gae.png").exists()
    for name in ("mine.png", "ranking.json"):  # not of a report: somebody's own
        assert (tmp_path / "b" / name).exists()


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[None]:
    """Whatever happens, it does not go on."""
    try:
        yield
    finally:
        process.kill()


def test_watch_draws_again_as_records_grow_until_all_have_ended(write: Write, tmp_path: Path, capsys) -> None:
    root, page = tmp_path / "runs", tmp_path / "out" / "index.html"
    write("trpo", 0, [20.0, 41.0], root=root, status="running")
    command = [sys.executable, "-m", "reports", str(root), "--out", str(page.parent), "--watch", "1"]
    # Ctrl-C reaches it even where a shell has put the tests into the background.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heard) as process, ending(process):

        def drawn() -> str:
            """What the command prints of its next report."""
            assert process.stdout is not None
            said = ""
            while "index.html are in" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            return said

        assert "a mean of 41.0" in drawn()
        write("trpo", 1, [20.0, 63.0], root=root, status="running")
        assert "a mean of 52.0" in drawn()
        assert '<meta http-equiv="refresh" content="1">' in page.read_text()
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
    assert (process.returncode, rest, error) == (0, "", "")  # nor was it drawn without a change
    for status in root.glob("*/*/status.json"):
        status.write_text(status.read_text().replace("running", "done"))
    assert main([str(root), "--out", str(page.parent), "--watch", "1"]) == 0  # by itself
    assert "http-equiv" not in page.read_text()


def test_watch_draws_with_the_bounds_as_they_are_now(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "bounds.yaml"
    write(root=tmp_path / "runs", env="Own-v0")
    for reference in (100, 200):
        file.write_text(f"Own-v0: {{random: 0, reference: {reference}}}\n")
        assert load_data(tmp_path / "runs", normalize=file).bounds["Own-v0"].reference == reference


@pytest.mark.parametrize("seconds", ["-1", "0"])
def test_watch_waits_between_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), "--watch", seconds])
    assert f"argument --watch: got {seconds}, allowed is at least 1" in capsys.readouterr().err


def test_what_the_command_reads_beside_the_records_is_read_anew(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A large report is not drawn again when nothing has changed: neither the bounds nor a figure's module."""
    monkeypatch.setattr(curves, "WORTH", 1)
    monkeypatch.syspath_prepend(str(tmp_path))
    write(root=tmp_path / "runs", env="Own-v0")
    bounds, figure = tmp_path / "bounds.yaml", tmp_path / "nothing_drawn.py"
    bounds.write_text("Own-v0: {random: 0, reference: 100}\n")
    figure.write_text("def nothing(data):\n    return None  # one\n")

    def drawn() -> bool:
        command = [str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--normalize", str(bounds)]
        assert main([*command, "--figure", "nothing_drawn:nothing"]) == 0
        return "Nothing has changed" not in capsys.readouterr().out

    assert [drawn(), drawn()] == [True, False]
    for file, old, new in ((bounds, "100", "200"), (figure, "one", "two")):
        times = file.stat()
        file.write_text(file.read_text().replace(old, new))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert [drawn(), drawn()] == [True, False]
    bounds.unlink()
    assert main([str(tmp_path / "runs"), "--normalize", str(bounds)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_help_answers_at_once() -> None:
    start = time.perf_counter()
    result = run("-m", "reports", "--help")
    assert time.perf_counter() - start < 1.5
    assert result.returncode == 0
    assert "--published" in result.stdout


def test_neither_the_import_nor_the_command_imports_torch_or_wandb(write: Write, tmp_path: Path) -> None:
    write(root=tmp_path / "runs")
    program = (
        "import sys, reports; reports.load_runs; from reports.__main__ import main\n"
        f"assert main([{str(tmp_path / 'runs')!r}, '--out', {str(tmp_path / 'out')!r}]) == 0\n"
        "assert 'seaborn' in sys.modules\n"
        "own = {name for name in sys.modules if name.startswith('pgbench.')}\n"
        "known = {'runs', 'errors', 'files', 'plugins', 'options', 'terminal'}\n"
        "assert {one.split('.')[1] for one in own} <= known, own\n"
        "assert not {'torch', 'wandb'} & set(sys.modules)"
    )
    result = run("-c", program)
    assert result.returncode == 0, result.stderr


def test_an_error_is_one_line_and_status_2(tmp_path: Path) -> None:
    result = run("-m", "reports", tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"reports: error: {tmp_path}: no runs below it")
    assert result.stderr.count("\n") == 1


def test_out_must_not_be_a_file(write: Write, tmp_path: Path, capsys) -> None:
    write(root=tmp_path / "runs")
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "file")]) == 2
    assert "not a directory" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_an_infinite_return_does_not_cost_the_page(write: Write, tmp_path: Path) -> None:
    write("trpo", 0, [20.0, float("-inf")], root=tmp_path / "runs", steps=50_000)
    write("npg", 0, [20.0, 30.0], root=tmp_path / "runs", steps=50_000)
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--threshold", "inf"]) == 0
    page = (tmp_path / "out" / "index.html").read_text()
    texts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)
    told = [json.loads(text, parse_constant=pytest.fail) for text in texts]
    (data,) = [one for one in told if "curves" in one]
    assert {job["label"]: job["score"] for job in data["jobs"]} == {"NPG": 30.0, "TRPO": None}
    (runs,) = [one for one in told if "last return" in one.get("columns", ())]
    assert [row[runs["columns"].index("last return")] for row in runs["rows"]] == [30.0, None]


def test_a_threshold_is_a_number(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["runs", "--threshold", "CartPole-v1=high"])
    assert "write a number or ENV=number" in capsys.readouterr().err
