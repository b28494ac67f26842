"""One job on disk: directories, resuming, records, checkpoints, snapshots and evaluations around the training loop.

A run (one seed of a job) is pending, then running, then done, diverged or failed. A running run whose process has gone
resumes from its last checkpoint; its tables are cut back to what they held then, so the records come out the same. A
done run that is asked for more steps goes on from its end in the same way.
"""

import contextlib
import errno
import os
import socket
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from pgbench.after.evaluation import run_episodes
from pgbench.algorithms import own_metrics
from pgbench.config import Config, merge
from pgbench.errors import UserError
from pgbench.files import write_atomic
from pgbench.runs.checkpoint import load_checkpoint, save_checkpoint
from pgbench.runs.provenance import append_provenance
from pgbench.runs.records import (
    CHECKPOINT,
    CONFIG,
    ERROR,
    EVALUATIONS,
    EVALUATIONS_FILE,
    FORMAT,
    POLICY,
    Records,
    damage,
    is_over,
    merge_rows,
    policy_file,
    read_status,
    seed_dir,
    write_status,
)
from pgbench.runs.trainer import Trainer

STATUS_SECONDS = 1.0
CHECKPOINT_SHARE = 0.005
"""The most of the time that checkpoints take: one that cost 10 ms is followed by the next after 2 s."""
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE)
EVALUATION_STREAM = 4
"""Child of SeedSequence(seed) that evaluations during training draw from; training has 0 and 1, measurements 2."""


class Interrupted(Exception):
    """The job was asked to stop; the same command resumes from its checkpoint."""


def run_job(
    config: Config,
    seeds: Sequence[int] | None = None,
    show: Callable[[int], None] = lambda steps: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[int, str]:
    """Trains the seeds of a job (all by default) in lockstep and gives each one's final status.

    `show` hears about once a second how many environment steps all of them have done; `stop` is asked after each
    iteration. Runs that are over are left alone; the rest resume; a run whose files are damaged is `failed`, its status
    saying why, and the others train. torch uses one thread meanwhile.

    Raises UserError for what a user can mend, Interrupted after a checkpoint once `stop` says so; any other exception
    is recorded with its traceback as the failure of its runs.
    """
    seeds = config.seed_list if seeds is None else tuple(seeds)
    statuses, todo = {}, []
    for seed in seeds:
        directory = seed_dir(config.job_dir, seed)
        told = read_status(directory)
        status = told.get("before", told)
        statuses[seed] = status["status"]
        if why := _hurt(directory, status, config.total_steps):
            _fail(directory, why, why, before=status)  # once it is mended, it is again what it was
            statuses[seed] = "failed"
        elif not is_over(status, config.total_steps):
            todo.append(seed)
        elif status is not told:
            (directory / ERROR).unlink(missing_ok=True)
            write_status(directory, **status)
    if not todo:
        return statuses
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with contextlib.closing(Trainer(config, todo)) as trainer:
            _prepare(config, todo)
            return statuses | _Run(config, trainer, show, stop).until_done()
    except (UserError, Interrupted):
        raise
    except BaseException as error:
        _record_failure(config, todo, error)
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise UserError(
                f"{config.job_dir}: {error.strerror}; records up to the last iteration are kept, and re-running "
                "the same command resumes from the last checkpoint"
            ) from error
        raise
    finally:
        torch.set_num_threads(threads)


def _hurt(directory: Path, status: Mapping[str, Any], total_steps: int) -> str | None:
    """Why a run can neither be left as it is nor go on: what of its files is damaged, and what to do."""
    if is_over(status, total_steps):
        return damage(directory, status)
    try:
        saved = load_checkpoint(directory)
    except UserError as error:
        return str(error)
    if saved:
        return damage(directory, {"files": saved["files"]})
    if status["status"] == "done":
        return f"{directory / CHECKPOINT} is gone: put it back, or delete {directory} to train this run anew"
    return None


def _fail(directory: Path, message: str, details: str, **fields: Any) -> None:
    write_atomic(directory / ERROR, f"{details}\n".encode(errors="backslashreplace"))
    write_status(directory, "failed", message=message, **fields)


def _record_failure(config: Config, seeds: Sequence[int], error: BaseException) -> None:
    """Status and traceback of the runs that had not ended, as far as the disk still takes them."""
    for seed in seeds:
        directory = seed_dir(config.job_dir, seed)
        with contextlib.suppress(OSError):
            if read_status(directory)["status"] in ("pending", "running"):
                _fail(directory, f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))


def _prepare(config: Config, seeds: Sequence[int]) -> None:
    """Makes the runs' directories and writes or checks their config.yaml."""
    for seed in seeds:
        directory = seed_dir(config.job_dir, seed)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / ERROR).unlink(missing_ok=True)
            _write_config(config, seed, directory / CONFIG)
        except OSError as error:
            raise UserError(f"output_dir: cannot write {directory}: {error.strerror}") from None


def _write_config(config: Config, seed: int, path: Path) -> None:
    """Writes config.yaml where there is none or a damaged one. Raises UserError over one of another config."""
    content = {
        "format": FORMAT,
        "seed": seed,
        "job": config.job_name,
        "config": config.recorded,
        "reads": list(config.algorithm.reads),
        "total_steps": config.total_steps,
        **({"metrics": own} if (own := own_metrics(config)) else {}),
    }
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
        kept = merge(held["config"], {"hyperparameters": {"name": config.hyperparameters.name}})
        held["total_steps"]  # the last of the file: it was not cut
    except (FileNotFoundError, ValueError, KeyError, TypeError, yaml.YAMLError):
        held = kept = None
    if kept not in (None, config.recorded):
        raise UserError(
            f"output_dir: {path.parent} holds a run of another config (see {path}); choose another output_dir"
        )
    if held is None or held.get("total_steps") != config.total_steps:
        write_atomic(path, yaml.safe_dump(content, sort_keys=False).encode(), durable=True)


