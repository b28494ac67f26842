"""Copies the best policy of each job into results/policies: `python results/keep_policies.py RUNS ...`.

Of a job's seeds, the one whose last evaluation by the policy's mode has the highest mean return.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pgbench.runs.records import POLICY
from reports import load_evaluations
from reports.load import load_seeds

POLICIES = Path(__file__).resolve().parent / "policies"


def main(directories: Sequence[str]) -> None:
    """The copies."""
    POLICIES.mkdir(exist_ok=True)
    places = load_seeds(directories).set_index(["job", "seed"])
    rows = load_evaluations(directories)
    rows = rows[rows["deterministic"] == 1]
    last = rows[rows["env_steps"] == rows.groupby(["job", "seed"], observed=True)["env_steps"].transform("max")]
    means = last.groupby(["job", "seed"], observed=True)["return"].mean()
    for job, seed in means.groupby("job", observed=True).idxmax():
        place = places.loc[(job, seed)]
        name = f"{place['algorithm']}-{place['env']}.pt"
        shutil.copyfile(Path(place["directory"]) / POLICY, POLICIES / name)
        print(f"{name}: seed {seed}, {means[job, seed]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
