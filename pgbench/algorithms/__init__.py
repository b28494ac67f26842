"""The four algorithms: one contract, `update(learner, rollout, config) -> (learner, metrics)`."""

from collections.abc import Callable

from pgbench.algorithms import npg, reinforce, trpo, vpg
from pgbench.config import Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics

Update = Callable[[Learner, Rollout, Config], tuple[Learner, Metrics]]

UPDATES: dict[str, Update] = {
    "reinforce": reinforce.update,
    "vpg": vpg.update,
    "npg": npg.update,
    "trpo": trpo.update,
}
