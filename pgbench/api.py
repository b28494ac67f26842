"""The Python interface: what `import pgbench` offers."""

import os
from pathlib import Path

from pgbench.policy import Policy
from pgbench.runs.records import POLICY


def load_policy(run: str | os.PathLike[str]) -> Policy:
    """The policy of a run, its directory, or a policy file. Raises UserError where there is none."""
    path = Path(run)
    return Policy.load(path / POLICY if path.is_dir() else path)
