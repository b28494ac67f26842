"""Each example runs as its README says, from a directory beside it, and edits no file of the package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_readmes_commands_run(name: str, tmp_path: Path) -> None:
    text = (ROOT / "examples" / name / "README.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    assert commands
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        quick = re.sub(r"total_steps=\d+", "total_steps=4200", command)
        done = subprocess.run(quick, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{quick}\n{done.stdout}\n{done.stderr}"


def test_ppo_is_one_file_of_at_most_80_lines() -> None:
    assert len((ROOT / "examples" / "ppo" / "ppo.py").read_text().splitlines()) <= 80


def test_the_network_learns_its_task(tmp_path: Path) -> None:
    """Chance gives 4 of 8."""
    sys.path += [str(ROOT / "examples" / "network")]
    import pgbench

    overrides = ["env=dot", "hyperparameters=cnn", "seeds=1", "total_steps=16384", f"output_dir={tmp_path}"]
    (run,) = pgbench.train(pgbench.compose(overrides, [str(ROOT / "examples" / "network" / "conf")]))
    assert pgbench.evaluate(pgbench.load_policy(run), episodes=50).mean() > 6
