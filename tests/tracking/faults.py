"""Every way W&B can fail, injected for real into a job of ten seeds in lockstep: `python tests/tracking/faults.py`.

For each fault: seconds of training (status.json), how long the command took to end after its last run, its exit status,
whether the records are the same bit for bit, what it said. Then the fault is lifted, `sweeps.publish` is run twice (the
second sends nothing), and what the stand-in server holds is compared with the records. Needs root for the two faults of
a disk.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from server import Server  # noqa: E402

from pgbench.composition import compose  # noqa: E402
from pgbench.runs.records import EPISODES_FILE, METRICS_FILE, read_status  # noqa: E402
from pgbench.tracking.reading import Tail, known  # noqa: E402

SEEDS = 10
JOB = ["env=cartpole", "algorithm=trpo", f"seeds={SEEDS}", "checkpoint_seconds=2", "hyperparameters.n_steps=32"]
KEY = "0123456789abcdef0123456789abcdef01234567"
SECRET = f"a-secret-that-must-not-be-anywhere-{os.getpid()}"
HOSTILE = {
    "WANDB_RUN_ID": "stolen", "WANDB_RUN_GROUP": "stolen", "WANDB_NAME": "stolen", "WANDB_TAGS": "," * 3 + "x" * 90,
    "WANDB_PROJECT": "stolen", "WANDB_RESUME": "never", "WANDB_SERVICE": "3-1-unix-/nowhere",
    "WANDB_DIR": "/proc/nowhere",
    "WANDB_SILENT": "perhaps", "WANDB_INIT_TIMEOUT": "-1", "WANDB_CONSOLE": "bogus", "WANDB_DISABLE_GIT": "maybe",
    "WANDB_NOTES": "stolen", "WANDB_JOB_TYPE": "stolen", "WANDB_SWEEP_ID": "", "WANDB_X_DISABLE_STATS": "bogus",
    "WANDB_HTTP_TIMEOUT": "never", "WANDB_START_METHOD": "bogus", "WANDB_QUIET": "bogus", "WANDB_SYMLINK": "bogus",
}  # fmt: skip


@dataclass
class Fault:
    """A fault: how W&B is set up, what is done to the job while it trains."""

    name: str
    overrides: list[str] = field(default_factory=lambda: ["tracking=wandb", "tracking.mode=online"])
    server: str = "ok"
    stream: str = "ok"
    environment: dict[str, str | None] = field(default_factory=dict)
    during: Callable[[subprocess.Popen, threading.Event], None] | None = None
    disk: str | None = None
    mends: bool = True


def killer(*whom: str, every: float = 4.0) -> Callable[[subprocess.Popen, threading.Event], None]:
    def kill(process: subprocess.Popen, over: threading.Event) -> None:
        while not over.wait(every):
            for pid in find(*whom):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    return kill


def freeze(process: subprocess.Popen, over: threading.Event) -> None:
    while not over.wait(4.0):
        for pid in find("pgbench.tracking.follower"):
            os.kill(pid, signal.SIGSTOP)


def find(*names: str) -> list[int]:
    """The processes of this session's job whose command line names one of these: they carry our secret's value."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            ours = SECRET.encode() in (path / "environ").read_bytes()
            line = (path / "cmdline").read_bytes().decode(errors="replace")
            if ours and any(name in line for name in names):
                pids.append(int(path.name))
    return pids


FAULTS = [
    Fault("online, all well"),
    Fault("offline, all well", ["tracking=wandb", "tracking.mode=offline"]),
    Fault("TensorBoard", ["tracking=tensorboard"]),
    Fault("nobody at the port", environment={"WANDB_BASE_URL": "http://127.0.0.1:9"}),
    Fault("server answers 500", server="500"),
    Fault("server answers 429", server="429"),
    Fault("server answers 401 (wrong key)", server="401"),
    Fault("server hangs", server="hang"),
    Fault("file stream hangs", stream="hang"),
    Fault("file stream answers 500", stream="500"),
    Fault("no key", environment={"WANDB_API_KEY": None}),
    Fault("malformed key", environment={"WANDB_API_KEY": "x"}),
    Fault("malformed server address", environment={"WANDB_BASE_URL": "htp:/nonsense"}),
    Fault("wandb-core killed, online", during=killer("wandb-core")),
    Fault("wandb-core killed, offline", ["tracking=wandb", "tracking.mode=offline"], during=killer("wandb-core")),
    Fault("follower killed, online", during=killer("pgbench.tracking.follower")),
    Fault("follower killed, offline", ["tracking=wandb", "tracking.mode=offline"],
          during=killer("pgbench.tracking.follower")),
    Fault("follower stopped (SIGSTOP)", during=freeze),
    Fault("disk full (1 MB)", ["tracking=wandb", "tracking.mode=offline"], disk="size=1m"),
    Fault("directory read-only", ["tracking=wandb", "tracking.mode=offline"], disk="size=1m,ro"),
    Fault("hostile WANDB_* variables", environment=HOSTILE),
    Fault("WANDB_MODE=bogus", ["tracking=wandb"], environment={"WANDB_MODE": "bogus"}),
]  # fmt: skip


@contextmanager
def mounted(path: Path, options: str | None) -> Iterator[None]:
    if options is None:
        yield
        return
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
    if "ro" not in options:
        with open(path / "filler", "wb") as file:
            file.write(b"x" * 900_000)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def environment(server: Server, changes: dict[str, str | None]) -> dict[str, str]:
    base = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    base |= {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "A_SECRET": SECRET, "OMP_NUM_THREADS": "1"}
    base |= {"HOME": "/nonexistent", "NETRC": "/nonexistent/netrc"}
    for name, value in changes.items():
        base.pop(name, None)
        if value is not None:
            base[name] = value
    return base


