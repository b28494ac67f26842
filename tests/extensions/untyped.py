"""An algorithm whose hyperparameter has a value and no type, which Python then does not count as a field."""

from dataclasses import dataclass

from own import update  # noqa: F401


@dataclass(frozen=True)
class Hyperparameters:
    clip = 0.2
