"""Types of the commands' options."""

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is an integer with a least value."""

    def integer(given: str) -> int:
        value = int(given)
        if value < least:
            raise argparse.ArgumentTypeError(f"got {value}, allowed is at least {least}")
        return value

    return integer
