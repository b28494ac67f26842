"""Numbers and names as people read them."""

import math
from collections.abc import Sequence
from typing import Any

from reports.statistics import Interval

NONE = "–"


def steps(value: float) -> str:
    """50000 -> 50k, 1.5e6 -> 1.5M; four digits."""
    if not math.isfinite(value):
        return "never" if value > 0 else NONE
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{name}"
    return f"{value:.4g}"


def number(value: float) -> str:
    """A return: one decimal, or three digits below ten."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def interval(value: Any, ends: Interval, form: Any = number) -> str:
    """`485.2 [479.1, 490.0]`; the value alone where there is no interval."""
    low, high = float(ends.low), float(ends.high)
    single = math.isnan(low) or (math.isinf(low) and (low == high or math.isinf(high)))
    return form(float(value)) if single else f"{form(float(value))} [{form(low)}, {form(high)}]"


def short(name: str, most: int = 40) -> str:
    """A name of at most `most` characters, without its middle if it is longer: both ends tell names apart."""
    if len(name) <= most:
        return name
    head = (most - 1) * 3 // 5
    return f"{name[:head].rstrip()}…{name[len(name) - (most - 1 - head) :].lstrip()}"


def shorten(names: Sequence[str], most: int = 40) -> list[str]:
    """Short names, still different from each other where the names are."""
    cut = [short(name, most) for name in names]
    place = {name: k for k, name in enumerate(dict.fromkeys(names), 1)}
    clash = {one for one in cut if len({n for n, c in zip(names, cut, strict=True) if c == one}) > 1}
    return [f"{c} #{place[n]}" if c in clash else c for n, c in zip(names, cut, strict=True)]


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"
