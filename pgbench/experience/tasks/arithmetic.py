"""Arithmetic on arrays that rounds as Gymnasium's on scalars."""

import numpy as np


def square(x: np.ndarray) -> np.ndarray:
    """x**2 as of a NumPy float64 scalar, through the C library's pow. (For arrays, `x**2` multiplies, and `np.power`
    has a vector version of its own.)"""
    squared: np.ndarray = np.float_power(x, 2.0)
    return squared
