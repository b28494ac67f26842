"""One job on disk: directories, resuming, records, checkpoints around the training loop.

A run (one seed of a job) is pending, then running, then done, diverged or failed. A running run whose process has gone
resumes from its last checkpoint; its tables are cut back to what they held then, so the records come out the same.
"""

import contextlib
import errno
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from pgbench.checkpoint import load_checkpoint, save_checkpoint
from pgbench.config import Config
from pgbench.errors import UserError
from pgbench.measure import measure
from pgbench.provenance import provenance
from pgbench.records import (
    CONFIG,
    ERROR,
    Records,
    read_status,
    seed_dir,
    write_atomic,
    write_measurements,
    write_status,
)
from pgbench.train import Trainer

STATUS_SECONDS = 1.0
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE)

stop = threading.Event()
"""Set by a signal handler: `run_job` then checkpoints after the iteration in flight and raises Interrupted."""


class Interrupted(Exception):
    """The job was asked to stop; the same command goes on from its checkpoint."""


def run_job(
    config: Config, seeds: Sequence[int] | None = None, show: Callable[[int], None] = lambda steps: None
) -> dict[int, str]:
    """Trains the seeds of a job (all by default) in lockstep and gives each one's final status.

    `show` hears about once a second how many environment steps all of them have done.
    Runs already done or diverged are left alone; the rest resume. Raises UserError for what a user can mend,
    Interrupted after `stop`; any other exception is recorded with its traceback as the failure of its runs.
    """
    torch.set_num_threads(1)
    seeds = config.seed_list if seeds is None else tuple(seeds)
    statuses = {seed: read_status(seed_dir(config.job_dir, seed))["status"] for seed in seeds}
    todo = [seed for seed in seeds if statuses[seed] not in ("done", "diverged")]
    if todo:
        trainer = Trainer(config, todo)
        try:
            _prepare(config, todo)
            statuses |= _Run(config, trainer, show).until_done()
        except (UserError, Interrupted):
            raise
        except BaseException as error:
            _record_failure(config, todo, error)
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise UserError(
                    f"{config.job_dir}: {error.strerror}; records up to the last iteration are kept, and the same "
                    "command goes on from the last checkpoint"
                ) from error
            raise
        finally:
            trainer.close()
    return statuses


def _record_failure(config: Config, seeds: Sequence[int], error: BaseException) -> None:
    """Status and traceback of the runs that had not ended, as far as the disk still takes them."""
    for seed in seeds:
        directory = seed_dir(config.job_dir, seed)
        with contextlib.suppress(OSError):
            if read_status(directory)["status"] in ("pending", "running"):
                write_atomic(directory / ERROR, "".join(traceback.format_exception(error)).encode())
                write_status(directory, "failed", message=f"{type(error).__name__}: {error}")


def _prepare(config: Config, seeds: Sequence[int]) -> None:
    """Makes the runs' directories and writes or checks their config.yaml."""
    made_with = provenance(torch.get_num_threads())
    for seed in seeds:
        directory = seed_dir(config.job_dir, seed)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / ERROR).unlink(missing_ok=True)
            path = directory / CONFIG
            if path.exists():
                _check_identity(config, path)
            else:
                content = {
                    "seed": seed,
                    "job": config.job_name,
                    "config": config.identity,
                    "provenance": made_with,
                }
                write_atomic(path, yaml.safe_dump(content, sort_keys=False).encode(), durable=True)
        except OSError as error:
            raise UserError(f"output_dir: cannot write {directory}: {error.strerror}") from None


def _check_identity(config: Config, path: Path) -> None:
    held = yaml.safe_load(path.read_text())
    if not isinstance(held, dict) or held.get("config") != config.identity:
        raise UserError(
            f"output_dir: {path.parent} holds a run of another config (see {path}); choose another output_dir"
        )


class _Run:
    """The records of a trainer's seeds, kept while it trains."""

    def __init__(self, config: Config, trainer: Trainer, show: Callable[[int], None]):
        self.config, self.trainer, self.show = config, trainer, show
        self.directories = [seed_dir(config.job_dir, seed) for seed in trainer.seeds]
        self.records, self.seconds_before = [], 0.0
        for s, directory in enumerate(self.directories):
            saved = load_checkpoint(directory)
            if saved:
                trainer.load(s, saved)
                self.seconds_before = max(self.seconds_before, saved["seconds"])
            self.records.append(Records(directory, saved["sizes"] if saved else None))
        self.started = self.last_status = self.last_checkpoint = time.monotonic()
        self.statuses: dict[int, str] = {}

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def until_done(self) -> dict[int, str]:
        """Iterates until every seed is done or diverged."""
        try:
            self._report(range(len(self.directories)))
            self._settle()
            while len(self.statuses) < len(self.directories):
                for s, (row, episodes) in self.trainer.iterate().items():
                    self.records[s].append(row, episodes, self.seconds)
                self._settle()
                self._keep()
        finally:
            for records in self.records:
                records.close()
        return self.statuses

    def _settle(self) -> None:
        """Closes the runs that have ended."""
        for s in (~self.trainer.live).nonzero()[0].tolist():
            seed = self.trainer.seeds[s]
            if seed not in self.statuses:
                self.statuses[seed] = "diverged" if self.trainer.diverged[s] else "done"
                self._checkpoint(s)
                self._measure(s)
                write_status(self.directories[s], self.statuses[seed], **self._progress(s))

    def _measure(self, s: int) -> None:
        if self.config.measure != "none" and not self.trainer.diverged[s]:
            rows = measure(self.trainer.state.rows(slice(s, s + 1)), self.config, self.trainer.seeds[s])
            write_measurements(self.directories[s], rows)

    def _keep(self) -> None:
        """Progress about once a second, checkpoints every checkpoint_seconds or when asked to stop."""
        running = [s for s, seed in enumerate(self.trainer.seeds) if seed not in self.statuses]
        now = time.monotonic()
        if now - self.last_status >= STATUS_SECONDS:
            self._report(running)
            self.last_status = now
        if running and (stop.is_set() or now - self.last_checkpoint >= self.config.checkpoint_seconds):
            for s in running:
                self._checkpoint(s)
            self.last_checkpoint = time.monotonic()
        if running and stop.is_set():
            raise Interrupted

    def _checkpoint(self, s: int) -> None:
        self.records[s].sync()
        content = {**self.trainer.save(s), "sizes": self.records[s].sizes(), "seconds": self.seconds}
        save_checkpoint(self.directories[s], content)

    def _report(self, which: Sequence[int]) -> None:
        for s in which:
            write_status(self.directories[s], "running", **self._progress(s))
        self.show(sum(self.trainer.account(s).env_steps for s in range(len(self.directories))))

    def _progress(self, s: int) -> dict[str, Any]:
        return {
            "iteration": int(self.trainer.iterations[s]),
            "env_steps": self.trainer.account(s).env_steps,
            "total_steps": self.config.total_steps,
            "seconds": self.seconds,
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }
