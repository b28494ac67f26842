"""The four algorithms: one contract, `update(state, rollout, config) -> (state, metrics)`."""

from collections.abc import Callable

from pgbench.algorithms import npg, reinforce, trpo, vpg
from pgbench.config import Config
from pgbench.critic import Metrics
from pgbench.rollout import Rollout
from pgbench.state import State

Update = Callable[[State, Rollout, Config], tuple[State, Metrics]]

UPDATES: dict[str, Update] = {
    "reinforce": reinforce.update,
    "vpg": vpg.update,
    "npg": npg.update,
    "trpo": trpo.update,
}
