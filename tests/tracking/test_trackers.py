"""The other trackers, by the same follower; W&B sweeps; figures."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from server import Server

from pgbench.composition import compose
from pgbench.tracking.weights_and_biases import inspect
from tests.tracking.conftest import KEY, ROOT, SMALL, command, environment


def test_tensorboard_holds_every_row(untracked: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runs = sorted(untracked.glob("*/seed-*"))
    done = command("sweeps.publish", untracked, "--backend=tensorboard")
    assert "3 of 3 runs are up to date, 3 sent now" in done.stdout
    for run in runs:
        events = EventAccumulator(str(run / "tensorboard"), {"scalars": 0})
        events.Reload()
        table = pd.read_csv(run / "metrics.csv")
        for name in set(table) - {"env_steps"}:
            known = table[["env_steps", name]].dropna()
            held = events.Scalars(f"train/{name}") if len(known) else []
            assert [event.step for event in held] == known["env_steps"].tolist()
            assert [event.value for event in held] == np.float32(known[name]).tolist()
        (best,) = events.Scalars("summary/best_return")
        assert best.value == np.float32(table["episode_return"].max())
    assert "0 sent now" in command("sweeps.publish", untracked, "--backend=tensorboard").stdout


def test_tensorboard_goes_on_where_a_killed_follower_was(tmp_path: Path) -> None:
    """Rows written after the last known one are written again; TensorBoard shows each once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from pgbench.tracking.tensorboard import TensorBoardRun
    from pgbench.tracking.tracker import Run

    memory: dict[str, Any] = {}

    def run(sent: int) -> Run:
        return Run(tmp_path, tmp_path, "id", "name", "group", "type", (), {"seed": 0}, sent, {}, True, None, memory)

    first = TensorBoardRun(run(0))
    for k in range(1, 6):
        first.row({"env_steps": 10 * k, "kl": k / 4})
        if k == 3:
            saved = dict(memory)
    memory.update(saved)
    second = TensorBoardRun(run(3))
    for k in range(4, 9):
        second.row({"env_steps": 10 * k, "kl": k / 4})
    second.end("done", {"status": "done"})
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"scalars": 0})
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/kl")] == [(10 * k, k / 4) for k in range(1, 9)]


