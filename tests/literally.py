"""Runs command lines of documents as they stand, quickly: `python tests/literally.py < lines`, where they shall run.

What the commands import is imported once; each then runs in a fork, as `python -m` would run it. Anything that is not
Python is given to a shell. Stops at the first that fails, with its exit status.
"""

import glob
import os
import re
import runpy
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(Path.cwd()), str(ROOT)]  # as `python -m` does, and as an installed pgbench is found
os.environ["PYTHONPATH"] = str(ROOT)  # the same for the processes that commands start
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


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


if __name__ == "__main__":
    import pgbench.api  # noqa: F401
    import reports.figures
    import reports.page  # noqa: F401
    import sweeps.driver  # noqa: F401

    for line in sys.stdin.read().splitlines():
        print(f"$ {line}", flush=True)
        began = time.perf_counter()
        status = run(line)
        print(f"({time.perf_counter() - began:.1f} s)", flush=True)
        if status:
            print(f"exit status {status}: {line}", flush=True)
            sys.exit(status)
