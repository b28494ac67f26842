"""The follower, `python -m pgbench.tracking.follower`: reads records as they grow and hands their rows to trackers.

Standard input: one line of JSON, what to follow (`pgbench.tracking.follow.spec`); a second line, or its end, means that
nothing more will be trained. Standard output: a line of JSON per message. The follower may be killed at any moment:
what the next one sends follows from the records and each run's tracking.json.
"""

import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import yaml

from pgbench.runs.flock import take
from pgbench.runs.records import CONFIG, METRICS_FILE, read_status
from pgbench.tracking import ledger as ledgers
from pgbench.tracking import names
from pgbench.tracking.ledger import Ledger
from pgbench.tracking.reading import OVER, Cells, Entry, Tail, known, read_config, state
from pgbench.tracking.summary import summarize, threshold_of
from pgbench.tracking.tracker import BUILT_IN, Run, Tracker, Unavailable

POLL = 2.0  # seconds between two looks at the records
ENDS = 16  # runs that are ended at the same time
PATIENCE = (5.0, 60.0)  # seconds before the next try at a tracker that was not available: at first, at most


class Gate:
    """When a tracker may be tried again."""

    def __init__(self) -> None:
        self.until, self.wait = 0.0, PATIENCE[0]

    def open(self) -> bool:
        return time.monotonic() >= self.until

    def shut(self) -> None:
        self.until = time.monotonic() + self.wait
        self.wait = min(2 * self.wait, PATIENCE[1])


