"""The one error a user can cause, and what helps to write it."""

import difflib


class UserError(Exception):
    """What was wrong, where, what is allowed and what to do, in one line. Commands print it and exit with status 2."""


def nearest(name: str, allowed: list[str]) -> str:
    """`; did you mean 'x'?` for the allowed name nearest to a wrong one, else nothing."""
    last = {key.rpartition(".")[2]: key for key in reversed(allowed)}
    match = difflib.get_close_matches(name, allowed, 1) or difflib.get_close_matches(
        name.rpartition(".")[2], list(last), 1
    )
    return f"; did you mean '{last.get(match[0], match[0])}'?" if match else ""
