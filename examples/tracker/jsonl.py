"""A tracker of your own: every row as a line of JSON, one file per run.

    PYTHONPATH=examples/tracker python -m pgbench env=cartpole seeds=2 tracking.backend=jsonl:JsonLines

`tracking.backend=module:name` names a callable that takes a `Run` and gives a tracker: something with `row` and `end`.
It runs in the follower's process, so it may be slow, fail or hang: training does not notice.
"""

import json
from collections.abc import Mapping
from typing import Any

from pgbench.tracking import Run


class JsonLines:
    """`<run>/rows.jsonl`. After a crash of the follower the lines of its last two seconds may come twice."""

    def __init__(self, run: Run):
        self.file = open(run.directory / "rows.jsonl", "a", buffering=1)  # noqa: SIM115
        if not run.sent:
            self.write({"name": run.name, "group": run.group, "tags": run.tags, "config": run.config})

    def write(self, content: Mapping[str, Any]) -> None:
        self.file.write(json.dumps(content) + "\n")

    def row(self, row: Mapping[str, float | int]) -> None:
        self.write(row)

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        self.write(summary)
        self.file.close()
