"""Weights & Biases. This file alone imports wandb, and only in the follower's process.

A run on W&B is made of fragments: each time the follower begins, it continues under the same id with the step after the
last one that is known to be safe. What is known to be safe, if the last fragment was not closed, is read from where it
went: from the file (by wandb's own tool) if it was offline, from the server's answer if it was online.
"""

import csv
import errno
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pgbench.errors import UserError
from pgbench.files import write_atomic
from pgbench.tracking.names import tags
from pgbench.tracking.tracker import Row, Run, Unavailable

MODES = ("online", "offline")
SHELL_MODE = os.environ.get("WANDB_MODE")  # as it was before clean_environment
ENVIRONMENT = (
    "WANDB_API_KEY",
    "WANDB_BASE_URL",
    "WANDB_CONFIG_DIR",
    "WANDB_CACHE_DIR",
    "WANDB_DATA_DIR",
    "WANDB_ENTITY",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_CREDENTIALS_FILE",
    "WANDB_INSECURE_DISABLE_SSL",
)
"""The variables that are heeded besides WANDB_MODE: who one is and where the server stands. All others would reach into
every run (its id, group, tags, directory, service, ...) and are dropped."""
INIT_SECONDS = 6  # W&B has so long to answer when a run is opened
FINISH_SECONDS = {True: 6, False: 60}  # ... and to take the rest when it is closed; live, not live
SYNC_SECONDS = 300
SPARE_BYTES = 4_000_000  # with less free disk than this, what was written is read back
TOOL = (sys.executable, "-m", "wandb")


def clean_environment() -> None:
    """Leaves only the variables of ENVIRONMENT, and wandb's own reporting off."""
    for name in [name for name in os.environ if name.startswith("WANDB_") and name not in ENVIRONMENT]:
        del os.environ[name]
    os.environ["WANDB_ERROR_REPORTING"] = "false"


def mode_of(settings: Mapping[str, Any]) -> str:
    """tracking.mode, else WANDB_MODE, else online. Raises Unavailable for a mode in which nothing can be published."""
    mode = settings.get("mode") or SHELL_MODE or "online"
    if mode not in MODES:
        raise Unavailable(f"WANDB_MODE: got '{mode}', allowed is {' or '.join(MODES)}")
    return mode


