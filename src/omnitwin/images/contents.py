"""Tell what the ink that is left of a page may be besides one drawing: text, several drawings, dirt.

    contents(Marks(ink_HW > INKED))  # ("text",), facts of reports.pages

H x W pixels, M marks
"""

import numpy as np

from omnitwin.images.strokes import Marks, boxes_of
from omnitwin.metrics.arrays import Array
from omnitwin.reports.pages import DIRT, SEVERAL, TEXT

GLYPHS, WORD_ASPECT = 4, 1.7  # a word has so many marks side by side, and is so much wider than high
LIKE = 0.35  # of the highest glyph: all others of a word are as high at least
MANY_MARKS = 25  # more than a character has: a page of text
SCATTERED_MARKS, SCATTERED = 5, 0.05  # so many marks whose boxes cover so small a share of the box around all
FAR = 0.8  # of the larger part's longer side: parts further apart are two drawings
ALIKE = 0.5  # of the larger part: the smaller one is as large, or belongs to it
DOT = 3.0  # times the pen: a smaller part is a dot


def contents(marks: Marks) -> tuple[str, ...]:
    """Return what was found besides one drawing, mostly nothing."""
    box_M4 = boxes_of(marks.part_hw)
    if len(box_M4) < 2:
        return ()
    covered = float((box_M4[:, 2] * box_M4[:, 3]).sum()) / marks.part_hw.size
    if len(box_M4) >= SCATTERED_MARKS and covered < SCATTERED:
        return (DIRT,)
    if len(box_M4) >= MANY_MARKS or _is_word(marks.part_hw):
        return (TEXT,)
    pen = marks.width(0.5)
    for axis in (0, 1):
        if _is_parted(marks.part_hw, axis, pen):
            return (SEVERAL,)
    return ()


def _runs(inked_L: Array) -> Array:
    """Return starts and ends of the inked stretches, (R, 2)."""
    bounds = np.flatnonzero(np.diff(np.pad(inked_L.astype(np.int8), 1)))
    return bounds.reshape(-1, 2)


def _is_word(marked_HW: Array) -> bool:
    """Return whether marks of about the same height stand side by side."""
    height, width = marked_HW.shape
    if width < WORD_ASPECT * height:
        return False
    runs_R2 = _runs(np.asarray(marked_HW.any(0)))
    if len(runs_R2) < GLYPHS:
        return False
    heights = [np.ptp(np.flatnonzero(marked_HW[:, start:end].any(1))) + 1 for start, end in runs_R2]
    return sum(bool(high >= LIKE * height) for high in heights) >= GLYPHS


def _is_parted(marked_HW: Array, axis: int, pen: float) -> bool:
    """Return whether a wide gap divides the ink into parts that are drawings both."""
    runs_R2 = _runs(np.asarray(marked_HW.any(axis)))
    if len(runs_R2) < 2:
        return False
    gaps = runs_R2[1:, 0] - runs_R2[:-1, 1]
    widest = int(np.argmax(gaps))
    middle = int(runs_R2[widest, 1])
    parts = (marked_HW[:, :middle], marked_HW[:, middle:]) if axis == 0 else (marked_HW[:middle], marked_HW[middle:])
    sizes = [Marks(part).extent for part in parts]
    return min(sizes) >= max(DOT * pen, ALIKE * max(sizes)) and int(gaps[widest]) >= FAR * max(sizes)
