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
    return (SEVERAL,) if _are_several(box_M4, marks.width(0.5)) else ()


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


def _are_several(box_M4: Array, pen: float) -> bool:
    """Return whether wide gaps divide the marks into two parts or more that are drawings all, however they lie.

    Marks with less than a gap between them make a part, for each gap that there is. box_M4: left, top, width, height
    """
    start_M2, end_M2 = box_M4[:, :2], box_M4[:, :2] + box_M4[:, 2:]
    apart_MM2 = np.maximum(start_M2[:, None] - end_M2[None], start_M2[None] - end_M2[:, None])
    gap_MM = apart_MM2.max(-1)
    for gap in sorted(set(gap_MM[gap_MM > DOT].tolist()), reverse=True):
        part_M = _linked(gap_MM < gap)
        sizes = [
            int((end_M2[part_M == part].max(0) - start_M2[part_M == part].min(0)).max()) for part in np.unique(part_M)
        ]
        drawings = sum(size >= max(DOT * pen, ALIKE * max(sizes)) for size in sizes)
        if drawings > 1 and gap >= FAR * max(sizes):
            return True
    return False


def _linked(near_MM: Array) -> Array:
    """Return the part of each mark, (M,): the lowest number of a mark that near ones lead to."""
    part_M = np.arange(len(near_MM))
    while True:
        lowest_M = np.where(near_MM, part_M, len(part_M)).min(1)
        if (lowest_M == part_M).all():
            return part_M
        part_M = lowest_M