class WandbRun:
    """A seed's run on W&B, with env_steps as the x-axis of everything."""

    def __init__(self, run: Run):
        mode = mode_of(run.settings)
        clean_environment()
        self.memory = run.memory
        directory = self.files = run.files
        _check_writable(directory / "wandb")
        self.held = self._safe(run, mode)
        self.run = self._init(run, mode)
        if mode == "online":
            self.held = int(self.run.step)
        self.begun = self.step = self.held
        self.path, self.tight = Path(self.run.settings.sync_dir), False
        self.memory["open"] = {"mode": mode, "fragment": str(self.path.relative_to(directory)), "from": self.held}
        self.run.define_metric("env_steps")
        self.run.define_metric("*", step_metric="env_steps")

    def _safe(self, run: Run, mode: str) -> int:
        """How many rows are safe where they went; online, the server will tell."""
        self._drop_empty(run)
        before = self.memory.get("open")
        if before and before["mode"] == "offline":
            mend(run.files / before["fragment"])
            safe = rows_held(run.files / before["fragment"], before["from"])
            self._close(before)
        elif before and mode == "offline":
            raise Unavailable("its last rows went online and were not confirmed: publish it with --mode online")
        else:
            safe = run.sent
        if mode == "online":
            self._sync(run)
        return safe

    def _drop_empty(self, run: Run) -> None:
        """Removes fragments of a killed follower that hold no row: one such file makes `wandb sync` give up on all."""
        closed = self.memory.get("fragments", [])
        for path in run.files.glob(f"wandb/offline-run-*-{run.id}*"):
            file = fragment_file(path)
            if str(path.relative_to(run.files)) not in closed and not (file and steps_in(file)):
                shutil.rmtree(path)

    def _close(self, fragment: Mapping[str, Any]) -> None:
        if fragment["mode"] == "offline" and (self.files / fragment["fragment"]).exists():
            self.memory.setdefault("fragments", []).append(fragment["fragment"])
        self.memory.pop("open", None)

    def _sync(self, run: Run) -> None:
        """Sends the offline fragments that wait for it, so that online goes on after them."""
        paths = [run.files / fragment for fragment in self.memory.get("fragments", [])]
        waiting = [path for path in paths if list(path.glob("*.wandb")) and not list(path.glob("*.wandb.synced"))]
        if waiting:
            command = [*TOOL, "sync", "--yes", *map(str, waiting)]
            try:
                done = subprocess.run(
                    command, capture_output=True, encoding="utf-8", errors="replace", timeout=SYNC_SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                raise Unavailable(f"wandb sync did not end within {SYNC_SECONDS} s") from None
            if done.returncode or not all(list(path.glob("*.wandb.synced")) for path in waiting):
                raise Unavailable(f"wandb sync failed: {' '.join((done.stderr or done.stdout).split())[-200:]}")

    def _init(self, run: Run, mode: str) -> Any:
        import wandb

        self.tags = run.tags
        try:
            return wandb.init(
                project=run.settings["project"],
                entity=run.settings.get("entity"),
                group=run.group[:128],
                job_type=run.job_type[:64],
                name=run.name[:128],
                id=run.id,
                tags=list(run.tags),
                config=dict(run.config),
                dir=str(run.files),
                mode=mode,  # type: ignore[arg-type]
                resume="allow",
                reinit="create_new",
                settings=_settings(wandb, run.live, run.system_pid, run.settings.get("agent")),
            )
        except (wandb.errors.CommError, wandb.errors.UsageError, ValueError) as error:
            raise Unavailable(_one_line(error)) from None

    def row(self, row: Row) -> None:
        self.run.log(dict(row), step=self.step)
        self.step += 1
        self.tight = self.tight or shutil.disk_usage(self.path).free < SPARE_BYTES

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """The exit code is 1, and a tag says so, if the run failed or stopped; a diverged run has the tag alone."""
        if status in ("diverged", "failed", "stopped"):
            self.run.tags = (*self.tags, status)
        self.run.summary.update(dict(summary))
        self.run.finish(exit_code=int(status in ("failed", "stopped")))
        opened = self.memory["open"]
        if opened["mode"] == "offline" and self.tight and rows_held(self.path, self.begun) < self.step:
            raise OSError(errno.ENOSPC, "no space left for W&B's files", str(self.path))
        self._close(opened)


def _settings(wandb: Any, live: bool, system_pid: int | None = None, agent: Mapping[str, str] | None = None) -> Any:
    """A new object for each run: wandb changes it. Nothing of the machine, the code or the console is sent."""
    return wandb.Settings(
        silent=True,
        console="off",
        program="",
        host="",
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        x_disable_stats=system_pid is None,
        **({"x_stats_pid": system_pid} if system_pid else {}),
        sweep_id=agent["sweep"] if agent else None,
        # Said again: after an address it cannot read, wandb would go on to its default server, with the key.
        **({"base_url": os.environ["WANDB_BASE_URL"]} if "WANDB_BASE_URL" in os.environ else {}),
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS[live],
        finish_timeout_raises=True,
        x_graphql_retry_max=3,
        x_graphql_retry_wait_max_seconds=2,
    )


def _check_writable(directory: Path) -> None:
    """Raises OSError: wandb itself would silently go to the temporary directory."""
    directory.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"x")


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:160]}..."


def fragment_file(directory: Path) -> Path | None:
    """The .wandb file of a run's directory, if it is (still) there."""
    return next(iter(directory.glob("*.wandb")), None)


def inspect(path: Path) -> Iterator[dict[str, Any]]:
    """The records that a .wandb file holds, as `wandb leet inspect --json` reads it; an unfinished file gives what it
    has. The program behind that command is started directly: 0.03 s instead of 0.7."""
    spec = importlib.util.find_spec("wandb")
    assert spec is not None
    assert spec.origin is not None
    core = Path(spec.origin).parent / "bin" / "wandb-core"
    command = [str(core), "leet", "inspect", "-json", "-no-observability", "-run-file", str(path), str(path.parent)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=600, check=False)
    for line in done.stdout.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def mend(fragment: Path) -> None:
    """Cuts a killed follower's .wandb file after its last whole record: `wandb sync` stops at a torn one."""
    path = fragment_file(fragment)
    if path:
        os.truncate(path, whole_records(path.read_bytes()))


