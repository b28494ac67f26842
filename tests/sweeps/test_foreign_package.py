"""PyPI has another package called `sweeps`: where that one is imported, it is said clearly."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wrong_sweeps_is_told_in_one_line(tmp_path: Path) -> None:
    """Their files and ours end up in one directory, and one `__init__.py` wins: here theirs."""
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "__init__.py").write_text("def next_run(config): ...\n")
    shutil.copy(ROOT / "sweeps" / "__main__.py", tmp_path / "sweeps")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "sweeps", "sweep=figure1"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is another package of this name" in done.stderr
    assert "pip uninstall sweeps" in done.stderr
