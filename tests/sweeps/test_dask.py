"""The same sweeps on a Dask cluster of two worker processes, one of which is killed."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from pgbench.errors import UserError
from pgbench.runs.records import read_status, seed_dir
from sweeps.dask import Dask
from sweeps.options import Options


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            yield cluster


def backend(cluster):
    return Dask(Options(backend="dask", address=cluster.scheduler_address), "fake_job")


def running(job):
    read = [read_status(seed_dir(job.job_dir, seed)) for seed in job.seed_list]
    return {one["pid"] for one in read if one["status"] == "running"}


def test_a_killed_dask_worker_loses_and_doubles_nothing(cluster, sweep):
    jobs = [
        sweep.job(seeds=4, total_steps=1500),
        sweep.job(seeds=2, fault="kill", times=1),
        sweep.job(fault="exception"),
    ]

    def kill():
        while len(running(jobs[0])) < 2:
            time.sleep(0.02)
        os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    failed = sweep.run(*jobs, size=2, backend=backend(cluster))
    killer.join()
    assert failed == 1
    assert [sweep.statuses(job) for job in jobs] == [["done"] * 4, ["done"] * 2, ["failed"]]
    begun = [sweep.read(jobs[0], "starts", seed).split() for seed in range(4)]
    assert sorted(map(len, begun)) == [1, 1, 2, 2]  # those of the killed worker went on
    assert "ValueError: a fault" in sweep.text


def test_stopping_checkpoints(cluster, sweep):
    job = sweep.job(seeds=2, total_steps=100_000)

    def stop():
        while len(running(job)) < 2:
            time.sleep(0.02)
        sweep.stop.receive(signal.SIGTERM, None)

    stopper = threading.Thread(target=stop)
    stopper.start()
    begun = time.monotonic()
    assert sweep.run(job, size=1, backend=backend(cluster)) == 0
    assert time.monotonic() - begun < 10
    stopper.join()
    assert sweep.statuses(job) == ["running"] * 2
    assert (job.job_dir / "seed-1" / "checkpoint.pt").exists()


def test_no_training_outlives_its_driver(cluster, sweep):
    from sweeps.plan import Unit

    job = sweep.job(total_steps=100_000)
    client = backend(cluster)
    client.submit(Unit(job, (0,)))
    while not running(job):
        time.sleep(0.02)
    (pid,) = running(job)
    client.client.close()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_dask_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'pgbench-rl\[dask\]'"):
        Dask(Options(backend="dask"), "fake_job")
