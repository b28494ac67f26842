"""Configs of the tests: a default job with a few keys changed."""

from dataclasses import replace
from functools import cache
from typing import Any

from pgbench.composition import compose
from pgbench.config import Config


@cache
def _base(algorithm: str, env: str) -> Config:
    return compose([f"algorithm={algorithm}", f"env={env}", "hyperparameters=default"])


def make_config(algorithm: str = "vpg", env: str = "cartpole", /, **changes: Any) -> Config:
    """The default config of an algorithm, with keys of the algorithm, env and hyperparameters groups changed."""
    config = _base(algorithm, env)
    for name in ("algorithm", "env", "hyperparameters"):
        group = getattr(config, name)
        mine = {key: changes.pop(key) for key in list(changes) if key in group.__dataclass_fields__}
        config = replace(config, **{name: replace(group, **mine)})
    return replace(config, **changes)
