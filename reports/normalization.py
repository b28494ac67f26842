"""Bounds of returns by task: those that count as 0 and 1, so that tasks can be compared, and the possible ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import ArrayLike

from pgbench.errors import UserError
from reports.statistics import Array

BOUNDS = Path(__file__).with_name("normalization.yaml")


class Bounds(NamedTuple):
    """A task's returns that count as 0 and 1, and where they come from; the least and the most that can be."""

    random: float
    reference: float
    source: str = "given"
    least: float = -np.inf
    most: float = np.inf

    def score(self, returns: ArrayLike) -> Array:
        """(return - random) / (reference - random), of the same shape."""
        return np.asarray((np.asarray(returns, dtype=float) - self.random) / (self.reference - self.random))


def load_bounds(file: Path = BOUNDS) -> Mapping[str, Bounds]:
    """A file's bounds by Gymnasium id, `ID: {random: ..., reference: ..., source: ...}`. Raises UserError."""
    try:
        rows = yaml.safe_load(file.read_text(encoding="utf-8"))
        found = {str(env): Bounds(**row) for env, row in rows.items()}
        if any(
            one.random == one.reference or not np.isfinite(one[:2]).all() or not one.least < one.most
            for one in found.values()
        ):
            raise ValueError
        return found
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        raise UserError(
            f"{file}: not bounds, write one line per task: CartPole-v1: {{random: 22, reference: 475, source: why}}"
        ) from None
