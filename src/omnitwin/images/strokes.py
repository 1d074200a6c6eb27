"""The width of a drawing's strokes: measured, and brought near what a network knows if the pen is far too fine.

    Marks(ink_HW > INKED).width(0.5)  # pixels
    thickened(ink_HW)                 # ink from 0 for paper to 1, (H, W) float32

H x W pixels of a page, h x w of the box around its marks, N middles of strokes
"""

import math
from functools import cached_property

import cv2
import numpy as np

from omnitwin.metrics.arrays import Array

HAIRLINE = 0.014  # of the drawing's longer side: a finer stroke vanishes when the drawing is scaled down
FINEST = 0.2  # pixels of what the network sees; for pictures not scaled down to be read, where a pen of one is usual
MOST_HAIRLINES = 12  # times the longer side: strokes of a drawing are hardly longer in all
USUAL = 0.035  # of the drawing's longer side: a pen of Omniglot
THIN = 0.7  # of the pen's width: a line thinner than this is no stroke of this pen
INKED = 0.15  # of full ink, from which on a pixel belongs to a stroke
LANES = 16  # pixels that OpenCV takes at a time: a page and a part of it that starts with such round the same
WINDOW = np.ones((3, 3), np.uint8)  # a pixel and those around it


class Marks:
    """The marked pixels of a page, (H, W) bool, and what is measured of them: each once, in the box around them.

    Reading a page asks several times for the middles of the same strokes, which cost more than all else of a drawing.
    """

    def __init__(self, marked_HW: Array) -> None:
        self.marked_HW = marked_HW
        left, top, width, height = cv2.boundingRect(marked_HW.view(np.uint8))
        self.box: tuple[int, int, int, int] = (left, top, left + width, top + height)  # zeros if nothing is marked
        self.part_hw = marked_HW[top : top + height, left : left + width]

    def __bool__(self) -> bool:
        return self.box[2] > 0

    @property
    def extent(self) -> int:
        """The longer side of the box around the marks, in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.part_hw))

    @cached_property
    def _middles(self) -> tuple[Array, Array]:
        if not self:
            return self.part_hw, np.zeros(0, np.float32)
        before = 1 + self.box[0] % LANES
        part = cv2.copyMakeBorder(self.part_hw.view(np.uint8), 1, 1, before, 1, cv2.BORDER_CONSTANT)
        depth_hw = cv2.distanceTransform(part, cv2.DIST_L2, 3)
        around_hw = cv2.dilate(depth_hw, WINDOW)
        middle_hw = (depth_hw >= np.subtract(around_hw, 1e-3, out=around_hw))[1:-1, before:-1] & self.part_hw
        return middle_hw, depth_hw[1:-1, before:-1][middle_hw]

    @property
    def depth_N(self) -> Array:
        """The distance of the middles of strokes to paper, row by row."""
        return self._middles[1]

    @cached_property
    def point_N2(self) -> Array:
        """The middles of strokes, x and y in pixels of the page, row by row."""
        row_N, column_N = np.divmod(np.flatnonzero(self._middles[0]), self.part_hw.shape[1])
        return np.stack([column_N + self.box[0], row_N + self.box[1]], axis=1).astype(float)

    def middle_HW(self) -> Array:
        """Return the middles of strokes, (H, W) uint8."""
        left, top, right, bottom = self.box
        middle_HW = np.zeros(self.marked_HW.shape, np.uint8)
        middle_HW[top:bottom, left:right] = self._middles[0]
        return middle_HW

    @cached_property
    def _sorted(self) -> tuple[Array, Array]:
        depth_N = np.sort(self.depth_N)
        return depth_N, np.cumsum(depth_N)

    def width(self, share: float) -> float:
        """Return the width in pixels that a share of the ink is narrower than; 1 at least."""
        depth_N, area_N = self._sorted
        if not len(depth_N):
            return 1.0
        return max(1.0, 2 * float(depth_N[np.searchsorted(area_N, share * area_N[-1])]) - 1)


def pen_width(marked_HW: Array) -> float:
    """Return the width in pixels that half of the ink is narrower than; 1 at least."""
    return Marks(marked_HW).width(0.5)


def boxes_of(marked_HW: Array) -> Array:
    """Return left, top, width and height of the boxes around connected marks, (M, 4) int, in any order."""
    outlines, tree = cv2.findContours(marked_HW.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return np.zeros((0, 4), int)
    outer = np.flatnonzero(tree[0, :, 3] < 0)  # others are outlines of holes
    return np.array([cv2.boundingRect(outlines[place]) for place in outer.tolist()])


def pen_of(marks: Marks) -> tuple[float, float, float]:
    """Return what a pen leaves: the width of its strokes, and how little that varies.

    Three logarithms: of the median width as a share of the drawing's longer side; of the width that 97 % of the ink is
    narrower than, over the median; of the 90 % width over the 25 % width. Areas of things are wide and uneven.
    """
    fine, median, coarse, widest = (marks.width(share) for share in (0.25, 0.5, 0.9, 0.97))
    return math.log(median / max(1, marks.extent)), math.log(widest / median), math.log(coarse / fine)


def is_hairline(marks: Marks, factor: int, seen: int) -> bool:
    """Return whether the strokes are far finer than a pen's, for the size of the drawing.

    factor: by which the picture was scaled down
    seen: pixels of the longer side of what the network sees
    """
    longer = marks.extent
    if marks.area > MOST_HAIRLINES * HAIRLINE * longer**2:
        return False
    limit = longer * (HAIRLINE if factor > 1 else FINEST / seen)
    return limit > 1 and marks.width(0.5) < limit


def thickened(ink_HW: Array) -> Array:
    """Return a drawing with strokes as wide as a usual pen's."""
    width = max(3, round(USUAL * Marks(ink_HW > INKED).extent))
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
