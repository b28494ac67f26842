"""What tracking costs: ten seeds in lockstep with and without it, alternated: `python tests/tracking/cost.py [pairs]`.

Printed are the ratios of training time (seconds in status.json) within each pair, their median, and processor time of
the follower and of W&B's service. Other work on the machine shows in the spread of the ratios.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from faults import JOB, ROOT, SEEDS, environment, find
from server import Server

from pgbench.composition import compose
from pgbench.runs.records import read_status

TICKS = 100  # processor ticks per second in /proc
KINDS = {
    "off": [],
    "offline": ["tracking=wandb", "tracking.mode=offline"],
    "online": ["tracking=wandb", "tracking.mode=online"],
    "tensorboard": ["tracking=tensorboard"],
}


def train(server: Server, kind: str, steps: int) -> tuple[float, dict[str, float]]:
    """Seconds of training, and processor seconds by name of process."""
    with tempfile.TemporaryDirectory() as directory:
        overrides = [*JOB, *KINDS[kind], f"total_steps={steps}", f"output_dir={directory}"]
        job, used, over = compose(overrides).job_dir, dict[str, float](), threading.Event()

        def watch() -> None:
            while not over.wait(0.2):
                for name in ("pgbench.tracking.follower", "wandb-core"):
                    for pid in find(name):
                        with suppress(OSError):
                            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                            used[name] = (int(fields[11]) + int(fields[12])) / TICKS

        watcher = threading.Thread(target=watch)
        command = [sys.executable, "-m", "pgbench", *overrides]
        process = subprocess.Popen(command, cwd=ROOT, env=environment(server, {}), stdout=subprocess.DEVNULL)
        watcher.start()
        assert process.wait() == 0
        over.set()
        return max(read_status(job / f"seed-{seed}")["seconds"] for seed in range(SEEDS)), used


def main(pairs: int = 5, steps: int = 10_000) -> None:
    with Server() as server:
        begun = time.monotonic()
        for kind in ("offline", "online", "tensorboard"):
            ratios, used = [], dict[str, float]()
            for pair in range(pairs):
                order = ["off", kind] if pair % 2 == 0 else [kind, "off"]
                seconds = {}
                for each in order:
                    seconds[each], one = train(server, each, steps)
                    used |= one
                ratios.append(seconds[kind] / seconds["off"])
            shown = ", ".join(f"{100 * (ratio - 1):+.1f}%" for ratio in ratios)
            cpu = ", ".join(f"{name} {value:.2f} s" for name, value in used.items())
            print(
                f"{kind:12} median {100 * (statistics.median(ratios) - 1):+.1f}% ({shown}); training "
                f"{seconds['off']:.1f} s; processor time: {cpu}",
                flush=True,
            )
        print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
