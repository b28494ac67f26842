"""(e) Where the time of an iteration goes: pgbench's functions timed from outside, at 10 seeds on CartPole-v1."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from tests.benchmarks.measure import Advance, Effort, Row, Turn, alternate, compare, serve
from tests.benchmarks.ours import build, ours

PHASES = {
    "rollout": ("experience.collector:Collector.collect",),
    "advantage": ("learning.advantages:estimate",),
    "critic": ("learning.critic:fit_critic",),
    "gradient": ("learning.surrogate:Surrogate.__init__", "learning.surrogate:Surrogate.gradient"),
    "CG": ("maths.natural:conjugate_gradient",),
    "line search": ("maths.natural:line_search",),
    "diagnostics": ("learning.surrogate:Surrogate.diagnostics",),
    "records": ("runs.records:Records.append",),
    "rest": (),
}
ALGORITHMS = ("reinforce", "vpg", "npg", "trpo")


class Clock:
    """Seconds spent in each phase. A phase within another is not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.stack, self.since = ["rest"], time.perf_counter()

    def switch(self) -> None:
        """Books the time since the last switch."""
        now = time.perf_counter()
        self.seconds[self.stack[-1]] += now - self.since
        self.since = now

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time booked under `phase`."""

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self.stack.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.stack.pop()

        return wrapper

    def install(self) -> None:
        """Puts wrappers in place of pgbench's functions, wherever a module of it has imported them."""
        importlib.import_module("pgbench.runs.trainer")
        for phase, places in PHASES.items():
            for place in places:
                module, _, path = place.partition(":")
                *owners, name = path.split(".")
                home = importlib.import_module(f"pgbench.{module}")
                for owner in owners:
                    home = getattr(home, owner)
                function = getattr(home, name)
                setattr(home, name, self.timed(phase, function))
                for user in [user for key, user in sys.modules.items() if key.startswith("pgbench.")]:
                    if getattr(user, name, None) is function:
                        setattr(user, name, getattr(home, name))


def build_timed(overrides: list[str]) -> Advance:
    """Our training loop, whose turns tell the seconds of each phase."""
    clock = Clock()
    clock.install()
    advance = build(overrides)

    def advance_timed(iterations: int) -> Turn:
        clock.switch()
        clock.seconds = dict.fromkeys(PHASES, 0.0)
        turn = advance(iterations)
        clock.switch()
        return {**turn, **clock.seconds}

    return advance_timed


def phases(effort: Effort) -> Iterator[Row]:
    """Part (e): each phase's share of an iteration's time."""
    contestants = {name: ours(name, 10, effort.iterations, module="phases") for name in ALGORITHMS}
    for name, turns in alternate(contestants, effort.alternations).items():
        whole = [1000 * sum(turn[phase] for phase in PHASES) / effort.iterations for turn in turns]
        for phase in PHASES:
            own = [1000 * turn[phase] / effort.iterations for turn in turns]
            case: dict[str, Any] = {
                "part": "e",
                "case": name.upper(),
                "quantity": phase,
                "against": "whole iteration",
                "unit": "ms",
            }
            yield compare(own, whole, **case)


if __name__ == "__main__":
    serve(lambda: build_timed(sys.argv[1:]))
