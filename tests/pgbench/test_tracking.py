"""W&B, offline, for real: what is logged is what is recorded."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pgbench.errors import UserError
from pgbench.runs.job import run_job
from pgbench.runs.records import seed_dir


def inspect(path: Path) -> str:
    wandb = Path(sys.executable).with_name("wandb")
    return subprocess.run(
        [str(wandb), "leet", "inspect", "--json", str(path)], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_offline_needs_no_key_and_logs_each_seed(small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = small("tracking=wandb", "algorithm=trpo", "seeds=2", "total_steps=500", "tracking.tags=[extra]")
    assert run_job(config) == {0: "done", 1: "done"}
    logs = sorted(config.job_dir.glob("wandb/offline-run-*/*.wandb"))
    assert len(logs) == 2
    for seed in range(2):
        (log,) = [log for log in logs if log.stem.endswith(f"seed-{seed}")]
        text = inspect(log)
        for expected in (config.job_name, "extra", "CartPole-v1", "env_steps", "explained_variance"):
            assert expected in text
        metrics = pd.read_csv(seed_dir(config.job_dir, seed) / "metrics.csv")
        for value in metrics["kl"]:
            assert json.dumps(value) in text


def test_without_a_key_online_is_one_clear_line(small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    config = small("tracking=wandb", "tracking.mode=online", "seeds=1", "total_steps=500")
    with pytest.raises(UserError, match=r"tracking: .*offline") as caught:
        run_job(config)
    assert "\n" not in str(caught.value)
