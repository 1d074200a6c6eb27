"""The type of a NumPy array of any shape and number format."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
