"""Synthetic runs, written as pgbench writes them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import yaml

from pgbench.runs.records import CONFIG, Records, seed_dir, write_status

Write = Callable[..., Path]


def writer(directory: Path) -> Write:
    """What writes one seed's records below a directory and returns theirs."""

    def write_run(
        algorithm: str = "trpo",
        seed: int = 0,
        returns: Sequence[float] = (20.0, 200.0, 480.0, 490.0),
        *,
        env: str = "CartPole-v1",
        kwargs: Mapping[str, Any] | None = None,
        hyperparameters: str = "default",
        values: Mapping[str, Any] | None = None,
        status: str = "done",
        steps: int = 25_000,
        total_steps: int = 100_000,
        job: str | None = None,
        root: Path = directory,
        format: int | None = None,
    ) -> Path:
        usual = {"delta": 0.01, "hidden": [64, 64]} if format is None else {"hidden": [64, 64]}
        values = {**usual, **(values or {})}
        name = job or f"{algorithm}-{env}-{hyperparameters}-{crc32(str(values).encode())}-{total_steps}"
        run_dir = seed_dir(root / name, seed)
        run_dir.mkdir(parents=True)
        config = {
            "algorithm": {"name": algorithm, "advantage": "gae"},
            "env": {"id": env, "kwargs": dict(kwargs or {}), "append_time": False, "timeout": "bootstrap"},
            "hyperparameters": {"name": hyperparameters, **values},
            "total_steps": total_steps,
        }
        run: dict[str, Any] = {"seed": seed, "job": name, "config": config, "provenance": {"torch": "2.9"}}
        if format is not None:  # total_steps is no part of a job, and provenance has a file of its own
            config = {key: value for key, value in config.items() if key != "total_steps"}
            run = {"format": format, "seed": seed, "job": name, "config": config, "total_steps": total_steps}
            (run_dir / "provenance.jsonl").write_text('{"version": "0.2.0", "time": 1.0, "env_steps": 0}\n')
        (run_dir / CONFIG).write_text(yaml.safe_dump(run))
        records = Records(run_dir)
        for k, value in enumerate(returns, 1):
            metrics = {"iteration": k, "env_steps": k * steps, "episodes": 100 * k, "episode_return": value}
            metrics |= {"episode_length": value, "kl": 0.01 / k, "entropy": 0.6, "value_loss": 1.0 / k}
            records.append(metrics, [(k, k * steps, value, 10 * k, 1)], 0.5 * k)
        records.close()
        write_status(run_dir, status, env_steps=len(returns) * steps, total_steps=total_steps)
        return run_dir

    return write_run


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one seed's records below tmp_path and returns its directory."""
    return writer(tmp_path)


@pytest.fixture
def study(write: Write, tmp_path: Path) -> Path:
    """Four algorithms on CartPole-v1, one that diverged, one that failed, one running; a delta sweep on Pendulum-v1."""
    rng = np.random.default_rng(1)
    speeds = {"reinforce": 6.0, "vpg": 4.0, "npg": 2.2, "trpo": 2.0}
    for algorithm, speed in speeds.items():
        for seed in range(6):
            steps = int(rng.integers(3800, 4500)) if algorithm == "reinforce" else 4000
            k = np.arange(1, 200_000 // steps + 2)
            noise = rng.normal(0, 12, len(k)).cumsum() / 3 + rng.normal(0, 15)
            curve = np.clip(500 - 480 * np.exp(-k / speed / 4) + noise, 9, 500)
            odd = {("vpg", 0): ("diverged", 18), ("npg", 1): ("failed", 9), ("trpo", 2): ("running", 44)}
            status, rows = odd.get((algorithm, seed), ("done", len(k)))
            write(algorithm, seed, curve[:rows].tolist(), steps=steps, total_steps=200_000, status=status)
    for delta in (0.001, 0.01, 0.1):
        for seed in range(5):
            k = np.arange(1, 51)
            curve = -1300 + 1100 * (1 - np.exp(-k * delta**0.5 / 3)) + rng.normal(0, 40) + rng.normal(0, 15, 50)
            write(
                "trpo",
                seed,
                curve.tolist(),
                env="Pendulum-v1",
                values={"delta": delta},
                steps=4000,
                total_steps=200_000,
            )
    write("npg", 0, [], env="Acrobot-v1", status="pending", total_steps=200_000)
    return tmp_path
