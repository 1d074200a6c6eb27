"""The width of a drawing's strokes: measured, and brought near what a network knows if the pen is far too fine.

thickened(ink_HW)  # ink from 0 for paper to 1, (H, W) float32
"""

import math

import cv2
import numpy as np

from omnitwin.metrics.arrays import Array

HAIRLINE = 0.014  # of the drawing's longer side: a finer stroke vanishes when the drawing is scaled down
FINEST = 0.2  # pixels of what the network sees; for pictures not scaled down to be read, where a pen of one is usual
MOST_HAIRLINES = 12  # times the longer side: strokes of a drawing are hardly longer in all
USUAL = 0.035  # of the drawing's longer side: a pen of Omniglot
THIN = 0.7  # of the pen's width: a line thinner than this is no stroke of this pen
INKED = 0.15  # of full ink, from which on a pixel belongs to a stroke


def middles(marked_HW: Array) -> tuple[Array, Array]:
    """Return the middles of strokes, (H, W) bool, and for each pixel its distance to paper."""
    depth_HW = cv2.distanceTransform(np.pad(marked_HW.astype(np.uint8), 1), cv2.DIST_L2, 3)
    middle_HW = (depth_HW > 0) & (depth_HW >= cv2.dilate(depth_HW, np.ones((3, 3), np.uint8)) - 1e-3)
    return middle_HW[1:-1, 1:-1], depth_HW[1:-1, 1:-1]


def pen_width(marked_HW: Array) -> float:
    """Return the width in pixels that half of the ink is narrower than; 1 at least."""
    middle_HW, depth_HW = middles(marked_HW)
    return width_of(depth_HW[middle_HW], 0.5)


def width_of(depth_N: Array, share: float) -> float:
    """Return the width in pixels that a share of the ink is narrower than; 1 at least. depth_N: of the middles"""
    if not len(depth_N):
        return 1.0
    depth_N = np.sort(depth_N)
    area_N = np.cumsum(depth_N)
    return max(1.0, 2 * float(depth_N[np.searchsorted(area_N, share * area_N[-1])]) - 1)


def pen_of(ink_HW: Array) -> tuple[float, float, float]:
    """Return what a pen leaves: the width of its strokes, and how little that varies.

    Three logarithms: of the median width as a share of the drawing's longer side; of the width that 97 % of the ink is
    narrower than, over the median; of the 90 % width over the 25 % width. Areas of things are wide and uneven.
    """
    marked_HW = ink_HW > INKED
    middle_HW, depth_HW = middles(marked_HW)
    depth_N = depth_HW[middle_HW]
    fine, median, coarse, widest = (width_of(depth_N, share) for share in (0.25, 0.5, 0.9, 0.97))
    return math.log(median / max(1, extent(marked_HW))), math.log(widest / median), math.log(coarse / fine)


def extent(marked_HW: Array) -> int:
    """Return the longer side of the box around marks, in pixels."""
    sides = [np.flatnonzero(marked_HW.any(axis)) for axis in (0, 1)]
    return max((int(side[-1] - side[0]) + 1 for side in sides if len(side)), default=0)


def is_hairline(ink_HW: Array, factor: int, seen: int) -> bool:
    """Return whether the strokes are far finer than a pen's, for the size of the drawing.

    factor: by which the picture was scaled down
    seen: pixels of the longer side of what the network sees
    """
    marked_HW = ink_HW > INKED
    longer = extent(marked_HW)
    if int(marked_HW.sum()) > MOST_HAIRLINES * HAIRLINE * longer**2:
        return False
    limit = longer * (HAIRLINE if factor > 1 else FINEST / seen)
    return limit > 1 and pen_width(marked_HW) < limit


def thickened(ink_HW: Array) -> Array:
    """Return a drawing with strokes as wide as a usual pen's."""
    width = max(3, round(USUAL * extent(ink_HW > INKED)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    room = np.pad(ink_HW, width)
    wide_HW: Array = cv2.GaussianBlur(cv2.dilate(room, disc), (3, 3), 0)
    return wide_HW


def darkest(grey_HW: Array, factor: int) -> Array:
    """Return a picture of 1 / factor the size, each pixel the darkest of those it covers: hairlines stay whole."""
    padded_HW = np.pad(grey_HW, [(0, -side % factor) for side in grey_HW.shape], mode="edge")
    high, wide = padded_HW.shape
    parts = padded_HW.reshape(high // factor, factor, wide // factor, factor)
    dark_HW: Array = parts.min((1, 3))
    return dark_HW
