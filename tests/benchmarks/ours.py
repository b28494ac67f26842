"""Our side, `python -m tests.benchmarks.ours algorithm=trpo seeds=10 ...`: a job's training loop with its records."""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measure import Advance, Contestant, Turn, serve

ENDLESS = 10**12


def ours(algorithm: str, seeds: int, iterations: int, *overrides: str, module: str = "ours") -> Contestant:
    """One of our algorithms at equal work, as a contestant."""
    equal_work = (f"algorithm={algorithm}", f"seeds={seeds}", "hyperparameters=equal_work", *overrides)
    return Contestant(module, equal_work, iterations)


def build(overrides: Sequence[str]) -> Advance:
    """A trainer of all seeds in lockstep that writes its records, as a job does between two checkpoints."""
    import torch

    from pgbench.composition import compose
    from pgbench.runs.records import Records, seed_dir
    from pgbench.runs.trainer import Trainer

    torch.set_num_threads(1)
    config = compose([*overrides, f"total_steps={ENDLESS}"])
    trainer = Trainer(config, config.seed_list)
    directory = tempfile.TemporaryDirectory()
    records = []
    for seed in config.seed_list:
        place = seed_dir(Path(directory.name), seed)
        place.mkdir()
        records.append(Records(place))
    reached = [0] * len(records)
    started = time.monotonic()

    def advance(iterations: int) -> Turn:
        before = sum(reached)
        for _ in range(iterations):
            for s, (row, episodes) in trainer.iterate().items():
                numbered = [(row["iteration"], *episode) for episode in episodes]
                records[s].append(row, numbered, time.monotonic() - started)
                reached[s] = row["env_steps"]
        assert Path(directory.name).exists()
        assert not any(trainer.diverged)
        return {"steps": sum(reached) - before}

    return advance


if __name__ == "__main__":
    serve(lambda: build(sys.argv[1:]))
