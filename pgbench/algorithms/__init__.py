"""The algorithms: one contract, `update(learner, rollout, config) -> (learner, metrics)`, ours and other people's.

An algorithm of one's own is a module with such a function, named by `algorithm.update: module:name`; beside it, in the
same module, `Hyperparameters`, a dataclass of what it reads beyond ours, and `METRICS`, the meaning of each metric it
gives beyond ours. A metric that is declared nowhere is an error. Random numbers come from `learner.rng`, what it keeps
from one update to the next goes into `learner.memory`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pgbench.config import OURS, Config
from pgbench.errors import UserError
from pgbench.experience.rollout import Rollout
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Metrics
from pgbench.plugins import load, load_module

Update = Callable[[Learner, Rollout, Config], tuple[Learner, Metrics]]


def load_update(config: Config) -> Update:
    """The function that `algorithm.update` names. Raises UserError."""
    update: Update = load(config.algorithm.update, "algorithm.update")
    return update


def own_metrics(config: Config) -> dict[str, str]:
    """What an algorithm from outside records beyond our metrics, name -> meaning. Raises UserError."""
    spec = config.algorithm.update
    declared: Any = {} if spec.startswith(OURS) else getattr(load_module(spec, "algorithm.update"), "METRICS", {})
    if not isinstance(declared, Mapping) or not all(isinstance(x, str) for pair in declared.items() for x in pair):
        raise UserError(f"algorithm.update: METRICS of '{spec}' must map names to their meanings")
    return dict(declared)
