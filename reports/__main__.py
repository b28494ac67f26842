"""python -m reports DIR [DIR...] --out FIGURES: figures, tables and a page from the records of runs."""

import argparse
import sys
from pathlib import Path

from pgbench.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; the exit status is 2 after an error of the user's."""
    options = parser().parse_args(arguments)
    # Only now: these take seconds to import, and --help should not.
    from reports.data import load_data
    from reports.page import write

    try:
        data = load_data(options.directories, options.published, dict(options.threshold))
        sentences = write(data, options.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, sentence in sentences.items():
        print(f"{name}: {sentence}")
    print(f"Figures, summary.md, summary.csv and index.html are in {options.out}")
    if options.wandb:
        from reports.share import share

        return share(options.out, options.directories)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m reports", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("directories", nargs="+", metavar="DIR", help="directory with runs below it (an output_dir)")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="FIGURES", help="default: figures")
    parser.add_argument(
        "--published",
        action="store_true",
        help="lay published training returns of the same environment and algorithm over ours",
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
