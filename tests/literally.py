"""Runs command lines of documents as they stand, and quickly.

What the commands import is imported once; each then runs in a fork, as `python -m` would run it. What is not Python is
given to a shell. The first that fails ends it.
"""

import glob
import os
import re
import runpy
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def follow(lines: Iterable[str], directory: Path) -> str:
    """Runs lines in a directory that has `examples/`, with fewer steps; gives what they print."""
    (directory / "examples").symlink_to(ROOT / "examples")
    output = directory / "output.txt"
    with output.open("w") as file:
        done = subprocess.run(
            [sys.executable, __file__],
            input="\n".join(map(shorter, lines)),
            cwd=directory,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )
    text = output.read_text()
    assert done.returncode == 0, text[-3000:]
    return text


def shorter(text: str) -> str:
    return re.sub(r"total_steps([=:] ?)\d+", r"total_steps\g<1>4200", text)


def run(line: str) -> int:
    """Runs one line; gives its exit status."""
    found = re.fullmatch(r"(?:PYTHONPATH=(\S+) )?python -m (\S+)(.*)", line)
    if not found:
        return subprocess.run(line, shell=True, check=False).returncode
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    path, module, rest = found.groups()
    if path:
        sys.path.insert(1, path)
        os.environ["PYTHONPATH"] += f":{path}"
    sys.argv = [module, *(one for word in shlex.split(rest) for one in sorted(glob.glob(word)) or [word])]
    status: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        status = error.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0 if status is None else 1)


def main() -> int:
    sys.path[:1] = [str(Path.cwd()), str(ROOT)]  # as `python -m` does, and as an installed pgbench is found
    os.environ["PYTHONPATH"] = str(ROOT)  # the same for the processes that commands start
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    import sweeps.driver  # noqa: F401

    for line in sys.stdin.read().splitlines():
        print(f"$ {line}", flush=True)
        before, began = os.times(), time.perf_counter()
        status = run(line)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        print(f"({spent:.1f} s of processor time in {time.perf_counter() - began:.1f} s)", flush=True)
        if status:
            print(f"exit status {status}: {line}", flush=True)
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
