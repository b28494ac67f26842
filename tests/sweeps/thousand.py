"""What a search costs its driver: CPU time a trial and memory, over a thousand trials of the fake trainer.

`python tests/sweeps/thousand.py [trials] [sampler]`
"""

import io
import os
import resource
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])

from sweeps.__main__ import main  # noqa: E402
from sweeps.search.study import Study  # noqa: E402

SEARCH = """
env: cartpole
algorithm: npg
total_steps: 10
env.kwargs.sleep: 0
search:
  space:
    hyperparameters.delta: tag(log, interval(0.0001, 1))
    hyperparameters.critic_steps: int(interval(1, 100))
    hyperparameters.gae_lambda: interval(0, 1)
    hyperparameters.cg_damping: tag(log, interval(0.0001, 1))
  trials: {trials}
  seeds: 1
  sampler: {sampler}
  confirm: {{best: 1, seeds: 1}}
"""


def measure(directory: Path, trials: int, sampler: str) -> list[tuple[int, float, float, float]]:
    """Trials told, driver's CPU seconds, wall-clock seconds, resident MB, at every trial told."""
    seen: list[tuple[int, float, float, float]] = []
    tell, begun = Study.tell, time.monotonic()

    def counted(self: Study, *arguments: object) -> None:
        tell(self, *arguments)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory = pages * resource.getpagesize() / 1e6
        seen.append((len(seen) + 1, time.process_time(), time.monotonic() - begun, memory))

    Study.tell = counted
    path = directory / "search.yaml"
    path.write_text(SEARCH.format(trials=trials, sampler=sampler))
    with redirect_stdout(io.StringIO()):
        status = main([f"sweep={path}", f"output_dir={directory / 'runs'}", "n_jobs=2"], "fake_job")
    assert status == 0
    return seen


if __name__ == "__main__":
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    sampler = sys.argv[2] if len(sys.argv) > 2 else "tpe"
    with tempfile.TemporaryDirectory() as directory:
        seen = measure(Path(directory), trials, sampler)
    marks = [place for place in (10, 100, 300, 1000, 3000) if place <= trials]
    for before, place in zip([1, *marks], marks, strict=False):
        (_, cpu, wall, _), (_, later, after, memory) = seen[before - 1], seen[place - 1]
        count = place - before
        print(
            f"{sampler}, trials {before} to {place}: {1000 * (later - cpu) / count:.1f} ms of the driver's CPU and "
            f"{1000 * (after - wall) / count:.1f} ms of time a trial; {memory:.0f} MB after it"
        )
