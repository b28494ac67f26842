"""python -m reports DIR [DIR...] --out FIGURES: figures, tables and a page from the records of runs."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pgbench.errors import UserError
from pgbench.options import at_least
from pgbench.plugins import look_beside, source
from pgbench.terminal import print_anything

LINES = 10
"""The command prints no more than this."""
ENDED = ("done", "diverged", "failed")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; the exit status is 2 after an error of the user's."""
    print_anything()
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["compare"]:
        from reports.compare import main as compare

        return compare(given[1:])
    if given[:1] == ["compact"]:
        from reports.compact import main as compact

        return compact(given[1:])
    options = parser().parse_args(given)
    look_beside(options.config_dir)
    watched = options.watch is not None
    try:
        if watched:
            watch(options, given)
        else:
            draw(options, given)
    except UserError as error:
        print(f"reports: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0 if watched else 130
    if options.wandb:
        from reports.share import share

        return share(options.out, options.directories)
    return 0


def draw(options: argparse.Namespace, given: Sequence[str]) -> None:
    """One report, and what it says in a few lines."""
    from reports.fresh import fingerprint, recall, remember
    from reports.manifest import command_line
    from reports.normalization import load_bounds

    command = command_line(given)
    read = [str(load_bounds(options.normalize))] if options.normalize else []
    read += [source(name.partition(":")[0]).decode(errors="replace") for name in options.figure]
    mark = fingerprint(options.directories, command, read)
    lines = recall(options.directories, options.out, mark)
    if lines is not None:
        lines = [*lines[: LINES - 1], f"Nothing has changed since the report in {options.out} was drawn"]
    else:
        lines, files = _draw(options, command)
        remember(options.directories, options.out, mark, lines, files)
    print("\n".join(lines), flush=True)


def _draw(options: argparse.Namespace, command: str) -> tuple[list[str], list[str]]:
    """Writes the report; the lines to print, and the files."""
    # Only now: these take seconds to import, and --help should not.
    from reports.assemble import load_data
    from reports.figures import own_figure
    from reports.load import summarise
    from reports.page import Options, write
    from reports.style import LOOKS, PAPERS

    data = load_data(
        options.directories,
        options.published,
        dict(options.threshold),
        metric=options.metric,
        x=options.x,
        evaluations=options.evaluations,
        normalize=options.normalize,
        track=progress("reading runs"),
    )
    look = PAPERS[options.paper, options.columns] if options.paper else LOOKS[options.style]
    own = dict(own_figure(name) for name in options.figure)
    report = write(data, options.out, Options(look, command, own, options.watch), progress("drawing"))
    for problem in summarise(list(data.problems)):
        print(f"warning: {problem}", file=sys.stderr)
    end = f"{len(report.sentences)} figures, tables and index.html are in {options.out}"
    return [*report.summary[: LINES - 1], end], list(report.files)


def watch(options: argparse.Namespace, given: Sequence[str]) -> None:
    """Draws again whenever the records have changed, until all runs have ended or ctrl-C.

    The last page no longer reloads itself. A search proposes more runs when some have ended: it is watched until
    ctrl-C.
    """
    from pgbench.runs.find import find_runs, roots
    from pgbench.runs.records import read_status
    from reports.search import is_search

    seen: Any = None
    seconds, more = options.watch, any(map(is_search, roots(options.directories)))
    while True:
        runs = find_runs(options.directories)
        stamp = [_stamp(run) for run in runs]
        if stamp != seen:
            seen = stamp
            over = not more and all(read_status(run)["status"] in ENDED for run in runs)
            options.watch = None if over else seconds
            draw(options, given)
            if over:
                return
        time.sleep(seconds)


def _stamp(run: Path) -> tuple[Any, ...]:
    found = []
    for name in ("", "metrics.csv", "status.json", "evaluations.csv"):
        try:
            info = (run / name if name else run).stat()
            found.append((info.st_size, info.st_mtime_ns))
        except OSError:
            found.append((0, 0))
    return run, *found


def progress(what: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    """A bar on a terminal's stderr, nothing elsewhere."""

    def track(items: Sequence[Any]) -> Iterable[Any]:
        if not sys.stderr.isatty():
            return items
        from rich.console import Console
        from rich.progress import track as bar

        return bar(items, what, console=Console(stderr=True), transient=True)

    return track


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        "python -m reports",
        description=(__doc__ or "").partition(": ")[2],
        epilog="`python -m reports compare A B` compares two sets of runs, `python -m reports compact "
        "DIR --out OUT` keeps what a publication needs; see their --help.",
    )
    parser.add_argument("directories", nargs="+", metavar="DIR", help="directory with runs below it (an output_dir)")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="FIGURES", help="default: figures")
    parser.add_argument("--metric", default="episode_return", help="recorded metric of the learning curves, e.g. kl")
    parser.add_argument("--x", default="env_steps", choices=("env_steps", "seconds"), help="what curves run against")
    parser.add_argument("--evaluations", action="store_true", help="draw evaluations of policies (evaluations.csv) too")
    parser.add_argument(
        "--published",
        action="store_true",
        help="lay published returns of the same environment, algorithm and protocol over ours",
    )
    parser.add_argument(
        "--threshold",
        type=_threshold,
        action="append",
        default=[],
        metavar="[ENV=]RETURN",
        help="return that counts as solved, for all environments or the one of this Gymnasium id; "
        "repeatable (default: Gymnasium's reward_threshold)",
    )
    parser.add_argument("--wandb", action="store_true", help="log figures and tables to Weights & Biases too")
    parser.add_argument(
        "--normalize", type=Path, metavar="FILE", help="more tasks' bounds of normalised scores (YAML, see docs)"
    )
    parser.add_argument("--style", default="paper", choices=("paper", "talk", "dark"), help="look of figures")
    parser.add_argument(
        "--paper",
        choices=("neurips", "icml"),
        help="fonts, sizes and widths of a venue; no footnotes in figures, captions go to caption.tex",
    )
    parser.add_argument("--columns", type=int, default=1, choices=(1, 2), help="columns a paper's figure spans")
    parser.add_argument(
        "--figure",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="draw a figure of your own too; repeatable (see docs/howto/figure.md)",
    )
    parser.add_argument(
        "--config-dir", action="append", default=[], metavar="DIR", help="a module of your own is found beside it"
    )
    parser.add_argument(
        "--watch",
        nargs="?",
        type=at_least(1),
        const=30,
        metavar="SECONDS",
        help="draw again while records grow, looking every SECONDS (default 30); the page reloads itself",
    )
    return parser


def _threshold(argument: str) -> tuple[str | None, float]:
    env, _, level = argument.rpartition("=")
    try:
        return env or None, float(level)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"got '{argument}', write a number or ENV=number, e.g. CartPole-v1=475"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
