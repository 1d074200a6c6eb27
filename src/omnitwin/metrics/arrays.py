"""The type of a NumPy array of any shape and number format, and arrays as plain numbers for a record."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

DIGITS = 7  # of a number in a record, as many as a float32 has


def rounded(values: Any) -> Any:
    """Return a number, a row of numbers or rows of them, rounded to DIGITS, as plain floats and lists."""
    if np.ndim(values):
        return [rounded(value) for value in values]
    return float(f"{float(values):.{DIGITS}g}")
