"""What a figure's function gives back."""

from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure


class Drawing(NamedTuple):
    figure: Figure
    sentence: str
    """what the figure shows, in numbers and intervals computed from the records"""
    note: str = ""
    """how to read it: what is drawn, of how many seeds, with which intervals"""
    table: pd.DataFrame | None = None
    """the numbers that are drawn, with n, the seeds behind each"""
