"""(b) What evaluations on the way cost: those of sweep=mujoco on HalfCheetah-v5, against the training between two."""

import sys
from collections.abc import Iterator, Sequence

from tests.benchmarks.measure import Advance, Contestant, Effort, Row, Turn, alternate, compare, serve

JOB = ("algorithm=trpo", "env=halfcheetah", "seeds=1")


def evaluation(effort: Effort) -> Iterator[Row]:
    """The last row of part (b)."""
    from sweeps.expand import load

    every = load("mujoco")["evaluation.every"]
    contestants = {
        "training": Contestant("ours", JOB, effort.iterations),
        "evaluation": Contestant("evaluation", JOB, 1),
    }
    turns = alternate(contestants, effort.alternations)
    yield compare(
        [turn["seconds"] for turn in turns["evaluation"]],
        [turn["seconds"] * every / turn["steps"] for turn in turns["training"]],
        part="b",
        case="an evaluation, sweep=mujoco",
        quantity="time",
        against=f"training for {every:,} steps",
        unit="s",
        most=0.05,
    )


def build(overrides: Sequence[str]) -> Advance:
    """Evaluations as a job makes them, one an iteration."""
    import numpy as np
    import torch

    from pgbench.after.evaluation import run_episodes
    from pgbench.composition import compose
    from pgbench.runs.trainer import Trainer

    torch.set_num_threads(1)
    config = compose([*overrides, "total_steps=1"])
    policy = Trainer(config, config.seed_list).policy(0)
    settings = config.evaluation.episodes, np.random.SeedSequence(0), config.evaluation.deterministic

    def advance(iterations: int) -> Turn:
        steps = 0
        for _ in range(iterations):
            found = run_episodes(policy, *settings)
            steps += int(found[1].sum())
        return {"steps": steps}

    return advance


if __name__ == "__main__":
    serve(lambda: build(sys.argv[1:]))
