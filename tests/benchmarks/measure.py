"""Rates of processes that train in turn, A B A B ..., and ratios of their medians.

Each contestant is a process of its own, on one core with one thread. It builds its learner, says that it is ready and
then answers every number of iterations on stdin with what it measured. So neither imports nor construction are timed,
turns are short, and training goes on from turn to turn: after the same turns, equal contestants have learned as long.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Turn = dict[str, float]
"""What a contestant measured in one turn: `steps` (environment steps), `seconds`, `peak` (megabytes), and its own."""
Advance = Callable[[int], Turn]
"""Trains some iterations."""


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    alternations: int = 5
    iterations: int = 10
    """of each contestant a turn, at 2048 environment steps a seed"""
    sweep_steps: int = 100_000
    growth_steps: int = 60_000
    """environment steps a turn"""
    memory_iterations: int = 1000


QUICK = Effort(alternations=2, iterations=1, sweep_steps=4096, growth_steps=1, memory_iterations=20)


@dataclass(frozen=True)
class Row:
    """One figure of the table: `ratio` is the median over the alternations, `low` and `high` are its extremes."""

    part: str
    case: str
    quantity: str
    against: str
    ratio: float
    low: float
    high: float
    value: float
    """median of the case itself, in `unit`"""
    reference: float
    """median of what it is measured against"""
    unit: str
    least: float | None = None
    """target: a ratio of at least this"""
    most: float | None = None
    """target: a ratio of at most this"""

    @property
    def target(self) -> str:
        """The target and whether it is met; empty where there is none."""
        if self.least is not None:
            return f">= {self.least:g}: {'met' if self.ratio >= self.least else 'missed'}"
        return f"<= {self.most:g}: {'met' if self.ratio <= self.most else 'missed'}" if self.most is not None else ""


def compare(values: Sequence[float], references: Sequence[float], less_is_better: bool = False, **fields: Any) -> Row:
    """The row of a case against its reference, measured in the same alternations."""
    pairs = zip(values, references, strict=True)
    ratios = [reference / value if less_is_better else value / reference for value, reference in pairs]
    return Row(
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        value=statistics.median(values),
        reference=statistics.median(references),
        **fields,
    )


class Contestant(NamedTuple):
    """`python -m tests.benchmarks.<module> <arguments>`, which calls `serve`, and its iterations a turn."""

    module: str
    arguments: Sequence[str]
    iterations: int


def alternate(contestants: Mapping[str, Contestant], times: int) -> dict[str, list[Turn]]:
    """The turns of each contestant: all in turn, `times` times, after an iteration each to warm up."""
    with ExitStack() as stack:
        running = {name: Process(one) for name, one in contestants.items()}
        for process in running.values():
            stack.enter_context(process)
        for process in running.values():
            process.advance(1)
        turns: dict[str, list[Turn]] = {name: [] for name in running}
        for _ in range(times):
            for name, process in running.items():
                turns[name].append(process.advance(contestants[name].iterations))
    return turns


def rates(turns: Sequence[Turn]) -> list[float]:
    """Environment steps a second of each turn."""
    return [turn["steps"] / turn["seconds"] for turn in turns]


class Process:
    """The near end of a contestant."""

    def __init__(self, contestant: Contestant):
        command = [sys.executable, "-m", f"tests.benchmarks.{contestant.module}", *contestant.arguments]
        environment = {**os.environ, **ONE_THREAD, "PYTHONWARNINGS": "ignore"}
        self.name = " ".join(command[1:])
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )

    def __enter__(self) -> "Process":
        self._answer()  # ready
        return self

    def advance(self, iterations: int) -> Turn:
        assert self.process.stdin
        print(iterations, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Turn:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.name}: ended with status {self.process.wait()}\n{self.errors.read()}")
        answer: Turn = json.loads(line)
        return answer

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def serve(build: Callable[[], Advance]) -> None:
    """The far end: builds the learner, then takes its turns until stdin closes. What libraries print is dropped."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    advance = build()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("{}", file=answers)
    for request in sys.stdin:
        start = time.perf_counter()
        turn = advance(int(request))
        seconds = time.perf_counter() - start
        print(json.dumps({**turn, "seconds": seconds, "peak": peak_memory()}), file=answers)


def peak_memory() -> float:
    """The most memory this process ever held, megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
