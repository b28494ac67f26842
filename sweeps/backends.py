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

    def release(self, future: Future[Outcome]) -> None:
        """Asks one unit to checkpoint and end."""

    def stop(self) -> None:
        """Asks what runs to checkpoint and end; may be called again."""

    def close(self) -> None:
        """Ends all processes."""


class Loky:
    """Processes on this machine, each supervised by a thread of the driver. The first `at_once` of them start now,
    beside whatever the driver does before it submits the first unit."""

    def __init__(self, slots: int, trainer: str, at_once: int = 0):
        self.slots = slots
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(slots, thread_name_prefix="supervise")
        self.places = [Slot(trainer) for _ in range(slots)]
        self.free: SimpleQueue[Slot] = SimpleQueue()
        self.released: dict[Future[Outcome], threading.Event] = {}
        for place in self.places[:at_once]:
            self.threads.submit(self._open, place)
        for place in self.places[at_once:]:
            self.free.put(place)

    def _open(self, slot: Slot) -> None:
        try:
            slot.open()
        except Exception:  # said of the unit that tries again
            slot.close()
        finally:
            self.free.put(slot)

    def submit(self, unit: Unit) -> Future[Outcome]:
        released = threading.Event()
        future = self.threads.submit(self._run, unit, released)
        self.released[future] = released
        future.add_done_callback(self.released.pop)
        return future

    def _run(self, unit: Unit, released: threading.Event) -> Outcome:
        slot = self.free.get()
        try:
            return supervise(unit, slot, lambda: self.stopping.is_set() or released.is_set())
        finally:
            self.free.put(slot)

    def release(self, future: Future[Outcome]) -> None:
        if released := self.released.get(future):
            released.set()

    def stop(self) -> None:
        self.stopping.set()

    def close(self) -> None:
        for place in self.places:
            place.close()
        self.threads.shutdown()
        for place in self.places:  # one that was about to open
            place.close()


def make_backend(options: Options, trainer: str, units: int) -> Backend:
    """The backend the options name, for so many units. Raises UserError if it cannot be reached."""
    if options.backend == "dask":
        from sweeps.dask import Dask

        return Dask(options, trainer)
    return Loky(options.n_jobs, trainer, min(options.n_jobs, units))
