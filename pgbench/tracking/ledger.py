"""tracking.json in a run's directory: its id, its name, and for each place it is sent to, which rows went there.

It is the tracker's, never part of the run's identity. Deleting it publishes the run anew, under a new id.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgbench.files import write_atomic
from pgbench.runs.flock import held
from pgbench.runs.records import CONFIG, METRICS_FILE
from pgbench.tracking.reading import Entry, Reader, state

LEDGER, LOCK = "tracking.json", "tracking.lock"
FORMAT = 1
DEFAULTS: dict[str, Any] = {
    "backend": "wandb",
    "project": "pgbench",
    "entity": None,
    "group": None,
    "tags": [],
    "mode": None,
}

Plan = list[list[Any]]
"""Which rows make which steps of the tracker: entries (`reading.Entry`) in order, those of consecutive rows of
metrics.csv as one: [metrics.csv, first, last] is a step for each row first..last-1."""


def steps(plan: Plan) -> int:
    """How many rows a plan gave the tracker."""
    return sum(_length(entry) for entry in plan)


def _length(entry: list[Any]) -> int:
    return int(entry[2] - entry[1]) if entry[0] == METRICS_FILE else 1


def add(plan: Plan, entry: Entry) -> None:
    """Adds one row."""
    source, first, last = entry
    if plan and source == METRICS_FILE and plan[-1][0] == source and plan[-1][2] == first:
        plan[-1][2] = last
    else:
        plan.append([source, first, last])


def cut(plan: Plan, count: int) -> Plan:
    """The first `count` rows of a plan."""
    kept: Plan = []
    for source, first, last in plan:
        room = count - steps(kept)
        if room > 0:
            kept.append([source, first, min(last, first + room) if source == METRICS_FILE else last])
    return kept


def reader(directory: Path, plan: Plan) -> Reader:
    """Reads a run's records from the first row that a plan does not have."""
    rows = max([last for source, _, last in plan if source == METRICS_FILE], default=0)
    return Reader(directory, rows, [(source, a, b) for source, a, b in plan if source != METRICS_FILE])


class Ledger:
    """tracking.json, read and written whole. Raises ValueError if it cannot be read."""

    def __init__(self, directory: Path):
        self.path = directory / LEDGER
        try:
            self.content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            if self.content["format"] != FORMAT:
                raise ValueError(f"format {self.content['format']}, here {FORMAT}")
        except FileNotFoundError:
            self.content = {"format": FORMAT, "id": secrets.token_hex(6), "settings": {}, "sent": {}}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} cannot be read ({error}); delete it to publish under a new id") from None

    def target(self, name: str) -> dict[str, Any]:
        """What one place was sent: `plan`; `sent` rows of it; `status` at the last end; `open` while rows are on their
        way and not known to be safe; the tracker's `memory`."""
        empty = {"plan": [], "sent": 0, "status": None, "open": False, "memory": {}}
        target: dict[str, Any] = self.content["sent"].setdefault(name, empty)
        return target

    def settle(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings to use: those given, else those of last time, else the defaults."""
        return {**DEFAULTS, **self.content["settings"], **given}

    def save(self, durable: bool = False) -> None:
        write_atomic(self.path, json.dumps(self.content).encode(), durable)


def target_name(settings: Mapping[str, Any]) -> str:
    """The place that settings send to."""
    backend: str = settings["backend"]
    trial = f" run {settings['agent']['run']}" if settings.get("agent") else ""
    return f"wandb {settings.get('entity') or ''}/{settings['project']}{trial}" if backend == "wandb" else backend


def missing(directory: Path, settings: Mapping[str, Any]) -> str | None:
    """Why a run is not (wholly) at the place the settings send to; None if it is, or has nothing to send."""
    if not (directory / CONFIG).exists() or held(directory / LOCK):  # another follower is at it
        return None
    try:
        ledger = Ledger(directory)
    except ValueError as error:
        return str(error)
    target = ledger.target(target_name(ledger.settle(settings)))
    now = state(directory)
    if target["status"] is None and now == "pending":
        return None
    if target["open"]:
        return "its last rows were not confirmed"
    left = len(reader(directory, cut(target["plan"], target["sent"])).new(over=True))
    if left or target["status"] is None:
        return f"{left} rows were not sent"
    return None if target["status"] == now else f"it is {now} and was last told as {target['status']}"
