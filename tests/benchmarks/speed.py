"""(a) Each algorithm against its peers on CartPole-v1, (b) TRPO and the bare environment on HalfCheetah-v5, (g) TRPO on
the other classic tasks.

Environment steps a second of learning, records included, on one core with one thread.
"""

from collections.abc import Iterator

from tests.benchmarks.measure import Effort, Row, alternate, compare, rates
from tests.benchmarks.ours import ours
from tests.benchmarks.peers import PEERS, peer

SEEDS = (10, 1)
TARGETS: dict[str, dict[str, float | None]] = {
    "reinforce": {"tianshou-reinforce": 20},
    "vpg": {"sb3-a2c": 2.5, "sb3-ppo": 5},
    "npg": {"tianshou-npg": 6},
    "trpo": {"sb3-trpo": 5, "tianshou-trpo": None},
}
"""The peers of each algorithm and the least ratio at 10 seeds; at 1 seed half of it."""

CLASSIC = {
    "acrobot": "Acrobot-v1",
    "pendulum": "Pendulum-v1",
    "mountaincar": "MountainCar-v0",
    "mountaincar_continuous": "MountainCarContinuous-v0",
}


def label(algorithm: str, seeds: int) -> str:
    return f"{algorithm.upper()}, {seeds} seed{'s' * (seeds > 1)}"


def cartpole(effort: Effort) -> Iterator[Row]:
    """Part (a)."""
    for algorithm, targets in TARGETS.items():
        contestants = {label(algorithm, seeds): ours(algorithm, seeds, effort.iterations) for seeds in SEEDS}
        contestants |= {name: peer(name, "CartPole-v1", effort.iterations) for name in targets}
        turns = alternate(contestants, effort.alternations)
        for seeds in SEEDS:
            for name, target in targets.items():
                yield compare(
                    rates(turns[label(algorithm, seeds)]),
                    rates(turns[name]),
                    part="a",
                    case=label(algorithm, seeds),
                    quantity="rate",
                    against=PEERS[name],
                    unit="env-steps/s",
                    least=target and (target if seeds > 1 else target / 2),
                )


def halfcheetah(effort: Effort) -> Iterator[Row]:
    """Part (b). Turns are shorter here, at about a quarter of the rate."""
    few = max(1, effort.iterations // 3)
    names = ("sb3-trpo", "bare")
    contestants = {
        label("trpo", seeds): ours("trpo", seeds, few if seeds > 1 else effort.iterations, "env=halfcheetah")
        for seeds in SEEDS
    } | {name: peer(name, "HalfCheetah-v5", effort.iterations) for name in names}
    turns = alternate(contestants, effort.alternations)
    for seeds in SEEDS:
        for name, target in zip(names, (1.8, 0.65), strict=True):
            yield compare(
                rates(turns[label("trpo", seeds)]),
                rates(turns[name]),
                part="b",
                case=label("trpo", seeds),
                quantity="rate",
                against=PEERS[name],
                unit="env-steps/s",
                least=target if seeds > 1 else None,
            )


def classic(effort: Effort) -> Iterator[Row]:
    """Part (g)."""
    for env, env_id in CLASSIC.items():
        contestants = {
            "ours": ours("trpo", 10, effort.iterations, f"env={env}"),
            "peer": peer("sb3-trpo", env_id, effort.iterations),
        }
        turns = alternate(contestants, effort.alternations)
        yield compare(
            rates(turns["ours"]),
            rates(turns["peer"]),
            part="g",
            case=f"TRPO on {env_id}, 10 seeds",
            quantity="rate",
            against=PEERS["sb3-trpo"],
            unit="env-steps/s",
            least=5,
        )
