"""Which keys a job reads. A value nobody reads changes no record, so it is not searched."""

import dataclasses

from pgbench.config import Config


def reads(config: Config, key: str) -> bool:
    """Whether the value of a config key can change the records of a job."""
    group, _, name = key.partition(".")
    own = config.hyperparameters.own
    names = {field.name for field in dataclasses.fields(own)} if dataclasses.is_dataclass(own) else set()
    return group != "hyperparameters" or name in config.reads or name in names
