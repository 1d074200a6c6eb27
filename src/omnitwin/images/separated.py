"""The ink of a page, with and without marks that are no part of its drawing.

H x W pixels; ink from 0 for paper to 1
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from omnitwin.images.strokes import INKED, WINDOW, Marks
from omnitwin.metrics.arrays import Array

LEAST_LEFT = 0.03  # of the page's longer side: nothing but scraps is left if no mark is as long


@dataclass(frozen=True, eq=False)
class Separated:
    """The ink of the drawing, what was left out in words, and facts about what was found (reports.pages)."""

    ink_HW: Array
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @cached_property
    def marks(self) -> Marks:
        return Marks(self.ink_HW > INKED)


def is_something(kept_HW: Array) -> bool:
    """Return whether any ink is left that could be a drawing, and not scraps of lines."""
    outlines, _ = cv2.findContours(kept_HW.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    least = LEAST_LEFT * max(kept_HW.shape)
    return any(max(cv2.boundingRect(outline)[2:]) >= least for outline in outlines)


def only(ink_HW: Array, marked_HW: Array, kept_HW: Array) -> Array:
    """Return the ink without marks that are not kept, and without their soft edges."""
    gone = cv2.dilate((marked_HW & ~kept_HW).view(np.uint8), WINDOW).view(bool)
    near = cv2.dilate(kept_HW.view(np.uint8), WINDOW).view(bool)
    only_HW: Array = np.where((gone & ~kept_HW) & ~(near & ~marked_HW), 0, ink_HW).astype(ink_HW.dtype)
    return only_HW
