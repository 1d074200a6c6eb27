"""Find lines that are no part of a drawing: ruled and squared paper, forms, boxes, lines under or across.

A line is foreign if it is straight as a ruler makes it, and runs from edge to edge of the page, or is one side of a box
around the drawing, or is much thinner than the pen, as long as the drawing, and nearly along a side of the page.
Strokes that cross it stay.

H x W pixels, N points, T places along a line, K places across it
"""

from dataclasses import dataclass

import cv2
import numpy as np

from omnitwin.images.separated import Separated, is_something, only
from omnitwin.images.strokes import THIN, Marks
from omnitwin.metrics.arrays import Array
from omnitwin.reports.pages import EMPTY_FORM

LINES = "ruled or printed lines were left out"
BOX = "a box around the drawing was left out"

LEAST_LINE = 0.28  # of the page's shorter side: a shorter line is not looked for
GAP = 0.04  # of the longer side: a line may be interrupted for as long, where a stroke crosses it
NEAR_EDGE = 0.035  # of the longer side: a line that comes so near runs to the edge
SUPPORT = 0.75  # share of its length that is inked
WIDEST = 0.03  # of the longer side: a wider line is a bar, and may be drawn
CLEAR = 0.4  # share of its length over which nothing touches a line
STRAIGHT = 0.45  # pixels: deviation of its middle from a straight line, where nothing touches it
AT_LEAST_THINNER = 2.0  # pixels: widths of one and two pixels are the same pen, drawn slanted
SLANT = 0.26  # sine of the largest angle to a side of the page of a thin line: 15 degrees, a page held crooked
AS_LONG = 0.8  # of the drawing's longer side
MEET = 0.03  # of the longer side: lines whose ends are as near make a corner
TOUCH = 2.5  # pixels: a line whose end is so near another touches it
LOOKED = 14  # pixels on either side of a line in which its width is looked for
MOST_LINES = 120


@dataclass(frozen=True, eq=False)
class _Line:
    """A straight line: a point on it, its direction, and first and last place along it, in pixels.

    width, support: in pixels; share of its length that is inked

    ends: distance of each end from the edge of the page, in pixels
    clear: share of its length over which nothing touches it
    straight: deviation of its middle, in pixels
    """

    point_2: Array
    along_2: Array
    first: float
    last: float
    width: float
    support: float
    clear: float
    straight: float
    ends: tuple[float, float]

    @property
    def length(self) -> float:
        return self.last - self.first

    @property
    def slant(self) -> float:
        """The sine of its angle to the nearer side of the page."""
        return float(np.abs(self.along_2).min())

    @property
    def tips(self) -> tuple[Array, Array]:
        return self.point_2 + self.first * self.along_2, self.point_2 + self.last * self.along_2


def without_lines(found: Separated) -> Separated:
    """Return the ink without foreign lines; no ink, and the finding, if nothing else is there."""
    lines = _lines(found.marks)
    return _without_lines(found, found.marks.marked_HW, lines) if lines else found


def _lines(marks: Marks) -> list[_Line]:
    """Return the long straight lines of a page."""
    marked_HW = marks.marked_HW
    longer, shorter = max(marked_HW.shape), min(marked_HW.shape)
    least = max(12, LEAST_LINE * shorter)
    votes = int(0.6 * least)
    lines: list[_Line] = []
    if marks.extent < least - 1 or len(marks.depth_N) < votes:  # too small or too little for any
        return lines
    right, bottom = marks.box[2:]
    found = cv2.HoughLinesP(
        marks.middle_HW()[:bottom, :right], 1, np.pi / 360, votes, minLineLength=least, maxLineGap=max(5, GAP * longer)
    )
    if found is None:
        return lines
    point_N2 = marks.point_N2
    segments = found.reshape(-1, 4).astype(float)
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    for segment in segments[np.argsort(-lengths, kind="stable")][: 4 * MOST_LINES]:
        if any(_lies_on(segment, line) for line in lines):
            continue
        line = _refined(segment, point_N2, marked_HW)
        if line is not None and line.length >= least and line.support >= SUPPORT:
            lines.append(line)
        if len(lines) == MOST_LINES:
            break
    return lines


def _lies_on(segment: Array, line: _Line) -> bool:
    apart_22 = segment.reshape(2, 2) - line.point_2
    across_2 = np.abs(apart_22 @ np.array([-line.along_2[1], line.along_2[0]]))
    place_2 = apart_22 @ line.along_2
    overlaps = float(place_2.min()) <= line.last + 3 and float(place_2.max()) >= line.first - 3
    return bool(across_2.max() <= 2.5 + line.width / 2) and overlaps


