"""A sweep's trainer that notes when each unit began and ended and how long it trained, in times.jsonl beside the runs'
directories."""

import json
import os
import time
from typing import Any

from pgbench.config import Config
from pgbench.runs import job
from pgbench.runs.job import Interrupted
from pgbench.runs.trainer import Trainer

__all__ = ["Interrupted", "run_job"]

IMPORTED = time.monotonic()
_trained = _processor = 0.0
_first: float | None = None
_iterate = Trainer.iterate


def _timed(trainer: Trainer) -> Any:
    global _trained, _processor, _first
    begun, spent = time.monotonic(), time.process_time()
    _first = _first or begun
    try:
        return _iterate(trainer)
    finally:
        _trained += time.monotonic() - begun
        _processor += time.process_time() - spent


Trainer.iterate = _timed  # type: ignore[method-assign]


def run_job(config: Config, seeds: list[int], **given: Any) -> dict[int, str]:
    global _trained, _processor, _first
    begun, _trained, _processor, _first = time.monotonic(), 0.0, 0.0, None
    try:
        return job.run_job(config, seeds, **given)
    finally:
        note = {
            "pid": os.getpid(),
            "imported": IMPORTED,
            "begun": begun,
            "first": _first or time.monotonic(),
            "ended": time.monotonic(),
            "trained": _trained,
            "processor": _processor,
            "job": config.job_name,
            "seeds": len(seeds),
        }
        with open(config.job_dir.parent / "times.jsonl", "a") as file:
            file.write(json.dumps(note) + "\n")