@dataclass
class Result:
    seconds: float
    returned: float
    status: int
    said: list[str]


def train(directory: Path, steps: int, fault: Fault, server: Server) -> Result:
    """Runs the job under a fault."""
    server.mode, server.stream_mode = fault.server, fault.stream
    overrides = [*JOB, f"total_steps={steps}", f"output_dir={directory}", *fault.overrides]
    job, over = compose(overrides).job_dir, threading.Event()
    with ExitStack() as stack:
        stack.enter_context(mounted(job / "wandb", fault.disk))
        command = [sys.executable, "-m", "pgbench", *overrides]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(server, fault.environment), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if fault.during:
            threading.Thread(target=fault.during, args=(process, over), daemon=True).start()
        _, errors = process.communicate()
        returned = time.time()
        over.set()
    statuses = [read_status(job / f"seed-{seed}") for seed in range(SEEDS)]
    last = max(status.get("updated", 0.0) for status in statuses)
    seconds = max(status.get("seconds", 0.0) for status in statuses)
    return Result(seconds, returned - last, process.returncode, errors.splitlines())


def same_records(one: Path, other: Path) -> bool:
    files = sorted(path.relative_to(one) for name in (METRICS_FILE, EPISODES_FILE) for path in one.rglob(name))
    assert len(files) == 2 * SEEDS
    return all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def mend(directory: Path, fault: Fault, server: Server) -> str:
    """What the server holds after publishing (and, if the runs were offline, one `wandb sync`)."""
    server.mode = server.stream_mode = "ok"
    here = environment(server, {})
    publish = [sys.executable, "-m", "sweeps.publish", str(directory)]
    if "tracking=tensorboard" in fault.overrides or "bogus" in fault.environment.get("WANDB_MODE", "") or "":
        publish += ["--backend", "wandb", "--mode", "online"]
    done = subprocess.run(publish, cwd=ROOT, env=here, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"publish: {done.stderr.splitlines()[-1:]}"
    again = subprocess.run(publish, cwd=ROOT, env=here, capture_output=True, text=True, check=False)
    if "0 sent now" not in again.stdout:
        return f"a second publish sent something: {again.stdout}"
    offline = sorted(map(str, directory.glob("*/wandb/offline-run-*")))
    if offline:
        sync = [sys.executable, "-m", "wandb", "sync", "--yes", *offline]
        subprocess.run(sync, cwd=ROOT, env=here, capture_output=True, check=True)
    return compare(directory, server)


def compare(directory: Path, server: Server) -> str:
    """`equal` if the server holds one run per seed with each row of the records once, in order."""
    import json

    runs = sorted(directory.glob("*/seed-*"))
    for run in runs:
        held = server.runs.get(json.loads((run / "tracking.json").read_text())["id"])
        if held is None:
            return f"{run.name} is not there"
        rows = [known(row) for row in Tail(run / METRICS_FILE).new()]
        got = [{key: value for key, value in row.items() if key[0] != "_" and key != "seconds"} for row in held.rows]
        if got != rows or [row["_step"] for row in held.rows] != list(range(len(rows))):
            return f"{run.name} differs: {len(got)} rows there, {len(rows)} in the records"
        if held.summary.get("status") != "done" or held.exit_code != 0:
            return f"{run.name}: status {held.summary.get('status')}, exit code {held.exit_code}"
    return "equal"


def leaked(directory: Path, server: Server) -> list[str]:
    """Files (and the server's bodies) that hold the key or the secret."""
    found = [str(path) for path in directory.rglob("*") if path.is_file() and not path.is_symlink()
             if any(word.encode() in path.read_bytes() for word in (KEY, SECRET))]  # fmt: skip
    return found + ["the server"] * any(word.encode() in server.bodies for word in (KEY, SECRET))


def main(steps: int = 20_000, names: str = "") -> None:
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    off = Fault("off", [])
    try:
        print(f"ten seeds, {steps:,} steps each")
        with Server() as server:
            base = train(directory / "off", steps, off, server)
        failures = 0
        for number, fault in enumerate(fault for fault in FAULTS if names in fault.name):
            with Server() as server:
                result = train(directory / f"{number}", steps, fault, server)
                same = same_records(directory / "off", directory / f"{number}")
                mended = "-" if "tensorboard" in str(fault.overrides) else mend(directory / f"{number}", fault, server)
                leaks = leaked(directory / f"{number}", server)
            fine = same and result.status == 0 and result.returned < 15 and not leaks and mended in ("-", "equal")
            failures += not fine
            mark, records = "ok  " if fine else "FAIL", "same" if same else "DIFFER"
            print(
                f"{mark} {fault.name:32} training {result.seconds:5.1f} s, ended after {result.returned:4.1f} s "
                f"(untracked {base.seconds:.1f} and {base.returned:.1f}), exit {result.status}, records {records}, "
                f"after publish: {mended}{f', LEAKED {leaks}' if leaks else ''}",
                flush=True,
            )
            for line in result.said:
                print(f"       {line}", flush=True)
            shutil.rmtree(directory / f"{number}")
        sys.exit(failures > 0)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*(int(a) if a.isdecimal() else a for a in sys.argv[1:]))  # type: ignore[arg-type]
