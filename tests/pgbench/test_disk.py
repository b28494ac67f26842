"""A disk that is full or read-only, too few file descriptors, a clock that jumps: told plainly, nothing lost."""

import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from pgbench.runs.job import run_job
from pgbench.runs.records import read_status, seed_dir

LONG = (
    "algorithm=reinforce",
    "seeds=1",
    "total_steps=100000000",
    "hyperparameters.n_envs=4",
    "hyperparameters.n_steps=16",
)


def mounted(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in a mount namespace of its own, as root there."""
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-ec", script, "sh", *arguments]
    return subprocess.run(unshare, capture_output=True, text=True, timeout=120)


def can_mount() -> bool:
    return shutil.which("unshare") is not None and mounted("mount -t tmpfs none /mnt").returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="needs unprivileged mount namespaces")


@needs_mount
def test_a_full_disk(tmp_path: Path) -> None:
    """What fitted on the disk is there, whole rows; the same command resumes when there is space again."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    done = mounted(
        'mount -t tmpfs -o size=160k none "$1"; d=$1; k=$2; shift 2; set +e; "$@"; s=$?; cp -r "$d" "$k"; exit $s',
        *(str(disk), str(kept), sys.executable, "-m", "pgbench", f"output_dir={disk}", *LONG),
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr
    assert "re-running the same command resumes" in done.stderr
    (run,) = kept.glob("*/seed-0")
    rows = (run / "metrics.csv").read_text().splitlines(keepends=True)
    whole = [row for row in rows if row.endswith("\n")]
    assert len(whole) > 20
    assert len(rows) - len(whole) <= 1
    assert {row.count(",") for row in whole} == {rows[0].count(",")}
    command = [sys.executable, "-m", "pgbench", f"output_dir={kept}", *LONG]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as again:
        deadline = time.monotonic() + 60
        while read_status(run).get("pid") != again.pid or read_status(run).get("iteration", 0) < 10:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        again.terminate()
        assert again.wait(30) == 143
    assert pd.read_csv(run / "metrics.csv")["iteration"].diff().dropna().eq(1).all()


@needs_mount
def test_a_read_only_disk(tmp_path: Path) -> None:
    done = mounted(
        'mount -t tmpfs -o ro none "$1"; shift; "$@"',
        *(str(tmp_path), sys.executable, "-m", "pgbench", f"output_dir={tmp_path}", *LONG),
    )
    assert done.returncode == 2
    assert done.stderr.startswith("pgbench: error: output_dir: cannot write")
    assert "Read-only file system" in done.stderr
    assert done.stderr.count("\n") == 1


def test_too_few_file_descriptors(tmp_path: Path) -> None:
    """Twenty seeds keep eighty files open; a limit below that is told before anything is trained."""
    done = subprocess.run(
        [sys.executable, "-m", "pgbench", f"output_dir={tmp_path}", *LONG, "seeds=20"],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)),
    )
    assert done.returncode == 2
    assert "Too many open files" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_clock_that_jumps_back(small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steady = small("seeds=1", "total_steps=600", f"output_dir={tmp_path}/steady")
    run_job(steady)
    now = time.time()
    clock = iter(now - 1000 * k for k in range(10**6))
    monkeypatch.setattr(time, "time", lambda: next(clock))
    jumping = small("seeds=1", "total_steps=600", "checkpoint_seconds=0", f"output_dir={tmp_path}/jumping")
    assert run_job(jumping) == {0: "done"}
    for name in ("metrics.csv", "episodes.csv"):
        held = [(seed_dir(config.job_dir, 0) / name).read_bytes() for config in (steady, jumping)]
        assert held[0] == held[1]
    assert pd.read_csv(seed_dir(jumping.job_dir, 0) / "times.csv")["seconds"].is_monotonic_increasing