def _refined(segment: Array, point_N2: Array, marked_HW: Array) -> _Line | None:
    """Return the line that a segment is part of, or None."""
    start_2, end_2 = segment[:2], segment[2:]
    along_2 = (end_2 - start_2) / max(1e-9, float(np.hypot(*(end_2 - start_2))))
    for _ in range(2):
        across_2 = np.array([-along_2[1], along_2[0]])
        apart_N2 = point_N2 - start_2
        place_N, offset_N = apart_N2 @ along_2, apart_N2 @ across_2
        near = (np.abs(offset_N) < 1.8) & (place_N > -3) & (place_N < float((end_2 - start_2) @ along_2) + 3)
        if near.sum() < 8:
            return None
        slope, shift = np.polyfit(place_N[near], offset_N[near], 1)
        start_2 = start_2 + shift * across_2
        along_2 = along_2 + slope * across_2
        along_2 = along_2 / np.hypot(*along_2)
    return _measured(start_2, along_2, float((end_2 - start_2) @ along_2), marked_HW)


def _measured(point_2: Array, along_2: Array, length: float, marked_HW: Array) -> _Line | None:
    """Return a line with ends, width and quality, from a point on it, its direction and the length that is known."""
    height, width = marked_HW.shape
    longer = max(height, width)
    place_T = np.arange(-2 * longer, 2 * longer + 1, dtype=float)
    x_T, y_T = (start + place_T * along for start, along in zip(point_2, along_2, strict=True))
    inside = (x_T > -0.5) & (x_T < width - 0.5) & (y_T > -0.5) & (y_T < height - 0.5)
    if np.count_nonzero(inside) < 8:
        return None
    place_T = place_T[inside]
    inked_TK = _across(marked_HW, x_T[inside], y_T[inside], along_2)
    on_T = inked_TK[:, LOOKED - 1] | inked_TK[:, LOOKED] | inked_TK[:, LOOKED + 1]
    first, last = _stretch(place_T, on_T, length, GAP * longer)
    part = (place_T >= first) & (place_T <= last)
    on_t = on_T[part]
    if last - first < 8 or not on_t.any():
        return None
    inked_tK = inked_TK[part & on_T]
    down_t = _run(inked_tK[:, LOOKED:])
    up_t = _run(inked_tK[:, LOOKED::-1])
    wide_t = np.maximum(1, down_t + up_t - inked_tK[:, LOOKED])
    usual = float(np.percentile(wide_t, 35))
    clear_t = wide_t <= usual + 1.5
    middle_t = ((down_t - up_t) / 2)[clear_t]
    return _Line(
        point_2=point_2,
        along_2=along_2,
        first=first,
        last=last,
        width=usual,
        support=float(on_t.mean()),
        clear=float(clear_t.mean()),
        straight=float(middle_t.std()) if len(middle_t) else 9.0,
        ends=(first - float(place_T[0]), float(place_T[-1]) - last),
    )


def _across(marked_HW: Array, x_T: Array, y_T: Array, along_2: Array) -> Array:
    """Return whether the pixels across a line are inked, up to LOOKED of them on either side, (T, K) bool."""
    room = LOOKED + 2  # of paper around the page
    wide = marked_HW.shape[1] + 2 * room
    page = cv2.copyMakeBorder(marked_HW.view(np.uint8), room, room, room, room, cv2.BORDER_CONSTANT).view(bool)
    step_K = np.arange(-LOOKED, LOOKED + 1)
    column_TK = np.rint(x_T[:, None] + step_K * -along_2[1])
    row_TK = np.rint(y_T[:, None] + step_K * along_2[0])
    inked_TK: Array = page.ravel()[((row_TK + room) * wide + column_TK + room).astype(np.intp)]
    return inked_TK


def _stretch(place_T: Array, on_T: Array, length: float, gap: float) -> tuple[float, float]:
    """Return first and last place of the line that holds most of 0 to length, over gaps."""
    on = place_T[on_T]
    if not len(on):
        return 0.0, 0.0
    breaks = np.flatnonzero(np.diff(on) > max(5.0, gap) + 2)
    starts, ends = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [len(on) - 1]])
    covered = [min(on[end], length) - max(on[start], 0) for start, end in zip(starts, ends, strict=True)]
    best = int(np.argmax(covered))
    return float(on[starts[best]]), float(on[ends[best]])


def _run(inked_tK: Array) -> Array:
    """Return how many pixels from the first on are inked, (t,)."""
    return np.asarray(np.logical_and.accumulate(inked_tK, axis=1).sum(1))


