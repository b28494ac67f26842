"""(d) How throughput and memory of TRPO on CartPole-v1 grow with seeds, environments, steps and hidden width.

Every point is a process of its own; the points of one axis train in turn. Then the bounds on memory.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.benchmarks.measure import Contestant, Effort, Process, Row, alternate, compare, rates
from tests.benchmarks.ours import ours


class Point(NamedTuple):
    """A size of the work; the default is the point that the others are measured against."""

    seeds: int = 10
    environments: int = 16
    steps: int = 128
    width: int = 64

    def contestant(self, steps: int) -> Contestant:
        """The point with turns of about so many environment steps."""
        return ours(
            "trpo",
            self.seeds,
            max(1, round(steps / (self.seeds * self.environments * self.steps))),
            f"hyperparameters.n_envs={self.environments}",
            f"hyperparameters.n_steps={self.steps}",
            f"hyperparameters.hidden=[{self.width},{self.width}]",
            f"hyperparameters.critic_hidden=[{self.width},{self.width}]",
        )


BASE = Point()
AXES = {
    "seeds": (1, 2, 5, 10, 20, 50),
    "environments": (4, 8, 16, 32, 64),
    "steps": (32, 64, 128, 256, 512),
    "width": (32, 64, 128, 256),
}


def growth(effort: Effort) -> Iterator[Row]:
    """Part (d): rate and peak memory of each point against the base's in the same alternations."""
    for axis, sizes in AXES.items():
        points = {size: BASE._replace(**{axis: size}).contestant(effort.growth_steps) for size in sizes}
        turns = alternate({str(size): point for size, point in points.items()}, effort.alternations)
        base = turns[str(getattr(BASE, axis))]
        for name, own in turns.items():
            case, against = f"{axis} = {name}", f"{axis} = {getattr(BASE, axis)}"
            shared: dict[str, Any] = {"part": "d", "case": case, "against": against}
            yield compare(rates(own), rates(base), quantity="rate", unit="env-steps/s", **shared)
            memory, base_memory = [own[-1]["peak"]], [base[-1]["peak"]]
            yield compare(memory, base_memory, quantity="memory", unit="MB", **shared)
            if axis == "seeds" and int(name) == BASE.seeds:
                yield compare(memory, [1000.0], quantity="memory", unit="MB", most=1, **{**shared, "against": "1 GB"})


def leak(effort: Effort) -> Iterator[Row]:
    """Part (d): peak memory after all iterations against that after a tenth of them, at 10 seeds with 16 x 16 steps."""
    many, tenth = effort.memory_iterations, effort.memory_iterations // 10
    with Process(BASE._replace(steps=16).contestant(1)) as process:
        early = process.advance(tenth)["peak"]
        late = process.advance(many - tenth)["peak"]
    yield compare(
        [late],
        [early],
        part="d",
        case=f"after {many:,} iterations",
        quantity="memory",
        against=f"after {tenth:,}",
        unit="MB",
        most=1.01,
    )
