"""What a figure's function gives back."""

from typing import NamedTuple

from matplotlib.figure import Figure


class Drawing(NamedTuple):
    figure: Figure
    sentence: str
    """what the figure shows, in numbers and intervals computed from the records"""
