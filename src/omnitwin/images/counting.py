"""Take medians and percentiles of grey levels from how often each level occurs: as NumPy does, but without sorting.

    median(counts_of(level_HW))

H x W pixels, L of 256 levels
"""

import math

import cv2
import numpy as np

from omnitwin.metrics.arrays import Array


def counts_of(level_HW: Array, where_HW: Array | None = None) -> Array:
    """Return how often each level (uint8) occurs, (256,) float32: in all pixels, or where a mask (bool) holds."""
    mask = None if where_HW is None else where_HW.view(np.uint8)
    counts_L: Array = cv2.calcHist([level_HW], [0], mask, [256], [0, 256]).ravel()
    return counts_L


def median(count_L: Array) -> float:
    """Return what np.median returns of the levels that were counted; of two in the middle their mean."""
    upto_L = np.cumsum(count_L, dtype=np.float64)
    last = float(upto_L[-1]) - 1
    low, high = np.searchsorted(upto_L, [math.floor(last / 2), math.ceil(last / 2)], side="right").tolist()
    return float((low + high) / 2)


def percentile(count_L: Array, percent: float) -> float:
    """Return what np.percentile returns of the levels that were counted: between two neighbours by their distance."""
    upto_L = np.cumsum(count_L, dtype=np.float64)
    place = (float(upto_L[-1]) - 1) * (percent / 100)
    share = place - math.floor(place)
    low, high = np.searchsorted(upto_L, [math.floor(place), math.ceil(place)], side="right").tolist()
    return float(low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share))
