"""The training command's side: starts the follower, starts it again if it dies, ends it, and says what is missing.

It imports neither a tracker nor anything that takes time. Whatever happens to the follower, nothing is raised here
after training has begun.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pgbench.config import Config, Tracking, to_plain
from pgbench.errors import UserError
from pgbench.runs.records import seed_dir
from pgbench.tracking.ledger import missing
from pgbench.tracking.tracker import BUILT_IN, NEEDS

END_SECONDS = 9.0  # the follower has so long to send the rest once training is over
RESTART_SECONDS = (1.0, 60.0)  # before a follower that died is started again: at first, at most
RESTARTS_AT_END = 2  # how often one that dies while it sends the rest is started again
FORBIDDEN = "/\\#?%:"  # in a W&B project

Say = Callable[[str], None]


def to_stderr(text: str) -> None:
    print(f"pgbench: {text}", file=sys.stderr)


@contextmanager
def follow(configs: Iterable[Config], job_type: str | None = None, say: Say = to_stderr) -> Iterator[None]:
    """While this is entered, the runs of these jobs are followed as their `tracking` says.

    Enter it before the runs are locked, so that it ends after their locks are dropped. `job_type`: what kind of runs
    these are, a sweep's name. Raises UserError for a mistake in `tracking`, before anything is started.
    """
    jobs = [described(config) for config in configs if wanted(config.tracking)]
    for settings in {json.dumps(job["settings"]): job["settings"] for job in jobs}.values():
        check(settings)
    if not jobs:
        yield
        return
    watch = Watch({**spec(jobs, job_type, live=True), "agent": agent(os.environ)}, say)
    try:
        yield
    finally:
        watch.end(END_SECONDS)
        tell_missing(jobs, say, watch.problem)


def wanted(tracking: Tracking) -> bool:
    """Whether there is anything to follow: not with no tracker, nor with W&B disabled here or by WANDB_MODE."""
    mode = tracking.mode or os.environ.get("WANDB_MODE")
    return tracking.backend != "none" and not (tracking.backend == "wandb" and mode == "disabled")


def described(config: Config) -> dict[str, Any]:
    """A job as the follower needs it, in plain data."""
    return {
        "directory": str(config.job_dir.resolve()),
        "seeds": list(config.seed_list),
        "settings": to_plain(config.tracking),
        "config": config.identity,
    }


def spec(jobs: Sequence[Mapping[str, Any]], job_type: str | None, live: bool) -> dict[str, Any]:
    """What the follower reads on its standard input. `limit`: seconds it may take after the end, if live."""
    return {"jobs": jobs, "job_type": job_type, "live": live, "limit": END_SECONDS + 3.0 if live else None}


def agent(environment: Mapping[str, str]) -> dict[str, str] | None:
    """The run that a W&B sweep's agent waits for, if one started this command."""
    run, sweep = environment.get("WANDB_RUN_ID"), environment.get("WANDB_SWEEP_ID")
    return {"run": run, "sweep": sweep} if run and sweep else None


def check(settings: Mapping[str, Any]) -> None:
    """Raises UserError for settings that no run can be followed with."""
    backend = settings["backend"]
    package = NEEDS.get(backend) or backend.partition(":")[0].partition(".")[0]
    if backend not in BUILT_IN and not all(part.strip() for part in [*backend.split(":"), backend.partition(":")[2]]):
        raise UserError(f"tracking.backend: got '{backend}', allowed is none, {', '.join(BUILT_IN)} or module:name")
    if importlib.util.find_spec(package) is None:
        how = f": pip install 'pgbench-rl[{backend}]'" if backend in BUILT_IN else "; it must be importable here"
        raise UserError(f"tracking.backend: got '{backend}', but there is no module {package}{how}")
    project = settings["project"]
    if backend == "wandb" and (not project or len(project) > 128 or set(project) & set(FORBIDDEN)):
        raise UserError(f"tracking.project: got '{project}', allowed are 1 to 128 characters, none of {FORBIDDEN}")


