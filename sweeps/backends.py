"""Where units run. The same plan, supervisor and worker everywhere; a backend only places them."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol

from sweeps.options import Options
from sweeps.plan import Unit
from sweeps.state import Outcome
from sweeps.supervise import Slot, supervise


class Backend(Protocol):
    @property
    def slots(self) -> int:
        """Units that can run at the same time, as of now."""

    def submit(self, unit: Unit) -> Future[Outcome]:
        """Starts a unit."""

    def stop(self) -> None:
        """Asks what runs to checkpoint and end; may be called again."""

    def close(self) -> None:
        """Ends all processes."""


class Loky:
    """Processes on this machine, each supervised by a thread of the driver."""

    def __init__(self, slots: int, trainer: str):
        self.slots = slots
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(slots, thread_name_prefix="supervise")
        self.places = [Slot(trainer) for _ in range(slots)]
        self.free: SimpleQueue[Slot] = SimpleQueue()
        for place in self.places:
            self.free.put(place)

    def submit(self, unit: Unit) -> Future[Outcome]:
        return self.threads.submit(self._run, unit)

    def _run(self, unit: Unit) -> Outcome:
        slot = self.free.get()
        try:
            return supervise(unit, slot, self.stopping.is_set)
        finally:
            self.free.put(slot)

    def stop(self) -> None:
        self.stopping.set()

    def close(self) -> None:
        for place in self.places:
            place.close()
        self.threads.shutdown()


def make_backend(options: Options, trainer: str) -> Backend:
    """The backend the options name. Raises UserError if it cannot be reached."""
    if options.backend == "dask":
        from sweeps.dask import Dask

        return Dask(options, trainer)
    return Loky(options.n_jobs, trainer)
