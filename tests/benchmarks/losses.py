"""Where the time of a sweep of many short jobs goes: all that its processes could have trained and did not.

Seconds of all slots together, as shares of n_jobs times the seconds of the whole command:
  start     until a process begins its first unit: the driver's imports, the plan, the process's imports
  set-up    within a unit, before its first iteration: directories, identity, environments, networks
  records   within a unit, from then on, all that is not `Trainer.iterate`: rows, checkpoint, status
  between   from the end of a unit to the begin of the next in the same process
  tail      from the end of a process's last unit to the end of the command
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.measure import ROOT

DRIVER = "import sys; from sweeps.__main__ import main; sys.exit(main(sys.argv[1:], 'tests.benchmarks.timed_job'))"


def losses(jobs: int, steps: int, seeds: int, n_jobs: int) -> dict[str, float]:
    """Shares of the slots' time, `training` among them, and `seconds`, `first` (seconds to the first iteration),
    `gap` (median milliseconds between two units), `unit` (mean seconds of training in a unit), `processor` (training's
    share of the processor time of all processes, which other work on the machine hardly moves)."""
    with tempfile.TemporaryDirectory() as directory:
        gammas = ",".join(f"{0.9 + 0.0003 * k:.4f}" for k in range(jobs))
        arguments = ["algorithm=vpg", "env=cartpole", "hyperparameters=equal_work", f"hyperparameters.gamma={gammas}"]
        arguments += [f"seeds={seeds}", f"total_steps={steps}", f"n_jobs={n_jobs}", f"output_dir={directory}"]
        begun, before = time.monotonic(), processor()
        subprocess.run([sys.executable, "-c", DRIVER, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        ended, spent_by_all = time.monotonic(), processor() - before
        lines = (Path(directory) / "times.jsonl").read_text().splitlines()
    processes = defaultdict(list)
    for unit in sorted(map(json.loads, lines), key=lambda unit: unit["begun"]):
        processes[unit["pid"]].append(unit)
    units = [unit for process in processes.values() for unit in process]
    gaps = [b["begun"] - a["ended"] for process in processes.values() for a, b in pairwise(process)]
    spent = {
        "training": sum(unit["trained"] for unit in units),
        "set-up": sum(unit["first"] - unit["begun"] for unit in units),
        "records": sum(unit["ended"] - unit["first"] - unit["trained"] for unit in units),
        "start": sum(process[0]["begun"] - begun for process in processes.values()),
        "between": sum(gaps),
        "tail": sum(ended - process[-1]["ended"] for process in processes.values()),
    }
    whole = n_jobs * (ended - begun)
    return {
        **{name: seconds / whole for name, seconds in spent.items()},
        "seconds": ended - begun,
        "first": min(unit["first"] for unit in units) - begun,
        "gap": 1000 * sorted(gaps)[len(gaps) // 2] if gaps else 0.0,
        "unit": spent["training"] / len(units),
        "units": len(units),
        "processor": sum(unit["processor"] for unit in units) / spent_by_all,
        "processor_seconds": spent_by_all,
    }


def processor() -> float:
    """Seconds of processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--steps", type=int, default=61_440, help="of each job; the default takes about a second")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--n-jobs", type=int, default=2)
    options = parser.parse_args()
    found = losses(options.jobs, options.steps, options.seeds, options.n_jobs)
    print("  ".join(f"{name} {value:.3g}" for name, value in found.items()))


if __name__ == "__main__":
    main()