def tell_missing(jobs: Sequence[Mapping[str, Any]], say: Say, problem: str | None) -> int:
    """Says which runs are not (wholly) where they should be, and how to mend it; gives their number."""
    runs = [(seed_dir(Path(job["directory"]), seed), job["settings"]) for job in jobs for seed in job["seeds"]]
    reasons = {run: why for run, settings in runs if (why := _missing(run, settings))}
    if reasons:
        run, why = next(iter(reasons.items()))
        parents = " ".join(dict.fromkeys(str(run.parent.parent) for run in reasons))
        say(
            f"tracking: {len(reasons)} of {len(runs)} runs are not up to date ({run.parent.name}/{run.name}: {why}"
            f"{'; ' + problem if problem else ''}); the records are whole: python -m sweeps.publish {parents}"
        )
    return len(reasons)


def _missing(run: Path, settings: Mapping[str, Any]) -> str | None:
    try:
        return missing(run, settings)
    except Exception as error:  # a record that somebody edits: no reason to fail after training
        return f"{type(error).__name__}: {error}"


class Watch:
    """A follower's process, in a session of its own so that Ctrl-C does not reach it."""

    def __init__(self, spec: Mapping[str, Any], say: Say, show: Callable[[Mapping[str, Any]], None] | None = None):
        self.spec, self.say, self.show = spec, say, show or (lambda message: None)
        self.problem: str | None = None
        self.told = self.ending = self.over = False
        self.scratch = tempfile.TemporaryDirectory(prefix="pgbench-tracking-", ignore_cleanup_errors=True)
        self.process = self._start()
        self.done = threading.Event()
        self.wake = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _start(self) -> subprocess.Popen[str]:
        own = any(job["settings"].get("backend") not in {*BUILT_IN, None} for job in self.spec["jobs"])
        process = subprocess.Popen(
            [sys.executable, "-m", "pgbench.tracking.follower"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if own or os.environ.get("PGBENCH_TRACKING_DEBUG") else subprocess.DEVNULL,
            encoding="utf-8",
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
                "TMPDIR": self.scratch.name,  # a killed service leaves folders there
            },
        )
        assert process.stdin is not None
        with suppress(OSError):  # it died at once; the watch sees it
            process.stdin.write(json.dumps(self.spec) + "\n")
            process.stdin.flush()
        return process

    def _watch(self) -> None:
        wait, left = RESTART_SECONDS[0], RESTARTS_AT_END
        while True:
            begun = time.monotonic()
            code = self._listen()
            if code < 0 and not self.over:
                self._trouble(f"its process was killed by signal {-code}")
            left -= self.ending
            if code == 0 or self.over or left < 0:
                break
            if time.monotonic() - begun > RESTART_SECONDS[1]:
                wait = RESTART_SECONDS[0]
            self.wake.wait(wait)
            wait = min(2 * wait, RESTART_SECONDS[1])
            if self.over:
                break
            self.process = self._start()
            if self.ending:  # it was asked to end in between: this one still sends what is left
                self._close()
        self.done.set()

    def _listen(self) -> int:
        """Hears the follower's messages until it ends; gives its exit status."""
        process = self.process
        assert process.stdout is not None
        for line in process.stdout:
            with suppress(ValueError):
                message = json.loads(line)
                if "problem" in message:
                    self._trouble(message["problem"])
                self.show(message)
        code = process.wait()
        self._kill()  # wandb's service may outlive it
        return code

    def _trouble(self, problem: str) -> None:
        self.problem = problem
        if not self.told and not self.ending:  # at the end `tell_missing` says it
            self.told = True
            self.say(f"tracking: {problem}; training goes on, and what is missing is sent later")

    def end(self, seconds: float | None) -> None:
        """Lets the follower send what is left, for at most so long."""
        self.ending = True
        self.wake.set()
        self._close()
        if not self.done.wait(seconds):
            self.over = True
            self.problem = self.problem or f"the tracker did not take the rest within {seconds:g} s"
            self._kill()
            self.done.wait(1.0)
        self.scratch.cleanup()

    def _close(self) -> None:
        """Tells the follower that nothing more will be trained; a forked process may hold the pipe open."""
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):
            self.process.stdin.write("end\n")
            self.process.stdin.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