class _Run:
    """The records of a trainer's seeds, kept while it trains."""

    def __init__(self, config: Config, trainer: Trainer, show: Callable[[int], None], stop: Callable[[], bool]):
        self.config, self.trainer, self.show, self.stop = config, trainer, show, stop
        self.directories = [seed_dir(config.job_dir, seed) for seed in trainer.seeds]
        self.records, self.seconds_before = [], 0.0
        for s, directory in enumerate(self.directories):
            saved = load_checkpoint(directory)
            if saved:
                trainer.load(s, saved)
                self.seconds_before = max(self.seconds_before, saved["seconds"])
            self.records.append(Records(directory, saved["files"] if saved else None, trainer.metrics))
            append_provenance(directory, config, env_steps=trainer.account(s).env_steps, total_steps=config.total_steps)
        self.cost = 0.0
        """seconds that the last checkpoint of all seeds took"""
        self.started = self.last_status = self.last_checkpoint = time.monotonic()
        self.statuses: dict[int, str] = {}

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def until_done(self) -> dict[int, str]:
        """Iterates until every seed is done or diverged."""
        try:
            for s in range(len(self.directories)):
                self._snapshots(s, before=self._steps(s) - 1)
            self._report(range(len(self.directories)))
            self._settle()
            while len(self.statuses) < len(self.directories):
                before = [self._steps(s) for s in range(len(self.directories))]
                for s, (row, episodes) in self.trainer.iterate().items():
                    numbered = [(row["iteration"], *episode) for episode in episodes]
                    self.records[s].append(row, numbered, self.seconds)
                    self._snapshots(s, before[s])
                    self._evaluate(s, before[s])
                self._settle()
                self._keep()
        finally:
            for records in self.records:
                records.close()
        return self.statuses

    def _steps(self, s: int) -> int:
        return self.trainer.account(s).env_steps

    def _snapshots(self, s: int, before: int) -> None:
        """Keeps the policies of the snapshots that the last iteration has come to."""
        for steps in self.config.snapshots:
            if before < steps <= self._steps(s):
                self.trainer.policy(s).save(self.directories[s] / policy_file(steps))

    def _evaluate(self, s: int, before: int) -> None:
        """Evaluates the policy if the last iteration has come to a multiple of evaluation.every."""
        evaluation, steps = self.config.evaluation, self._steps(s)
        if evaluation.every is None or before // evaluation.every == steps // evaluation.every:
            return
        stream = np.random.SeedSequence(self.trainer.seeds[s], spawn_key=(EVALUATION_STREAM, steps))
        found = run_episodes(self.trainer.policy(s), evaluation.episodes, stream, evaluation.deterministic)
        record_evaluation(self.directories[s], steps, evaluation.deterministic, *found)

    def _settle(self) -> None:
        """Closes the runs that have ended."""
        for s in np.flatnonzero(~self.trainer.live).tolist():
            seed = self.trainer.seeds[s]
            if seed not in self.statuses:
                self.statuses[seed] = "diverged" if self.trainer.diverged[s] else "done"
                self._checkpoint(s)
                told: dict[str, Any] = {"files": self.records[s].files()}
                if why := self.trainer.diverged[s]:
                    told["message"] = f"diverged in iteration {self.trainer.iterations[s]}: {why}"
                    write_atomic(self.directories[s] / ERROR, f"{told['message']}\n".encode())
                write_status(self.directories[s], self.statuses[seed], **self._progress(s), **told)

    def _keep(self) -> None:
        """Progress about once a second; checkpoints as often as they are cheap, or when asked to stop."""
        running = [s for s, seed in enumerate(self.trainer.seeds) if seed not in self.statuses]
        now, stopping = time.monotonic(), self.stop()
        if now - self.last_status >= STATUS_SECONDS:
            self._report(running)
            self.last_status = now
        wait = max(self.config.checkpoint_seconds, self.cost / CHECKPOINT_SHARE)
        if running and (stopping or now - self.last_checkpoint >= wait):
            for s in running:
                self._checkpoint(s, durable_policy=stopping)
            self.last_checkpoint = time.monotonic()
            self.cost = self.last_checkpoint - now
        if running and stopping:
            raise Interrupted

    def _checkpoint(self, s: int, durable_policy: bool = True) -> None:
        """Writes checkpoint.pt and policy.pt; the latter can be made of the former, and is durable only at the end."""
        self.records[s].sync()
        content = {**self.trainer.save(s), "files": self.records[s].files(), "seconds": self.seconds}
        save_checkpoint(self.directories[s], content)
        self.trainer.policy(s).save(self.directories[s] / POLICY, durable_policy)

    def _report(self, which: Sequence[int]) -> None:
        for s in which:
            write_status(self.directories[s], "running", **self._progress(s))
        self.show(sum(self._steps(s) for s in range(len(self.directories))))

    def _progress(self, s: int) -> dict[str, Any]:
        return {
            "iteration": self.trainer.iterations[s],
            "env_steps": self._steps(s),
            "total_steps": self.config.total_steps,
            "seconds": self.seconds,
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }


def record_evaluation(
    directory: Path, env_steps: int, deterministic: bool, returns: np.ndarray, lengths: np.ndarray
) -> None:
    """Writes the evaluation of a policy into its run's evaluations.csv, in place of an earlier one of the same kind."""
    rows = [
        (env_steps, episode, value, length, int(deterministic))
        for episode, (value, length) in enumerate(zip(returns.tolist(), lengths.tolist(), strict=True))
    ]
    merge_rows(directory / EVALUATIONS_FILE, tuple(EVALUATIONS), ("env_steps", "deterministic"), rows)
