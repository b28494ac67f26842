"""Compact runs: less of the same numbers."""

from pathlib import Path

import numpy as np
import pytest

from pgbench.runs.records import EPISODES_FILE, EVALUATIONS_FILE, METRICS_FILE
from reports import load_evaluations, load_runs
from reports.__main__ import main
from reports.assemble import load_data


def test_compact_runs_are_read_like_the_runs_they_are_of(write, tmp_path: Path, capsys) -> None:
    returns = (np.linspace(20, 480, 60) + 1e-7).tolist()
    run = write("trpo", returns=returns, steps=1000, root=tmp_path / "runs")
    (run / EVALUATIONS_FILE).write_text("env_steps,episode,return,length,deterministic\n60000,0,500.0,500,1\n")
    assert main(["compact", str(tmp_path / "runs"), "--out", str(tmp_path / "small"), "--rows", "7"]) == 0
    assert "1 runs in" in capsys.readouterr().out
    whole, small = load_runs(tmp_path / "runs"), load_runs(tmp_path / "small")
    assert list(small["iteration"]) == [1, 11, 21, 31, 40, 50, 60]
    kept = whole[whole["iteration"].isin(small["iteration"])]
    for name in ("env_steps", "episodes", "episode_return", "kl", "seconds"):
        np.testing.assert_allclose(small[name], kept[name], rtol=1e-5)
    for name in ("algorithm", "env", "seed", "job", "status", "total_steps", "label"):
        assert list(small[name]) == list(kept[name])
    assert list(load_evaluations(tmp_path / "small")["return"]) == [500]
    assert not (tmp_path / "small" / run.parent.name / run.name / EPISODES_FILE).exists()


def test_a_final_return_stays_what_it_was(write, tmp_path: Path) -> None:
    """A run ends within an iteration after total_steps, and its final return is of the one before."""
    returns = np.linspace(20, 480, 60).tolist()
    for seed, total in ((0, 59_500), (1, 60_000)):
        write(seed=seed, returns=returns, steps=1000, total_steps=total, root=tmp_path / f"runs{seed}")
        main(["compact", str(tmp_path / f"runs{seed}"), "--out", str(tmp_path / f"small{seed}"), "--rows", "7"])
        (whole,), (small,) = (load_data([tmp_path / f"{name}{seed}"]).groups for name in ("runs", "small"))
        assert whole.final == pytest.approx(returns[-2 + seed])
        assert small.final == pytest.approx(whole.final, rel=1e-5)


def test_no_run_is_written_over(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write("trpo", root=tmp_path / name, job="same") for name in ("a", "b")]
    before = [(run / METRICS_FILE).read_bytes() for run in runs]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for out in ("a", "link"):
        assert main(["compact", str(tmp_path / "a"), "--out", str(tmp_path / out), "--rows", "2"]) == 2
        told = capsys.readouterr().err
        assert "is itself to be compacted" in told
        assert told.count("\n") == 1
    assert main(["compact", *(str(tmp_path / name) for name in "ab"), "--out", str(tmp_path / "small")]) == 2
    assert f"{runs[0]} and {runs[1]} would both be" in capsys.readouterr().err
    (runs[1] / "checkpoint.pt").touch()
    assert main(["compact", str(tmp_path / "a"), "--out", str(tmp_path / "b")]) == 2
    assert "holds a whole run" in capsys.readouterr().err
    assert [(run / METRICS_FILE).read_bytes() for run in runs] == before
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("rows", ["-1", "0", "1"])
def test_a_curve_keeps_its_two_ends(write, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str) -> None:
    write(root=tmp_path / "runs")
    with pytest.raises(SystemExit, match="2"):
        main(["compact", str(tmp_path / "runs"), "--out", str(tmp_path / "small"), "--rows", rows])
    assert f"argument --rows: got {rows}, allowed is at least 2" in capsys.readouterr().err


def test_where_there_are_no_runs_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compact", str(tmp_path), "--out", str(tmp_path / "small")]) == 2
    assert "no runs below it" in capsys.readouterr().err
