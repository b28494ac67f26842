"""`python -m pgbench.play RUN`: watch a policy, in a window where there is a display, else as a film."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pgbench.after.films import Episode, write_film
from pgbench.api import load_policy
from pgbench.commands import add_config_dir, as_command
from pgbench.options import at_least
from pgbench.plugins import look_beside
from pgbench.runs.records import policy_file


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m pgbench.play", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's directory (.../seed-0) or a policy file")
    parser.add_argument("--snapshot", type=int, metavar="N", help="the policy of so many steps (see `snapshots`)")
    parser.add_argument("--video", type=Path, metavar="FILE", help="an .mp4 or .gif; without a display play.gif")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the episode (default: 0)")
    parser.add_argument("--stochastic", action="store_true", help="draw actions (default: the most likely ones)")
    parser.add_argument("--steps", type=at_least(1), metavar="N", help="stop after so many (default: never)")
    add_config_dir(parser)
    return parser


@as_command
def main(arguments: Sequence[str] | None = None) -> None:
    """Plays one episode and says what it returned. Raises UserError."""
    options = parser().parse_args(arguments)
    look_beside(options.config_dir)
    policy = load_policy(options.run if options.snapshot is None else options.run / policy_file(options.snapshot))
    window = options.video is None and bool(os.environ.get("DISPLAY"))
    mode = "human" if window else "rgb_array"
    episode = Episode(policy, options.seed, not options.stochastic, mode, options.steps)
    if window:
        for _ in episode:
            pass
    else:
        video = options.video or Path("play.gif")
        frames = write_film(episode, video)
        print(f"{video}: {frames} frames")
    print(f"return {episode.total:g} in {episode.steps} steps of {policy.env.id}")


if __name__ == "__main__":
    sys.exit(main())
