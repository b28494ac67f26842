"""Units on the workers of a Dask cluster, on one machine or many that share the output directory.

A Dask worker only supervises: the training runs in a process below it, so no training can end a Dask worker. Dask gives
the task of a lost worker to another one, where it goes on from its checkpoint; locks keep a lost worker that still
lives from writing at the same time.
"""

import multiprocessing
import uuid
from concurrent.futures import Future
from pathlib import Path

from pgbench.errors import UserError
from sweeps.options import Options
from sweeps.plan import Unit
from sweeps.state import Outcome
from sweeps.supervise import Slot, supervise

LEAVE_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # to the driver, which asks all to stop


class Dask:
    """A client of a cluster; each thread of its workers is a slot."""

    def __init__(self, options: Options, trainer: str):
        try:
            from distributed import Client, Event, LocalCluster
        except ImportError:
            raise UserError("backend=dask needs Dask: pip install 'pgbench-rl[dask]'") from None
        self.trainer, self.cluster = trainer, None
        address = options.address
        if address is None:
            self.cluster = LocalCluster(
                n_workers=options.n_jobs, threads_per_worker=1, dashboard_address=None, preload=LEAVE_CTRL_C
            )
            address = self.cluster.scheduler_address
        try:
            self.client = Client(scheduler_file=address) if Path(address).is_file() else Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise UserError(f"address: no Dask scheduler answers at {address} ({error})") from None
        self.executor = self.client.get_executor(pure=False)
        self.stopping = Event(f"sweeps-{uuid.uuid4().hex}", client=self.client)
        self.released: dict[Future[Outcome], Event] = {}

    @property
    def slots(self) -> int:
        return max(1, sum(self.client.nthreads().values()))  # the first task waits for the first worker

    def submit(self, unit: Unit) -> Future[Outcome]:
        from distributed import Event

        released = Event(f"{self.stopping.name}-{uuid.uuid4().hex}", client=self.client)
        future: Future[Outcome] = self.executor.submit(run, unit, self.trainer, self.stopping.name, released.name)
        self.released[future] = released
        return future

    def release(self, future: Future[Outcome]) -> None:
        self.released[future].set()

    def stop(self) -> None:
        self.stopping.set()

    def close(self) -> None:
        self.client.close()
        if self.cluster:
            self.cluster.close()


def run(unit: Unit, trainer: str, stopping: str, released: str) -> Outcome:
    """A task: supervises one unit; stops it with the sweep, when it is released, or when the driver has gone and Dask
    drops the task."""
    from distributed import Event, get_client, get_worker

    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # it may have children
    worker = get_worker()
    events = [Event(name, client=get_client()) for name in (stopping, released)]
    key = worker.get_current_task()
    slot = Slot(trainer)

    def stopped() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled" or any(event.is_set() for event in events)

    try:
        return supervise(unit, slot, stopped)
    finally:
        slot.close()