class Following:
    """One run and its tracker."""

    def __init__(self, directory: Path, job: "Job", first: bool = False):
        self.directory, self.job, self.first = directory, job, first
        self.lock: int | None = None
        self.tracker: Tracker | None = None
        self.broken = False
        self.over: str | None = None
        """the status it ended with, if it was done or diverged; it may be asked for more steps"""

    def look(self, final: bool) -> str | None:
        """Sends what is new. `final`: nothing more will be trained here now. Gives the status to `end` with, if any."""
        if self.broken and not final:
            return None
        if (self.over and not final and self.over == self._state()) or not self._begun(final) or not self._take():
            return None
        status = self._state()
        ended = final or status in OVER
        new = self.reader.new(ended)
        if self.tracker is None and (new or self.target["open"] or (ended and self.target["status"] != status)):
            if not self.job.gate.open():
                self.release()  # the rows just read will be read again
                return None
            self._open(status)
            new = self.reader.new(ended)
        if self.tracker and new:
            self._send(new)
        if ended and not self.tracker:  # all was sent before
            self._close(status)
        return status if ended and self.tracker else None

    def end(self, status: str) -> dict[str, Any]:
        """Ends the tracker's run; gives a message."""
        assert self.tracker is not None
        self.tracker.end(status, self._summary(status))
        self.target.update(status=status, open=False)
        self.ledger.save(durable=True)
        self._close(status)
        return {"ended": str(self.directory), "status": status, "rows": self.target["sent"]}

    def _close(self, status: str) -> None:
        self.release()
        self.over = status if status in ("done", "diverged") else None

    def release(self) -> None:
        """Lets other processes send this run."""
        if self.lock is not None:
            os.close(self.lock)
        self.lock = self.tracker = None

    def _begun(self, final: bool) -> bool:
        """Whether there is anything to tell."""
        if not (self.directory / CONFIG).exists():
            return False
        return final or self.lock is not None or "env_steps" in read_status(self.directory) or self._state() in OVER

    def _state(self) -> str:
        return state(self.directory)

    def _take(self) -> bool:
        """Makes this process the only one that sends this run."""
        if self.lock is not None:
            return True
        fd = os.open(self.directory / ledgers.LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        if not take(fd):
            os.close(fd)
            return False
        self.lock = fd
        self.ledger = Ledger(self.directory)
        self.settings = self._settings()
        self.target = self.ledger.target(ledgers.target_name(self.settings))
        self._read_on()
        return True

    def _settings(self) -> dict[str, Any]:
        return self.ledger.settle(self.job.settings)

    def _read_on(self) -> None:
        """Reads the records from the first row that was not sent."""
        plan = ledgers.cut(self.target["plan"], self.target["sent"])
        self.reader: Source = ledgers.reader(self.directory, plan)

    def _open(self, status: str) -> None:
        run = self._run(status)
        self.ledger.save(durable=True)  # its id, before anybody else knows it
        self.tracker = self.job.make(self.settings["backend"])(run)
        held = int(getattr(self.tracker, "held", run.sent))
        planned = ledgers.steps(self.target["plan"])
        if held > planned:
            raise ValueError(f"it holds {held} rows, {planned} are known here: {self.ledger.path} is not the newest")
        plan = ledgers.cut(self.target["plan"], held)
        self.target.update(plan=plan, sent=held, open=True, memory=run.memory)
        self.ledger.save(durable=True)
        self._read_on()

    def _run(self, status: str) -> Run:
        config, settings = read_config(self.directory), self.settings
        content = self.ledger.content
        if "name" not in content:
            content["name"] = names.run_name(config, self.job.others(), int(config["seed"]))
        content.setdefault("job_type", self.job.job_type or self.directory.parent.parent.name)
        content["settings"] = settings
        hyperparameters = config.get("hyperparameters", {}).get("name")
        read = read_status(self.directory)
        here = self.job.live and self.first and status == "running" and read.get("host") == socket.gethostname()
        return Run(
            directory=self.directory,
            files=self.job.directory,
            id=content["id"],
            name=content["name"],
            group=settings.get("group") or str(config.get("job", self.job.directory.name)),
            job_type=content["job_type"],
            tags=names.tags([names.algorithm(config), names.env(config), hyperparameters, *settings["tags"]]),
            config=config,
            sent=self.target["sent"],
            settings=settings,
            live=self.job.live,
            system_pid=read.get("pid") if here else None,
            memory=json.loads(json.dumps(self.target["memory"])),
        )

    def _send(self, new: list[tuple[Entry, Cells]]) -> None:
        assert self.tracker is not None
        for entry, _ in new:
            ledgers.add(self.target["plan"], entry)
        self.ledger.save()  # before: so that each step that is found later can be told which row it is
        for _, row in new:
            self.tracker.row(row)
        self.target["sent"] += len(new)
        self.ledger.save()

    def _summary(self, status: str) -> dict[str, Any]:
        rows = Tail(self.directory / METRICS_FILE).new()
        return summarize(rows, status, threshold_of(names.env(read_config(self.directory))))


class Trial(Following):
    """The run that the agent of a W&B sweep waits for: the job as a whole, with `objective`, the mean over its seeds of
    episode_return. The runs of the seeds stand beside it in the same group."""

    def __init__(self, job: "Job", agent: Mapping[str, str]):
        super().__init__(job.directory, job)
        self.agent = agent
        self.seeds = [run.directory for run in job.runs]

    def _begun(self, final: bool) -> bool:
        return all((seed / CONFIG).exists() for seed in self.seeds)

    def _state(self) -> str:
        """The least advanced of the seeds' states; failed if any has failed, diverged if any has diverged."""
        states = {state(seed) for seed in self.seeds}
        return next(each for each in ("failed", "running", "stopped", "pending", "diverged", "done") if each in states)

    def _settings(self) -> dict[str, Any]:
        settings = super()._settings()
        return {**settings, "agent": dict(self.agent), "entity": settings["entity"] or self.agent.get("entity")}

    def _read_on(self) -> None:
        self.reader = ObjectiveReader(self.seeds, self.target["sent"])

    def _run(self, status: str) -> Run:
        config = {key: value for key, value in read_config(self.seeds[0]).items() if key != "seed"}
        return Run(
            directory=self.directory,
            files=self.directory,
            id=self.agent["run"],
            name=names.run_name(config, self.job.others(), None),
            group=self.settings.get("group") or str(config.get("job", self.directory.name)),
            job_type="trial",
            tags=names.tags([names.algorithm(config), names.env(config), *self.settings["tags"]]),
            config={**config, "seeds": len(self.seeds)},
            sent=self.target["sent"],
            settings=self.settings,
            live=self.job.live,
            memory=json.loads(json.dumps(self.target["memory"])),
        )

    def _summary(self, status: str) -> dict[str, Any]:
        rows = [row for _, row in ObjectiveReader(self.seeds, 0).new(True)]
        return {"status": status, **({"objective": rows[-1]["objective"]} if rows else {})}


class Source(Protocol):
    """Where rows come from."""

    def new(self, over: bool) -> list[tuple[Entry, Cells]]:
        """See `Reader.new`."""


class ObjectiveReader:
    """Rows of `objective` from those iterations that all seeds have done, after the first `sent`."""

    def __init__(self, seeds: Sequence[Path], sent: int):
        self.tails = [Tail(seed / METRICS_FILE, sent) for seed in seeds]
        self.rows: list[list[Cells]] = [[] for _ in seeds]
        self.place = sent

    def new(self, over: bool) -> list[tuple[Entry, Cells]]:
        for rows, tail in zip(self.rows, self.tails, strict=True):
            rows += tail.new()
        found: list[tuple[Entry, Cells]] = []
        for _ in range(min(map(len, self.rows))):
            together = [rows.pop(0) for rows in self.rows]
            means = {
                name: sum(row[name] for row in together) / len(together) for name in ("env_steps", "episode_return")
            }
            row = known({"env_steps": means["env_steps"], "objective": means["episode_return"]})
            found.append(((METRICS_FILE, self.place, self.place + 1), row))
            self.place += 1
        return found


class Job:
    """The runs of one job, which share settings."""

    def __init__(self, content: Mapping[str, Any], spec: Mapping[str, Any], gates: dict[str, Gate]):
        self.directory, self.settings = Path(content["directory"]), content["settings"]
        self.job_type, self.live = spec["job_type"], spec["live"]
        self.gate = gates.setdefault(str(self.settings.get("backend")), Gate())
        self.spec = spec
        seeds = content["seeds"]
        self.runs = [Following(self.directory / f"seed-{seed}", self, seed == seeds[0]) for seed in seeds]
        if spec.get("agent") and self.settings["backend"] == "wandb":
            self.runs.append(Trial(self, spec["agent"]))

    def make(self, backend: str) -> Any:
        """The factory of the backend's trackers."""
        module, _, name = BUILT_IN.get(backend, backend).partition(":")
        return getattr(importlib.import_module(module), name)

    def others(self) -> list[Mapping[str, Any]]:
        """The configs of the jobs seen beside this one: those followed now and those in the same output directory."""
        configs = {job["directory"]: job["config"] for job in self.spec["jobs"] if job.get("config")}
        for directory in sorted(self.directory.parent.iterdir()):
            for path in sorted(directory.glob(f"seed-*/{CONFIG}"))[:1]:
                with suppress(OSError, ValueError, KeyError, TypeError, yaml.YAMLError):  # its own run tells of it
                    configs.setdefault(str(directory), _read_once(path.parent))
        return list(configs.values())


_read_once = cache(read_config)


class Follower:
    """All runs of a specification."""

    def __init__(self, spec: Mapping[str, Any]):
        gates: dict[str, Gate] = {}
        self.jobs = [Job(content, spec, gates) for content in spec["jobs"]]

    def look(self, final: bool = False) -> Iterator[dict[str, Any]]:
        """One look at every run; gives messages. Those that end, end at the same time: each waits for its server."""
        with ThreadPoolExecutor(ENDS) as pool:
            ends = []
            for job in self.jobs:
                for run in job.runs:
                    status, trouble = self._try(run, partial(run.look, final), final)
                    yield from [trouble] if trouble else []
                    if status:
                        ends.append(pool.submit(self._try, run, partial(run.end, status), final))
            for future in as_completed(ends):
                yield from [message for message in future.result() if message]

    def _try(self, run: Following, act: Callable[[], Any], final: bool) -> tuple[Any, dict[str, Any] | None]:
        """What `act` gives, and a message of trouble. Trouble of one run leaves the others alone. Raises Lost."""
        try:
            return act(), None
        except Unavailable as error:
            run.job.gate.shut()
            run.release()
            return None, {"problem": str(error)}
        except (ConnectionError, TimeoutError) as error:
            raise Lost(f"{type(error).__name__}: {error}") from error
        except Lost:
            raise
        except Exception as error:  # a damaged record, or what a tracker of one's own raises
            run.release()
            run.broken = not final  # not tried again before the end
            kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
            return None, {"problem": f"{run.directory}: {kind}{error}"}


class Lost(Exception):
    """The tracker's own service is gone or hangs; only a new process helps."""


def main() -> None:
    """Follows until standard input ends, then sends what is left."""
    if hasattr(os, "nice"):
        os.nice(10)
    spec = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what a tracker prints is no message

    def tell(message: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # nobody listens any more; the records' readers still do
            out.write(json.dumps(message) + "\n")

    over = threading.Event()

    def listen() -> None:
        sys.stdin.readline()  # "end", or the end of the file: the command was killed
        over.set()
        if spec["limit"]:
            time.sleep(spec["limit"])
            if hasattr(os, "killpg"):
                os.killpg(0, signal.SIGKILL)  # also wandb's service
            os._exit(3)

    threading.Thread(target=listen, daemon=True).start()
    try:
        follower = Follower(spec)
        while not over.wait(POLL):
            for message in follower.look():
                tell(message)
        for message in follower.look(final=True):
            tell(message)
    except BaseException as error:
        tell({"problem": str(error) if isinstance(error, Lost) else traceback.format_exception_only(error)[-1].strip()})
        traceback.print_exc()
        out.flush()
        os._exit(3)  # no exit handlers: those of wandb wait for a service that may be gone
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
