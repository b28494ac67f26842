"""Compares what W&B's files hold, as wandb's own tool reads it, with the records, row by row."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgbench.runs.records import EVALUATIONS_FILE, METRICS_FILE
from pgbench.tracking import ledger as ledgers
from pgbench.tracking.ledger import Ledger
from pgbench.tracking.names import env, flat
from pgbench.tracking.reading import Tail, evaluations, known, read_config, state
from pgbench.tracking.summary import summarize, threshold_of
from pgbench.tracking.weights_and_biases import fragment_file, inspect

OURS = ("_step", "_runtime", "_timestamp")  # what W&B adds to a row
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def differences(directory: Path, settings: Mapping[str, Any]) -> list[str]:
    """What W&B's local files of a run's directory hold otherwise than its records; empty if all is equal.

    Compared are id, name, group, config, summary, status and every row; of a row all but `seconds`, which alone differs
    where a run was resumed. Steps must be there once each, without gaps; where rows were sent again because the server
    did not confirm them, they must be the same.
    """
    ledger = Ledger(directory)
    settings = ledger.settle(settings)
    target = ledger.target(ledgers.target_name(settings))
    config = read_config(directory)
    id, found = ledger.content["id"], []
    paths = fragments(directory.parent, id)
    if not paths:
        return ["W&B has no file of it"]
    rows: dict[int, dict[str, Any]] = {}
    run: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for path in paths:
        for record in inspect(path):
            kind = record.get("type")
            if kind == "run":
                run |= record["run"]
            elif kind == "summary":
                summary |= record["summary"].get("update", {})
            elif kind == "history":
                item = {name: _value(value) for name, value in record["history"]["item"].items()}
                row = {name: value for name, value in item.items() if name not in OURS}
                step = int(item["_step"])
                if step in rows and ("offline-run-" in str(path) or rows[step] != row):
                    found.append(f"step {step} is there twice")
                rows[step] = row
    expected = expected_rows(directory, target["plan"])
    if sorted(rows) != list(range(len(expected))):
        found.append(f"{len(rows)} steps, {len(expected)} rows in the records")
    for step, wanted in enumerate(expected):
        held = {name: value for name, value in rows.get(step, {}).items() if name != "seconds"}
        if wanted is not None and held != wanted:
            wrong = sorted(name for name in {*held, *wanted} if held.get(name) != wanted.get(name))
            found.append(f"row {step}: {', '.join(wrong)}")
    group = settings.get("group") or config.get("job", directory.parent.name)
    for name, value in (("run_id", id), ("display_name", ledger.content.get("name")), ("run_group", group)):
        if run.get(name) != value:
            found.append(f"{name} is {run.get(name)!r}, not {value!r}")
    held_config = {key: value for key, value in run.get("config", {}).get("update", {}).items() if key != "_wandb"}
    if flat(held_config) != flat(config):
        found.append("config")
    numbers = summarize(Tail(directory / METRICS_FILE).new(), state(directory), threshold_of(env(config)))
    found += [f"summary: {name}" for name, value in numbers.items() if _value(summary.get(name)) != value]
    return found


def fragments(job: Path, id: str) -> list[Path]:
    """The .wandb files of a run id, oldest first."""
    paths = [fragment_file(path) for path in job.glob(f"wandb/*run-*-{id}*")]
    return sorted((path for path in paths if path), key=lambda path: path.stat().st_mtime)


def expected_rows(directory: Path, plan: ledgers.Plan) -> list[dict[str, Any] | None]:
    """The rows of the records in the order they were sent, those not sent yet at the end; without `seconds`. None for
    an evaluation that was made again since, with another result."""
    metrics, held = Tail(directory / METRICS_FILE).new(), evaluations(directory / EVALUATIONS_FILE)
    rows: list[dict[str, Any] | None] = []
    for source, first, last in plan:
        rows += (
            [known(row) for row in metrics[first:last]] if source == METRICS_FILE else [held.get((source, first, last))]
        )
    left = [row for _, row in ledgers.reader(directory, plan).new(over=True)]
    return rows + [{name: value for name, value in row.items() if name != "seconds"} for row in left]


def _value(value: Any) -> Any:
    return SPECIAL.get(value, value) if isinstance(value, str) else value
