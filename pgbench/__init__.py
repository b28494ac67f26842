"""pgbench: REINFORCE, VPG+GAE, NPG and TRPO, many seeds in lockstep, on Gymnasium environments.

import pgbench

runs = pgbench.train(pgbench.compose(["algorithm=trpo", "env=cartpole", "seeds=3", "output_dir=runs/api"]))
policy = pgbench.load_policy(runs[0])
returns = pgbench.evaluate(policy, episodes=10, seed=1)
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from pgbench.api import (
        Config,
        FreshEpisodes,
        Interrupted,
        Policy,
        Run,
        UserError,
        compose,
        evaluate,
        load_policy,
        make_env,
        train,
    )

__all__ = [
    "Config",
    "FreshEpisodes",
    "Interrupted",
    "Policy",
    "Run",
    "UserError",
    "compose",
    "evaluate",
    "load_policy",
    "make_env",
    "train",
]


def __getattr__(name: str) -> Any:
    """The interface, loaded with its first use: it needs torch, which the records' readers do without."""
    if name not in __all__:
        raise AttributeError(f"module 'pgbench' has no attribute {name!r}")
    from pgbench import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
