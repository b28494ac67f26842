"""How long a report of many runs takes: `python -m tests.reports.scale JOBS SEEDS RECORDS`.

Writes synthetic runs of four algorithms with random settings to a temporary directory, then makes the report three
times: without a cache, with the cache of the records alone, and with nothing changed. Tells wall-clock and processor
seconds and the largest memory of each.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from pgbench.runs.records import METRICS
from reports.curves import CACHE
from reports.fresh import DRAWN

ALGORITHMS = ("reinforce", "vpg", "npg", "trpo")


def write(root: Path, jobs: int, seeds: int, records: int) -> None:
    """JOBS x SEEDS runs of RECORDS rows, with learning curves that depend on the settings."""
    rng = np.random.default_rng(0)
    k = np.arange(1, records + 1)
    for number in range(jobs):
        algorithm = ALGORITHMS[number % 4]
        step = float(f"{10 ** rng.uniform(-4, 0):.3g}")
        values = {
            "name": "default",
            "gae_lambda": float(rng.choice([0.9, 0.95, 1.0])),
            "critic_steps": int(rng.choice([1, 10, 80])),
        }
        values["delta" if algorithm in ("npg", "trpo") else "learning_rate"] = step
        level = 500 * np.exp(-((np.log10(step) + 2) ** 2) / 2)
        job = f"{algorithm}-CartPole-v1-{number:08x}"
        config = {"algorithm": {"name": algorithm}, "env": {"id": "CartPole-v1"}, "hyperparameters": values}
        for seed in range(seeds):
            folder = root / job / f"seed-{seed}"
            folder.mkdir(parents=True)
            run = {"format": 2, "seed": seed, "job": job, "config": config, "total_steps": records * 2048}
            (folder / "config.yaml").write_text(yaml.dump(run, Dumper=yaml.CSafeDumper))
            (folder / "provenance.jsonl").write_text('{"version": "0.2.0"}\n')
            (folder / "status.json").write_text(json.dumps({"status": "done"}))
            table = {name: rng.normal(size=records) for name in METRICS}
            table |= {"iteration": k, "env_steps": k * 2048, "episodes": k * 20}
            table["episode_return"] = np.clip(level * (1 - np.exp(-5 * k / records)) + rng.normal(20, 30), 9, 500)
            columns = [map(repr, np.asarray(column).tolist()) for column in table.values()]
            lines = [",".join(METRICS), *map(",".join, zip(*columns, strict=True)), ""]
            (folder / "metrics.csv").write_text("\n".join(lines))
            (folder / "times.csv").write_text("\n".join(["iteration,seconds", *(f"{i},{i * 0.05:.6f}" for i in k), ""]))


def report(root: Path, out: Path) -> str:
    """Makes the report in a process of its own; its costs."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "reports", str(root), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    wall, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    return f"{wall:.1f} s wall, {cpu:.1f} s processor, {usage.ru_maxrss / 1e6:.2f} GB"


def main(jobs: int = 1000, seeds: int = 10, records: int = 500) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "runs", Path(folder) / "out"
        write(root, jobs, seeds, records)
        print(f"{jobs * seeds} runs x {records} records")
        print("first report:     ", report(root, out), flush=True)
        (root / CACHE / DRAWN).unlink(missing_ok=True)
        print("records cached:   ", report(root, out), flush=True)
        print("nothing changed:  ", report(root, out), flush=True)
        print(f"index.html: {(out / 'index.html').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
