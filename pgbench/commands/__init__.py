"""What a person types. What all commands share: a user's mistake is one line on stderr and exit status 2."""

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path

from pgbench.errors import UserError
from pgbench.terminal import print_anything


def fail(error: object) -> None:
    """Tells a mistake."""
    print(f"pgbench: error: {error}", file=sys.stderr, flush=True)


def as_command(main: Callable[[Sequence[str] | None], None]) -> Callable[..., int]:
    """`main(arguments)` as a command: gives its exit status."""

    @wraps(main)
    def command(arguments: Sequence[str] | None = None) -> int:
        print_anything()
        try:
            main(arguments)
        except UserError as error:
            fail(error)
            return 2
        return 0

    return command


def add_config_dir(parser: argparse.ArgumentParser) -> None:
    """The option by which commands over runs find code of one's own."""
    parser.add_argument(
        "--config-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="as it was trained with: code of your own is found beside it",
    )


def in_parallel(work: Callable[..., str], runs: Iterable[Path], n_jobs: int | None, *arguments: object) -> int:
    """Does `work(run, *arguments)` for each run, in processes of one thread each (all cores by default), and prints
    what it says; a run that cannot be done is told, and the others go on. Gives how many those were."""
    from joblib import Parallel, delayed

    failed = 0
    # loky renews a process whose memory has grown, and warns of it.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    found = Parallel(n_jobs or -1, return_as="generator")(delayed(_attempt)(work, run, arguments) for run in runs)
    for done, text in found:
        if done:
            print(text, flush=True)
        else:
            failed += 1
            fail(text)
    return failed


def _attempt(work: Callable[..., str], run: Path, arguments: tuple[object, ...]) -> tuple[bool, str]:
    import torch

    from pgbench.runs.lock import Held

    torch.set_num_threads(1)
    try:
        return True, work(run, *arguments)
    except UserError as error:
        return False, str(error)
    except Held as error:
        return False, f"{run}: is being trained by {error}; try again when it has ended"
    except OSError as error:
        return False, f"{error.filename or run}: {error.strerror}"
    except Exception as error:  # an environment's own, or its author's: the other runs go on
        return False, f"{run}: {type(error).__name__}: {error}"
