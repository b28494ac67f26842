"""Final return against the step size of each algorithm: the slides' question whether it is hard to choose."""

from reports.figures.sensitivity import step_sizes as draw

__all__ = ["draw"]