def whole_records(data: bytes) -> int:
    """The bytes up to the end of the last whole record of a .wandb file.

    It is a log as LevelDB writes it: 7 bytes that name the format, then, in blocks of 32 KiB (the first with those 7),
    chunks of a checksum (4 bytes), a length (2), a type (1: a whole record, 2, 3, 4: its first, middle, last part) and
    the content. A block's last bytes are left empty where no header fits.
    """
    place = end = 7
    while place + 7 <= len(data):
        if (room := 32768 - place % 32768) < 7:
            place += room
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        place += 7 + length
        if place > len(data) or kind not in (1, 2, 3, 4):
            break
        if kind in (1, 4):
            end = place
    return end


def steps_in(path: Path) -> list[int]:
    """The steps of the rows that a .wandb file holds."""
    return [int(record["history"]["item"]["_step"]) for record in inspect(path) if record.get("type") == "history"]


def rows_held(fragment: Path, begun: int) -> int:
    """How many rows are held by a fragment that began with row `begun` and those before it. Raises OSError for a gap:
    its disk was full for a while."""
    path = fragment_file(fragment)
    steps = steps_in(path) if path else []
    if steps != list(range(begun, begun + len(steps))):
        raise OSError(errno.EIO, "rows are missing; delete this directory and the run's tracking.json", str(fragment))
    return begun + len(steps)


def publish_figures(figures: Path, records: Sequence[Path], settings: Mapping[str, Any]) -> str:
    """Logs figures (PNG), tables (CSV) and the page of a directory made by reports as a run of job type `report`.

    `records`: directories of records to add as an artifact. The same directory again continues the same run. Gives a
    sentence that says where the run is. Raises UserError.
    """
    images, tables = sorted(figures.glob("*.png")), sorted(figures.glob("*.csv"))
    if not images:
        raise UserError(f"--figures: no PNG in {figures}: give the --out directory of python -m reports")
    try:
        mode = mode_of(settings)
        clean_environment()
        _check_writable(figures / "wandb")
        path = figures / "tracking.json"
        held = (
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"id": secrets.token_hex(6), "sent": 0}
        )
        return _log_figures(figures, images, tables, records, settings, mode, path, held)
    except (Unavailable, OSError, ValueError) as error:
        raise UserError(f"--figures: {_one_line(error)}") from None


def _log_figures(
    figures: Path,
    images: Sequence[Path],
    tables: Sequence[Path],
    records: Sequence[Path],
    settings: Mapping[str, Any],
    mode: str,
    path: Path,
    held: dict[str, Any],
) -> str:
    import wandb

    try:
        run = wandb.init(
            project=settings["project"],
            entity=settings.get("entity"),
            group=settings.get("group"),
            job_type="report",
            name=f"report {figures.resolve().name}",
            id=held["id"],
            tags=list(tags(settings["tags"])),
            dir=str(figures),
            mode=mode,  # type: ignore[arg-type]
            resume="allow",
            reinit="create_new",
            settings=_settings(wandb, live=False),
        )
        content: dict[str, Any] = {f"figures/{image.stem}": wandb.Image(str(image)) for image in images}
        for table in tables:
            header, *lines = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))
            content[f"tables/{table.stem}"] = wandb.Table(columns=[*header], data=[*lines])
        run.log(content, step=max(held["sent"], run.step if mode == "online" else 0))
        if records:
            artifact = wandb.Artifact(f"records-{held['id']}", type="records")
            for directory in records:
                for file in sorted(directory.resolve().rglob("seed-*/*")):
                    if file.suffix in (".csv", ".yaml") or file.name == "status.json":
                        artifact.add_file(str(file), name=str(file.relative_to(directory.resolve().parent)))
            run.log_artifact(artifact)
        url = run.url if mode == "online" else None
        run.finish()
    except (wandb.errors.CommError, wandb.errors.UsageError, TimeoutError, ConnectionError) as error:
        raise Unavailable(_one_line(error)) from None
    held["sent"] += 1
    write_atomic(path, json.dumps(held).encode())
    where = url or f"offline in {run.settings.sync_dir}"
    return f"{len(images)} figures and {len(tables)} tables are on W&B as `report {figures.resolve().name}`: {where}"