def test_the_example_of_an_own_tracker_works_as_its_page_says(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "tracker" / "README.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.S)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    for line in block.splitlines():
        line = line.replace("PYTHONPATH=", f"PYTHONPATH={ROOT}:").replace("20000", "3000")
        done = subprocess.run(
            line,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "2 of 2 runs are up to date, 0 sent now" in done.stdout
    for run in tmp_path.glob("runs/jsonl/*/seed-*"):
        head, *rows, summary = map(json.loads, (run / "rows.jsonl").read_text().splitlines())
        assert head["config"]["algorithm"]["name"] == "trpo"
        assert [row["kl"] for row in rows] == pd.read_csv(run / "metrics.csv")["kl"].tolist()
        assert summary["status"] == "done"


def test_a_damaged_record_beside_leaves_the_others_alone(untracked: Path, tmp_path: Path) -> None:
    shutil.copytree(untracked, tmp_path / "runs")
    hurt, *others = sorted((tmp_path / "runs").glob("*/seed-*"))
    (hurt / "config.yaml").write_text("job: {\n")
    done = command("sweeps.publish", tmp_path / "runs", "--backend=tensorboard", check=False)
    assert done.returncode == 1
    assert f"1 of {1 + len(others)} runs" in done.stderr
    assert all(list((run / "tensorboard").iterdir()) for run in others)


def test_an_own_tracker_that_fails_costs_one_line(untracked: Path, tmp_path: Path) -> None:
    (tmp_path / "broken_tracker.py").write_text("def make(run):\n    raise RuntimeError('no such luck')\n")
    arguments = ("sweeps.publish", untracked, "--backend=broken_tracker:make")
    done = command(*arguments, check=False, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "3 of 3 runs are not up to date" in done.stderr
    assert "RuntimeError: no such luck" in done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps" / "wandb").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_sweep_of_wandb_gives_commands_that_compose(path: Path) -> None:
    """With the agent's own builder of commands, at the ends of each range."""
    for args, overrides in agent_commands(path):
        config = compose(overrides)
        assert config.tracking.backend == "wandb"
        for key, one in args.items():
            value: Any = config
            for part in key.split(".") if "." in key else []:
                value = getattr(value, part)
            if "." in key:
                assert value == (tuple(one["value"]) if isinstance(one["value"], list) else one["value"])
    assert yaml.safe_load(path.read_text())["metric"]["name"] == "objective"


def agent_commands(path: Path) -> list[tuple[dict[str, Any], list[str]]]:
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    sweep = yaml.safe_load(path.read_text())
    found = []
    for end in (0, -1):
        args = {}
        for key, spec in sweep["parameters"].items():
            choices = spec.get("values") or [spec.get("value", spec.get("min")), spec.get("value", spec.get("max"))]
            args[key] = {"value": choices[end]}
        parts = create_sweep_command_args({"args": args})
        line = [part for each in create_sweep_command(sweep["command"]) for part in parts.get(each[2:-1], [each])]
        assert line[2:4] == ["-m", "pgbench"], line
        found.append((args, line[4:]))
    return found


def test_a_trial_of_a_sweep_is_one_run_with_the_objective(tmp_path: Path, server: Server) -> None:
    """As the agent starts it: the trial takes the agent's run id, the seeds stand beside it in the same group."""
    (args, overrides), _ = agent_commands(ROOT / "sweeps" / "wandb" / "step_size.yaml")
    assert args["hyperparameters.delta"]["value"] == 0.001
    mine = [*SMALL, f"output_dir={tmp_path}", "total_steps=1500", "seeds=2"]
    agent = {"WANDB_RUN_ID": "trial1", "WANDB_SWEEP_ID": "sweep1", "WANDB_PROJECT": "pgbench"}
    command("pgbench", *overrides, *mine, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY, **agent)
    tables = [pd.read_csv(path) for path in sorted(tmp_path.glob("*/seed-*/metrics.csv"))]
    trial = server.runs["trial1"]
    assert len(server.runs) == 3
    assert trial.fields["sweep"] == "sweep1"
    means = [np.mean(pair) for pair in zip(*(table["episode_return"] for table in tables), strict=True)]
    assert [row.get("objective", np.nan) for row in trial.rows] == pytest.approx(means, nan_ok=True, abs=0)
    assert trial.summary["objective"] == means[-1]
    assert {run.fields["groupName"] for run in server.runs.values()} == {trial.fields["groupName"]}
    assert all("sweep" not in run.fields for name, run in server.runs.items() if name != "trial1")


def test_figures_and_tables_are_a_run_of_their_own(tmp_path: Path, untracked: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    shutil.copy(ROOT / "docs" / "figures" / "gae.png", figures / "learning_curves.png")
    (figures / "summary.csv").write_text("algorithm,iqm\ntrpo,480.5\n")
    arguments = ("--figures", figures, untracked, "--mode=offline", "--artifact")
    assert "1 figures and 1 tables" in command("sweeps.publish", *arguments).stdout
    again = "from reports.share import share; import sys; sys.exit(share(*sys.argv[1:2], sys.argv[2:]))"
    subprocess.run(  # as `reports --wandb` does; the same run goes on
        [sys.executable, "-c", again, figures, untracked], cwd=ROOT, env=environment(WANDB_MODE="offline"), check=True
    )
    held = json.loads((figures / "tracking.json").read_text())
    assert held["sent"] == 2
    files = sorted(figures.glob("wandb/offline-run-*/*.wandb"))
    assert len({path.name for path in files}) == 1
    for step, path in enumerate(files):
        (item,) = [record["history"]["item"] for record in inspect(path) if record["type"] == "history"]
        assert item["_step"] == step
        assert item["figures/learning_curves._type"] == "image-file"
        assert item["tables/summary.nrows"] == 1
