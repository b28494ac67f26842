"""The one error a user can cause."""


class UserError(Exception):
    """What was wrong, where, what is allowed and what to do, in one line. Commands print it and exit with status 2."""
