"""(c) A sweep of 4 algorithms x 10 seeds on CartPole-v1, from command to finished records, against the peers' runs.

Ours is timed as a user sees it: `python -m sweeps` in a new process, start-up, workers and records included. Of the
peers' 40 runs a few of every algorithm are run, on all cores by joblib; what all 40 would take is scaled from their
seconds of learning alone, as if they filled the cores without a gap, and their imports took no time.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tests.benchmarks.measure import ROOT, Effort, Row, compare
from tests.benchmarks.peers import BATCH, train

PEER_OF = {"reinforce": "tianshou-reinforce", "vpg": "sb3-a2c", "npg": "tianshou-npg", "trpo": "sb3-trpo"}
SEEDS = 10


def sweep(effort: Effort) -> Iterator[Row]:
    """Part (c)."""
    ours, peers = [], []
    for turn in range(effort.alternations):
        ours.append(our_sweep(effort.sweep_steps))
        peers.append(peers_sweep(effort.sweep_steps, turn))
    yield compare(
        ours,
        peers,
        less_is_better=True,
        part="c",
        case=f"sweep of {len(PEER_OF)} algorithms x {SEEDS} seeds x {effort.sweep_steps:,} steps",
        quantity="time",
        against=f"the peers' {SEEDS * len(PEER_OF)} runs (scaled from {peer_seeds()} of each {SEEDS})",
        unit="s",
        least=5,
    )


def our_sweep(steps: int) -> float:
    """Seconds of the whole command."""
    with tempfile.TemporaryDirectory() as directory:
        jobs = (f"algorithm={','.join(PEER_OF)}", "env=cartpole", "hyperparameters=equal_work")
        length = (f"seeds={SEEDS}", f"total_steps={steps}", f"output_dir={directory}")
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sweeps", *jobs, *length], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - start


def peer_seeds() -> int:
    """Seeds of each peer that are run: enough for two runs a core."""
    return min(SEEDS, -(-2 * cores() // len(PEER_OF)))


def cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())


def peers_sweep(steps: int, turn: int) -> float:
    """Seconds of the peers' runs, scaled to all their seeds."""
    from joblib import Parallel, delayed, parallel_config

    iterations, count = -(-steps // BATCH), peer_seeds()
    runs = [(name, turn * count + seed) for seed in range(count) for name in PEER_OF.values()]
    with parallel_config("loky", n_jobs=cores(), inner_max_num_threads=1):
        seconds = Parallel()(delayed(train)(name, "CartPole-v1", seed, iterations) for name, seed in runs)
    return float(sum(seconds)) / cores() * SEEDS / count