def _without_lines(found: Separated, marked_HW: Array, lines: list[_Line]) -> Separated:
    longer = max(marked_HW.shape)
    ruled = [line for line in lines if _is_ruled(line, longer)]
    left_HW = _erased(marked_HW, ruled)
    others = [line for line in lines if line not in ruled]
    box = _box(others, MEET * longer)
    thin = [line for line in others if line not in box and _is_thin(line, _erased(left_HW, [*box, line]))]
    foreign = [*ruled, *box, *thin]
    if not foreign:
        return found
    kept_HW = _erased(marked_HW, foreign)
    if not is_something(kept_HW):
        if len(foreign) == 1:
            return found
        return Separated(np.zeros_like(found.ink_HW), (), (EMPTY_FORM,))
    notes = ((LINES,) if ruled or thin else ()) + ((BOX,) if box else ())
    return Separated(only(found.ink_HW, marked_HW, kept_HW), notes)


def _is_ruled(line: _Line, longer: int) -> bool:
    """Return whether a line runs from edge to edge of the page."""
    to_edges = max(line.ends) <= max(3.0, NEAR_EDGE * longer)
    return to_edges and line.width <= WIDEST * longer and line.clear >= CLEAR and line.straight <= STRAIGHT + 0.3


def _is_thin(line: _Line, rest_HW: Array) -> bool:
    """Return whether a line is as long as the rest of the ink, and no stroke of its pen."""
    if not is_something(rest_HW) or line.straight > STRAIGHT or line.clear < CLEAR or line.slant > SLANT:
        return False
    rest = Marks(rest_HW)
    pen = rest.width(0.5)
    thinner = line.width <= min(THIN * pen, pen - AT_LEAST_THINNER)
    return thinner and line.length >= AS_LONG * rest.extent


def _box(lines: list[_Line], meet: float) -> list[_Line]:
    """Return the lines of a box: two pairs of parallel lines that meet at four corners around some other ink."""
    straight = [line for line in lines if line.straight <= STRAIGHT + 0.3 and line.clear >= 0.6]
    found: list[_Line] = []
    for line in straight:
        touching = [
            other
            for other in straight
            if other is not line
            and abs(float(line.along_2 @ other.along_2)) < 0.1
            and min(float(np.hypot(*(one - two))) for one in line.tips for two in other.tips) <= max(4.0, meet)
        ]
        if len(touching) >= 2:
            found.append(line)
    if len(found) < 4:
        return []
    return found + [line for line in straight if line not in found and _divides(line, found)]


def _divides(line: _Line, box: list[_Line]) -> bool:
    """Return whether a line runs from one side of a box to another, as between the cells of a form."""
    sides = [other for other in box if abs(float(line.along_2 @ other.along_2)) < 0.1]
    return all(any(_touches(tip, side) for side in sides) for tip in line.tips)


def _touches(point_2: Array, line: _Line) -> bool:
    apart_2 = point_2 - line.point_2
    place, across = float(apart_2 @ line.along_2), float(apart_2 @ np.array([-line.along_2[1], line.along_2[0]]))
    near = TOUCH + line.width / 2
    return abs(across) <= near and line.first - near <= place <= line.last + near


def _erased(marked_HW: Array, lines: list[_Line]) -> Array:
    """Return marks without lines; strokes that cross a line stay."""
    if not lines:
        return marked_HW
    band_HW = np.zeros(marked_HW.shape, np.uint8)
    widest = 0
    steep = flat = False
    for line in lines:
        thick = max(3, int(np.ceil(line.width)) + 2)
        start, end = (
            [round(float(value)) for value in tip + sign * 2 * line.along_2]
            for tip, sign in zip(line.tips, (-1, 1), strict=True)
        )
        cv2.line(band_HW, start, end, 1, thick)
        widest = max(widest, thick)
        steep, flat = steep or abs(line.along_2[1]) > 0.5, flat or abs(line.along_2[0]) > 0.5
    rest_HW = (marked_HW & (band_HW == 0)).view(np.uint8)
    reach = widest + 3
    kept_HW: Array = rest_HW.view(bool)
    room = reach + 2
    padded = cv2.copyMakeBorder(rest_HW, room, room, room, room, cv2.BORDER_CONSTANT)
    for wanted, shape in ((flat, (3, reach)), (steep, (reach, 3))):
        if wanted:
            closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones(shape[::-1], np.uint8))[room:-room, room:-room]
            kept_HW = kept_HW | (closed.astype(bool) & marked_HW)
    return kept_HW
