"""Numbers as people read them."""

import math
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
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def interval(value: Any, ends: Interval, form: Any = number) -> str:
    """`485.2 [479.1, 490.0]`; the value alone where there is no interval."""
    low, high = float(ends.low), float(ends.high)
    single = math.isnan(low) or (math.isinf(low) and low == high)
    return form(float(value)) if single else f"{form(float(value))} [{form(low)}, {form(high)}]"
