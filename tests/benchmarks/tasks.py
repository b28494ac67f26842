"""(f) Bare rates of the classic tasks: 160 environments as arrays (10 seeds of 16) against Gymnasium's objects.

Random actions, drawn beforehand; resets included. The object is stepped in a plain loop, without Gymnasium's checks of
what it is given, as `pgbench` steps environments that are objects.
"""

import sys
import warnings
from collections.abc import Iterator

from tests.benchmarks.measure import Advance, Contestant, Effort, Row, Turn, alternate, compare, rates, serve

TASKS = ("CartPole-v1", "Acrobot-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0")
SEEDS, N_ENVS = 10, 16
TURN = 20_000
"""environment steps of the object in a unit of a turn; 20 times as many of the array, which takes about as long"""


def tasks(effort: Effort) -> Iterator[Row]:
    """Part (f)."""
    for env_id in TASKS:
        contestants = {kind: Contestant("tasks", (env_id, kind), effort.iterations) for kind in ("arrays", "objects")}
        turns = alternate(contestants, effort.alternations)
        yield compare(
            rates(turns["arrays"]),
            rates(turns["objects"]),
            part="f",
            case=env_id,
            quantity="bare rate",
            against="Gymnasium's object",
            unit="env-steps/s",
            least=15,
        )


def arrays(env_id: str) -> Advance:
    import numpy as np

    from pgbench.config import Env
    from pgbench.experience.environments import make_envs

    env = Env(id=env_id, kwargs={}, append_time=False, timeout="bootstrap")
    envs = make_envs(env, N_ENVS, [np.random.SeedSequence(seed) for seed in range(SEEDS)])
    rng, live = np.random.default_rng(0), np.ones((SEEDS, N_ENVS), bool)
    shape = (256, SEEDS, N_ENVS)
    actions = (
        rng.integers(envs.actions.size, size=shape)
        if envs.actions.discrete
        else rng.standard_normal((*shape, envs.actions.size), np.float32)
    )

    def advance(iterations: int) -> Turn:
        steps = iterations * 20 * TURN // live.size
        for t in range(steps):
            envs.step(actions[t % len(actions)], live)
        return {"steps": steps * live.size}

    return advance


def objects(env_id: str) -> Advance:
    import gymnasium as gym

    env = gym.make(env_id, disable_env_checker=True)
    env.action_space.seed(0)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(2048)]

    def advance(iterations: int) -> Turn:
        for t in range(iterations * TURN):
            _, _, terminated, truncated, _ = env.step(actions[t % len(actions)])
            if terminated or truncated:
                env.reset()
        return {"steps": iterations * TURN}

    return advance


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(lambda: {"arrays": arrays, "objects": objects}[sys.argv[2]](sys.argv[1]))
