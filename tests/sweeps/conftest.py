import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pgbench.composition import compose
from pgbench.runs.records import read_status, seed_dir
from sweeps.backends import Loky
from sweeps.driver import Stop, drive
from sweeps.options import Options
from sweeps.plan import split
from sweeps.progress import Progress

sys.path.insert(0, str(Path(__file__).parent))  # for fake_job, here and in the processes


class Sweep:
    """Drives jobs of the fake trainer in real processes, and reads what they left."""

    def __init__(self, directory):
        self.base = compose([f"output_dir={directory}"])
        self.stop = Stop()
        self.text = ""

    def job(self, seeds=1, total_steps=100, deadline_seconds=None, **kwargs):
        env = replace(self.base.env, kwargs=kwargs)
        return replace(self.base, env=env, seeds=seeds, total_steps=total_steps, deadline_seconds=deadline_seconds)

    def run(self, *jobs, size=None, backend=None, **options):
        options = Options(**{"n_jobs": 2, **options})
        show = Progress(jobs, Console(file=io.StringIO(), width=200))
        units = split([(job, show.open_seeds(job)) for job in jobs], options.n_jobs, size)
        backend = backend or Loky(options.n_jobs, "fake_job")
        try:
            failed = drive(units, backend, options, show, self.stop)
        finally:
            backend.close()
        self.text = show.console.file.getvalue()
        print(self.text)
        return failed

    def statuses(self, job):
        return [read_status(seed_dir(job.job_dir, seed))["status"] for seed in job.seed_list]

    def read(self, job, name, seed=0):
        return (seed_dir(job.job_dir, seed) / name).read_text()


@pytest.fixture
def sweep(tmp_path):
    return Sweep(tmp_path)
