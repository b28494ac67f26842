"""What a locale can and cannot do: it stops no command, and decides nothing of what is written into files."""

import io
import os
import sys
from pathlib import Path


def print_anything() -> None:
    """Lets a terminal that lacks a character show its escape instead; each command begins with this."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """Prints a long text; a reader that has seen enough (`| head`) may close its end."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its end, too


def typed(text: str) -> str:
    """An argument whose bytes the locale could not read, as the UTF-8 that it is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(sys.getfilesystemencoding(), "surrogateescape").decode("utf-8", "replace")
    return text


def path_of(text: str) -> Path:
    """The path that a text names, `~` expanded; in UTF-8 where the locale has no such characters."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text = os.fsdecode(text.encode())
    return Path(text).expanduser()
