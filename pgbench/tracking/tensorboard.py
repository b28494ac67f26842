"""TensorBoard: event files in the run's directory, `<run>/tensorboard/`, with env_steps as the step.

TensorBoard keeps values in single precision.
"""

import time
from collections.abc import Mapping
from typing import Any

import yaml

from pgbench.tracking.tracker import Row, Run


class TensorBoardRun:
    """One event file per start of the follower; what a killed one wrote after its last known row is purged."""

    def __init__(self, run: Run):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.Event, self.Summary = Event, Summary
        self.last = run.memory.get("env_steps", -1)
        self.memory = run.memory
        self.writer = EventFileWriter(str(run.directory / "tensorboard"))
        if run.sent:
            start = SessionLog(status=SessionLog.START)
            self.writer.add_event(Event(wall_time=time.time(), step=self.last + 1, session_log=start))
        plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        text = "\n".join(f"    {line}" for line in yaml.safe_dump(dict(run.config)).splitlines())  # verbatim Markdown
        tensor = TensorProto(dtype=DT_STRING, string_val=[f"{run.name}\n\n{text}".encode()])
        value = Summary.Value(tag="config", metadata=plugin, tensor=tensor)
        self.writer.add_event(Event(wall_time=time.time(), step=max(0, self.last), summary=Summary(value=[value])))
        self.writer.flush()

    def _write(self, step: int, numbers: Mapping[str, float | int]) -> None:
        values = [self.Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()]
        self.writer.add_event(self.Event(wall_time=time.time(), step=step, summary=self.Summary(value=values)))

    def row(self, row: Row) -> None:
        self.last = max(self.last, int(row["env_steps"]))
        self._write(int(row["env_steps"]), {_tag(name): row[name] for name in row if name != "env_steps"})
        self.writer.flush()
        self.memory["env_steps"] = self.last

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        numbers = {f"summary/{name}": value for name, value in summary.items() if isinstance(value, int | float)}
        self._write(self.last, numbers)
        self.writer.close()


def _tag(name: str) -> str:
    """TensorBoard makes a section of what stands before the slash."""
    return name if "/" in name else f"train/{name}"
