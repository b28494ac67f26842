"""(h) How near each algorithm comes to the processor's matrix products, at 10 seeds on CartPole-v1.

The share: floating-point operations of the products that an iteration cannot do without, times the rate of training,
over the rate of a 2048 x 64 x 64 product alone, measured in the same minutes on the same core.
"""

from collections.abc import Iterator

from tests.benchmarks.measure import Advance, Contestant, Effort, Row, Turn, alternate, compare, rates, serve
from tests.benchmarks.ours import ours

ALGORITHMS = ("reinforce", "vpg", "npg", "trpo")
BATCH, WIDTH, INPUTS, ACTIONS = 2048, 64, 4, 2
CRITIC_STEPS, CG_ITERATIONS = 10, 10


def weights(outputs: int) -> tuple[int, int]:
    """Weights of the network, and of all its layers but the first."""
    upper = WIDTH * WIDTH + WIDTH * outputs
    return INPUTS * WIDTH + upper, upper


def operations(algorithm: str) -> int:
    """Floating-point operations of the products for one transition: a multiplication and an addition per weight.

    A value f takes every weight once. A gradient J^T u takes it once for the weights' own share and once more, the
    first layer aside, to reach the layer below; a tangent J v likewise. TRPO is counted with one try of its line
    search; what the critic says of the batch's last observations is left out.
    """
    policy, upper = weights(ACTIONS)
    critic, critic_upper = weights(1)
    value, product = policy, policy + upper
    step = value + value + product + value  # acting, the surrogate with its gradient, the diagnostics
    if algorithm != "reinforce":
        step += critic + CRITIC_STEPS * (critic + critic + critic_upper)
    if algorithm in ("npg", "trpo"):
        step += CG_ITERATIONS * 2 * product
    if algorithm == "trpo":
        step += value
    return 2 * step


def limit(effort: Effort) -> Iterator[Row]:
    """Part (h)."""
    contestants = {name: ours(name, 10, effort.iterations) for name in ALGORITHMS}
    contestants["product"] = Contestant("limit", (), 100 * effort.iterations)
    turns = alternate(contestants, effort.alternations)
    most = [rate * 1e-9 for rate in rates(turns["product"])]
    for name in ALGORITHMS:
        reached = [rate * operations(name) * 1e-9 for rate in rates(turns[name])]
        yield compare(
            reached,
            most,
            part="h",
            case=f"{name.upper()}, 10 seeds",
            quantity="share",
            against=f"products of {BATCH} x {WIDTH} x {WIDTH} alone",
            unit="GFLOP/s",
        )


def product() -> Advance:
    """Such products, one after another; a turn's `steps` are floating-point operations."""
    import torch

    from pgbench.maths.networks import affine

    torch.set_num_threads(1)
    h, weight = torch.randn(BATCH, WIDTH), torch.randn(WIDTH, WIDTH)

    def advance(iterations: int) -> Turn:
        with torch.inference_mode():
            for _ in range(iterations):
                affine(h, weight)
        return {"steps": iterations * 2 * BATCH * WIDTH * WIDTH}

    return advance


if __name__ == "__main__":
    serve(product)
