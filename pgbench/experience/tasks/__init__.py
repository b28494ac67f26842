"""Gymnasium's classic tasks as arrays: each file is one task's equations of motion, for many environments at once.

A task is a frozen dataclass whose fields are the keywords it knows. Its arithmetic is Gymnasium's, operation for
operation, so that numbers agree to the last bit in float64. Two choices keep it so:

- `np.cos` and `np.sin` of float64 arrays are the C library's, as those of Gymnasium's scalars and of `math` are.
- `x**2` of a NumPy scalar is the C library's `pow`, which rounds about one in a thousand squares differently from
  `x * x`. `square` below does the same for arrays; where Gymnasium says `np.square`, so do the tasks.

Each function works on every environment alone, so a seed's numbers do not depend on those beside it.
"""

from dataclasses import fields

import gymnasium as gym

from pgbench.config import Env
from pgbench.experience.tasks.acrobot import Acrobot
from pgbench.experience.tasks.cartpole import CartPole
from pgbench.experience.tasks.mountain_car import MountainCar
from pgbench.experience.tasks.mountain_car_continuous import MountainCarContinuous
from pgbench.experience.tasks.pendulum import Pendulum
from pgbench.experience.tasks.task import Task

_CLASSIC = "gymnasium.envs.classic_control"
TASKS: dict[str, type[Task]] = {
    f"{_CLASSIC}.acrobot:AcrobotEnv": Acrobot,
    f"{_CLASSIC}.cartpole:CartPoleEnv": CartPole,
    f"{_CLASSIC}.continuous_mountain_car:Continuous_MountainCarEnv": MountainCarContinuous,
    f"{_CLASSIC}.mountain_car:MountainCarEnv": MountainCar,
    f"{_CLASSIC}.pendulum:PendulumEnv": Pendulum,
}
"""By Gymnasium's entry point, so that an id registered anew as something else is not taken for the task."""


def find_task(env: Env) -> Task | None:
    """The task that is env as arrays; None where there is none, or it does not know one of the keywords."""
    spec = gym.registry.get(env.id)
    if spec is None or spec.entry_point not in TASKS or spec.additional_wrappers or env.wrappers:
        return None
    task = TASKS[str(spec.entry_point)]
    keywords = {**spec.kwargs, **env.kwargs}
    keywords.pop("max_episode_steps", None)  # the time limit is not the task's affair
    known = {field.name for field in fields(task)}  # type: ignore[arg-type]
    return task(**keywords) if keywords.keys() <= known else None
