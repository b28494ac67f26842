"""Published numbers that can be laid over ours (published.csv, with source and protocol in every row)."""

import csv
from pathlib import Path
from typing import NamedTuple

PUBLISHED = Path(__file__).with_name("published.csv")
COMPARABLE = "training return, trailing 100 episodes"
EVALUATED = (
    "stochastic evaluation, 10 episodes",
    "deterministic evaluation",
    "evaluation, 20 episodes",
)
"""Protocols of evaluations: laid over ours, never over training returns."""


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
    """The rows of the given (environment id, algorithm) pairs that measured what `episode_return` measures, or with
    `evaluated` those that evaluated policies: another quantity, laid over evaluations alone."""
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
    protocols = (COMPARABLE, *EVALUATED) if evaluated else (COMPARABLE,)
    return tuple(row for row in rows if (row.env, row.algorithm) in pairs and row.protocol in protocols)


def sources(rows: tuple[Published, ...]) -> str:
    """One sentence for the caption; empty without rows."""
    rows = tuple(row for row in rows if row.protocol == COMPARABLE)
    if not rows:
        return ""
    names = "; ".join(dict.fromkeys(row.source for row in rows))
    spread = "/".join(dict.fromkeys(row.spread_kind for row in rows))
    seeds = "/".join(dict.fromkeys(str(row.seeds) for row in rows))
    return (
        f"Published (marks with capped bars): mean ± {spread} of {seeds} seeds ({names}; {COMPARABLE}); "
        "its settings may differ from ours."
    )
