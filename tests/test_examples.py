"""Each example runs as its README says, from a directory beside it, and edits no file of the package."""

import re
import sys
from pathlib import Path

from literally import follow

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))


def test_the_readmes_commands_run(tmp_path: Path) -> None:
    lines: list[str] = []
    for path in EXAMPLES:
        found = [
            line for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.S) for line in block.splitlines()
        ]
        assert found, path
        lines += found
    follow(lines, tmp_path)


def test_ppo_is_one_file_of_at_most_80_lines() -> None:
    assert len((ROOT / "examples" / "ppo" / "ppo.py").read_text().splitlines()) <= 80


def test_the_network_learns_its_task(tmp_path: Path) -> None:
    """Chance gives 4 of 8."""
    sys.path += [str(ROOT / "examples" / "network")]
    import pgbench

    overrides = ["env=dot", "hyperparameters=cnn", "seeds=1", "total_steps=16384", f"output_dir={tmp_path}"]
    (run,) = pgbench.train(pgbench.compose(overrides, [str(ROOT / "examples" / "network" / "conf")]))
    assert pgbench.evaluate(pgbench.load_policy(run), episodes=50).mean() > 6
