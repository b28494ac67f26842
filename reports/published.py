"""Published numbers that can be laid over ours (published.csv, with source and protocol in every row)."""

import csv
from pathlib import Path
from typing import NamedTuple

PUBLISHED = Path(__file__).with_name("published.csv")
COMPARABLE = (
    "training return, trailing 100 episodes",
    "training return, an epoch's episodes",
)
"""Protocols of what `episode_return` is."""
EVALUATED = (
    "stochastic evaluation, 10 episodes",
    "deterministic evaluation",
    "evaluation, 20 episodes",
)
"""Protocols of evaluations: laid over ours, never over training returns."""
MUJOCO = (
    *("Ant", "HalfCheetah", "Hopper", "Humanoid", "InvertedDoublePendulum", "InvertedPendulum"),
    *("Reacher", "Swimmer", "Walker2d"),
)
"""Tasks whose numbers are laid over another version of the same task, which they then name: the returns of HalfCheetah
and Swimmer are the same in all; v5 differs in a step's reward (Hopper, Reacher, the pendulums) or in the physics
(Walker2d's right foot has more friction), Ant and Humanoid in both."""


class Published(NamedTuple):
    """A published mean return at `env_steps`, with its spread (of `spread_kind`) over `seeds` seeds."""

    source: str
    env: str
    algorithm: str
    env_steps: float
    mean: float
    spread: float
    spread_kind: str
    seeds: int
    protocol: str


def load_published(pairs: set[tuple[str, str]], evaluated: bool = False) -> tuple[Published, ...]:
    """The rows of the given (environment id, algorithm) pairs that measured what `episode_return` measures, and with
    `evaluated` those that evaluated policies: another quantity, laid over evaluations alone. A row of another version
    of a MuJoCo task says so in its source."""
    with open(PUBLISHED, newline="", encoding="utf-8") as file:
        rows = [
            Published(
                row["source"],
                row["env"],
                row["algorithm"],
                float(row["env_steps"]),
                float(row["mean"]),
                float(row["spread"]),
                row["spread_kind"],
                int(row["seeds"]),
                row["protocol"],
            )
            for row in csv.DictReader(file)
        ]
    protocols = (*COMPARABLE, *EVALUATED) if evaluated else COMPARABLE
    return tuple(
        row if row.env == env else row._replace(env=env, source=f"{row.source}, on {row.env}")
        for row in rows
        for env, algorithm in sorted(pairs)
        if row.algorithm == algorithm and row.protocol in protocols and _same(row.env, env)
    )


def _same(theirs: str, ours: str) -> bool:
    task, _, _ = theirs.partition("-v")
    return theirs == ours or (task in MUJOCO and task == ours.partition("-v")[0])


def sources(rows: tuple[Published, ...]) -> str:
    """One sentence for the caption; empty without rows."""
    rows = tuple(row for row in rows if row.protocol in COMPARABLE)
    if not rows:
        return ""
    names = "; ".join(dict.fromkeys(row.source for row in rows))
    spread = "/".join(dict.fromkeys(row.spread_kind for row in rows))
    protocols = "; ".join(dict.fromkeys(row.protocol for row in rows))
    seeds = "/".join(dict.fromkeys(str(row.seeds) for row in rows))
    return (
        f"Published (marks with capped bars): mean ± {spread} of {seeds} seeds ({names}; {protocols}); "
        "its settings may differ from ours."
    )
