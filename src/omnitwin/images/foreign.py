"""Find marks in the ink of a page that are no part of its drawing: ruled lines, forms, boxes, lines across, round stamps.

    found = without_foreign(ink_HW)
    found.ink_HW, found.notes, found.findings

A line is foreign if it is straight as a ruler makes it and either runs from edge to edge of the page, or is one side of a
box around the drawing, or is much thinner than the pen and as long as the drawing. A ring is foreign if it is round as a
compass makes it, and thinner than the pen. Strokes of the drawing that cross a foreign mark stay.

H x W pixels, L lines, N points; ink from 0 for paper to 1
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from omnitwin.images.strokes import middles, pen_width
from omnitwin.metrics.arrays import Array
from omnitwin.reports.pages import EMPTY_FORM, UNSEPARATED

LINES = "ruled or printed lines were left out"
BOX = "a box around the drawing was left out"
STAMP = "a round stamp was left out"

INKED = 0.15  # of full ink, from which on a pixel belongs to a mark
LEAST_LINE = 0.28  # of the page's shorter side: a shorter line is not looked for
GAP = 0.04  # of the longer side: a line may be interrupted for as long, where a stroke crosses it
NEAR_EDGE = 0.035  # of the longer side: a line that comes so near runs to the edge
SUPPORT = 0.75  # share of its length that is inked
WIDEST = 0.03  # of the longer side: a wider line is a bar, and may be drawn
CLEAR = 0.4  # share of its length over which nothing touches a line
STRAIGHT = 0.45  # pixels: deviation of its middle from a straight line, where nothing touches it
THIN = 0.7  # of the pen's width: a line thinner than this is no stroke of this pen
AS_LONG = 0.8  # of the drawing's longer side
MEET = 0.03  # of the longer side: lines whose ends are as near make a corner
LOOKED = 14  # pixels on either side of a line in which its width is looked for
MOST_LINES = 120
LEAST_LEFT = 0.06  # of the page's longer side, squared, times this: less ink than this is nothing
CIRCLES = 800  # tried, through three points each
POINTS = 500  # of the middles of strokes, at most, to which circles are fitted
RADII = (0.07, 0.42)  # of the longer side
ROUND = 1.3  # pixels: deviation from a circle
LEAST_POINTS = 40  # middles of thin strokes: fewer are no ring
LEAST_PEN = 3  # pixels: of a finer pen no ring is told by its width
LEAST_GONE = 0.4  # of its length: as much of a ring is thinner than the pen
RINGS = 3  # a stamp may have two, one inside the other
WHOLE = 0.6  # share of the circle that is inked


@dataclass(frozen=True, eq=False)
class Separated:
    """The ink of the drawing, what was left out in words, and facts about what was found (reports.pages)."""

    ink_HW: Array
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Line:
    """A straight line: a point on it, its direction, first and last place along it, in pixels; its width and how well it is one.

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
    def tips(self) -> tuple[Array, Array]:
        return self.point_2 + self.first * self.along_2, self.point_2 + self.last * self.along_2


def without_foreign(ink_HW: Array) -> Separated:
    """Return the ink of the drawing alone (see above)."""
    marked_HW = ink_HW > INKED
    if not marked_HW.any():
        return Separated(ink_HW)
    lines = _lines(marked_HW)
    found = _without_lines(ink_HW, marked_HW, lines) if lines else Separated(ink_HW)
    for _ in range(RINGS):
        before, found = found, _without_ring(found)
        if found is before:
            break
    return found


# ---- lines


def _lines(marked_HW: Array) -> list[_Line]:
    """Return the long straight lines of a page."""
    ridge_HW, _ = middles(marked_HW)
    longer, shorter = max(ridge_HW.shape), min(ridge_HW.shape)
    least = max(12, LEAST_LINE * shorter)
    found = cv2.HoughLinesP(
        ridge_HW.astype(np.uint8),
        1,
        np.pi / 360,
        int(0.6 * least),
        minLineLength=least,
        maxLineGap=max(5, GAP * longer),
    )
    lines: list[_Line] = []
    if found is None:
        return lines
    point_N2 = np.argwhere(ridge_HW)[:, ::-1].astype(float)
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
    """Return a line with its ends, width and quality, from a point on it, its direction and the length that is known."""
    height, width = marked_HW.shape
    longer = max(height, width)
    place_T = np.arange(-2 * longer, 2 * longer + 1, dtype=float)
    middle_T2 = point_2 + place_T[:, None] * along_2
    inside = ((middle_T2 > -0.5) & (middle_T2 < np.array([width, height]) - 0.5)).all(1)
    if inside.sum() < 8:
        return None
    place_T, middle_T2 = place_T[inside], middle_T2[inside]
    across_2 = np.array([-along_2[1], along_2[0]])
    step_K = np.arange(-LOOKED, LOOKED + 1)
    sample_TK2 = np.rint(middle_T2[:, None] + step_K[None, :, None] * across_2).astype(int)
    within = ((sample_TK2 >= 0) & (sample_TK2 < [width, height])).all(2)
    sample_TK2 = sample_TK2.clip(0, [width - 1, height - 1])
    inked_TK = marked_HW[sample_TK2[..., 1], sample_TK2[..., 0]] & within
    on_T = inked_TK[:, LOOKED - 1 : LOOKED + 2].any(1)
    first, last = _stretch(place_T, on_T, length, GAP * longer)
    part = (place_T >= first) & (place_T <= last)
    on_t = on_T[part]
    if last - first < 8 or not on_t.any():
        return None
    down_t = _run(inked_TK[part][on_t][:, LOOKED:])
    up_t = _run(inked_TK[part][on_t][:, LOOKED::-1])
    wide_t = np.maximum(1, down_t + up_t - (inked_TK[part][on_t][:, LOOKED]))
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


def _without_lines(ink_HW: Array, marked_HW: Array, lines: list[_Line]) -> Separated:
    longer = max(marked_HW.shape)
    ruled = [line for line in lines if _is_ruled(line, longer)]
    left_HW, kept_HW = _erased(marked_HW, ruled), marked_HW
    others = [line for line in lines if line not in ruled]
    box = _box(others, left_HW)
    thin = [line for line in others if line not in box and _is_thin(line, _erased(left_HW, [*box, line]))]
    foreign = [*ruled, *box, *thin]
    if not foreign:
        return Separated(ink_HW)
    kept_HW = _erased(marked_HW, foreign)
    if not _is_something(kept_HW):
        if len(foreign) == 1:
            return Separated(ink_HW)
        return Separated(np.zeros_like(ink_HW), (), (EMPTY_FORM,))
    notes = ((LINES,) if ruled or thin else ()) + ((BOX,) if box else ())
    return Separated(_only(ink_HW, marked_HW, kept_HW), notes)


def _is_something(kept_HW: Array) -> bool:
    """Return whether any ink is left that could be a drawing, and not scraps of lines."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(kept_HW.astype(np.uint8), connectivity=8)
    least = LEAST_LEFT * max(kept_HW.shape)
    return count > 1 and bool((stats[1:, 2:4].max(1) >= least).any())


def _only(ink_HW: Array, marked_HW: Array, kept_HW: Array) -> Array:
    """Return the ink without marks that are not kept, and without their soft edges."""
    gone = cv2.dilate((marked_HW & ~kept_HW).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    near = cv2.dilate(kept_HW.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    only_HW: Array = np.where((gone & ~kept_HW) & ~(near & ~marked_HW), 0, ink_HW).astype(ink_HW.dtype)
    return only_HW


def _is_ruled(line: _Line, longer: int) -> bool:
    """Return whether a line runs from edge to edge of the page."""
    to_edges = max(line.ends) <= max(3.0, NEAR_EDGE * longer)
    return to_edges and line.width <= WIDEST * longer and line.clear >= CLEAR and line.straight <= STRAIGHT + 0.3


def _is_thin(line: _Line, rest_HW: Array) -> bool:
    """Return whether a line is as long as the rest of the ink, and no stroke of its pen."""
    if not _is_something(rest_HW) or line.straight > STRAIGHT or line.clear < CLEAR:
        return False
    rows, columns = np.flatnonzero(rest_HW.any(1)), np.flatnonzero(rest_HW.any(0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    return line.width <= THIN * pen_width(rest_HW) and line.length >= AS_LONG * float(extent)


def _box(lines: list[_Line], marked_HW: Array) -> list[_Line]:
    """Return the lines of a box: two pairs of parallel lines that meet at four corners around some other ink."""
    meet = max(4.0, MEET * max(marked_HW.shape))
    straight = [line for line in lines if line.straight <= STRAIGHT + 0.3 and line.clear >= 0.6]
    found: list[_Line] = []
    for line in straight:
        touching = [
            other
            for other in straight
            if other is not line
            and abs(float(line.along_2 @ other.along_2)) < 0.1
            and min(float(np.hypot(*(one - two))) for one in line.tips for two in other.tips) <= meet
        ]
        if len(touching) >= 2:
            found.append(line)
    return found if len(found) >= 4 else []


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
    rest_HW = (marked_HW & (band_HW == 0)).astype(np.uint8)
    reach = widest + 3
    kept_HW = rest_HW.astype(bool)
    room = reach + 2
    padded = np.pad(rest_HW, room)
    for wanted, shape in ((flat, (3, reach)), (steep, (reach, 3))):
        if wanted:
            closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones(shape[::-1], np.uint8))[room:-room, room:-room]
            kept_HW = kept_HW | (closed.astype(bool) & marked_HW)
    return kept_HW


# ---- round stamps


def _without_ring(found: Separated) -> Separated:
    """Return the ink without a round stamp and what is printed inside it."""
    marked_HW = found.ink_HW > INKED
    ridge_HW, depth_HW = middles(marked_HW)
    pen = _widest(depth_HW[ridge_HW])
    if pen < LEAST_PEN:
        return found
    point_N2 = np.argwhere(ridge_HW & (2 * depth_HW - 1 <= THIN * pen + 0.5))[:, ::-1].astype(float)
    if len(point_N2) < LEAST_POINTS:
        return found
    circle = _circle(point_N2, max(marked_HW.shape))
    if circle is None:
        return found
    x, y, radius = circle
    row, column = np.mgrid[: marked_HW.shape[0], : marked_HW.shape[1]]
    away_HW = np.hypot(column - x, row - y)
    ring_HW = marked_HW & (np.abs(away_HW - radius) <= ROUND)
    ring = pen_width(marked_HW & (np.abs(away_HW - radius) <= 0.08 * radius))
    outside_HW = marked_HW & (away_HW > 1.15 * radius)
    if not ring_HW.any() or not _is_something(outside_HW):
        return found
    pen = pen_width(outside_HW)
    if pen < LEAST_PEN or ring > THIN * pen + 0.5:
        inside = marked_HW & (away_HW < 0.85 * radius)
        doubt = inside.sum() > 0.03 * np.pi * radius**2
        return replace(found, findings=(*found.findings, UNSEPARATED)) if doubt else found
    within_HW = away_HW <= radius + ring + 2
    thick = max(2, round(THIN * pen + 0.5))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
    opened = cv2.morphologyEx(marked_HW.astype(np.uint8), cv2.MORPH_OPEN, disc)
    opened = cv2.dilate(opened, np.ones((3, 3), np.uint8)).astype(bool) & marked_HW
    kept_HW = np.where(within_HW, opened, marked_HW)
    count, mark_HW = cv2.connectedComponents(kept_HW.astype(np.uint8), connectivity=8)
    reaches = np.zeros(count, bool)
    reaches[np.unique(mark_HW[kept_HW & ~within_HW])] = True
    area_M = np.bincount(mark_HW.ravel(), minlength=count)
    reaches |= area_M >= 6 * pen**2
    reaches[0] = False
    kept_HW = reaches[mark_HW]
    if (ring_HW & ~kept_HW).sum() < LEAST_GONE * 2 * np.pi * radius:  # it is drawn with the pen
        return found
    return Separated(
        _only(found.ink_HW, marked_HW, kept_HW),
        (*(note for note in found.notes if note != STAMP), STAMP),
        found.findings,
    )


def _widest(depth_N: Array) -> float:
    """Return the width that four fifths of the ink are narrower than, in pixels."""
    if not len(depth_N):
        return 1.0
    depth_N = np.sort(depth_N)
    area_N = np.cumsum(depth_N)
    return max(1.0, 2 * float(depth_N[np.searchsorted(area_N, 0.8 * area_N[-1])]) - 1)


def _circle(point_N2: Array, longer: int) -> tuple[float, float, float] | None:
    """Return middle and radius of a circle that points lie on nearly all around, or None."""
    random = np.random.default_rng(0)
    if len(point_N2) > POINTS:
        point_N2 = point_N2[random.choice(len(point_N2), POINTS, replace=False)]
    one_C2, two_C2, three_C2 = (point_N2[random.integers(len(point_N2), size=CIRCLES)] for _ in range(3))
    middle_C2, radius_C = _through(one_C2, two_C2, three_C2)
    wanted = np.isfinite(radius_C) & (radius_C > RADII[0] * longer) & (radius_C < RADII[1] * longer)
    middle_C2, radius_C = middle_C2[wanted], radius_C[wanted]
    if not len(radius_C):
        return None
    away_CN = np.hypot(*(middle_C2[:, :, None] - point_N2.T[None]).transpose(1, 0, 2))
    on_CN = np.abs(away_CN - radius_C[:, None]) <= ROUND
    best = int(np.argmax(on_CN.sum(1)))
    on_N = on_CN[best]
    for _ in range(2):
        if on_N.sum() < 12:
            return None
        x, y, radius = _fitted(point_N2[on_N])
        away_N = np.hypot(point_N2[:, 0] - x, point_N2[:, 1] - y)
        on_N = np.abs(away_N - radius) <= ROUND
    angle_N = np.arctan2(point_N2[on_N, 1] - y, point_N2[on_N, 0] - x)
    bins = min(40, int(on_N.sum()))
    covered = len(np.unique(((angle_N + np.pi) / (2 * np.pi) * bins).astype(int) % bins)) / bins
    return (x, y, radius) if covered >= WHOLE else None


def _through(one_C2: Array, two_C2: Array, three_C2: Array) -> tuple[Array, Array]:
    """Return middles and radii of circles through three points each; infinite where they lie on a line."""
    b_C2, c_C2 = two_C2 - one_C2, three_C2 - one_C2
    twice_C = 2 * (b_C2[:, 0] * c_C2[:, 1] - b_C2[:, 1] * c_C2[:, 0])
    b_C, c_C = (b_C2**2).sum(1), (c_C2**2).sum(1)
    with np.errstate(all="ignore"):
        x_C = (c_C2[:, 1] * b_C - b_C2[:, 1] * c_C) / twice_C
        y_C = (b_C2[:, 0] * c_C - c_C2[:, 0] * b_C) / twice_C
        radius_C = np.hypot(x_C, y_C)
    return one_C2 + np.stack([x_C, y_C], axis=1), radius_C


def _fitted(point_N2: Array) -> tuple[float, float, float]:
    """Return middle and radius of the circle with the least squares (Kasa 1976)."""
    left = np.column_stack([point_N2, np.ones(len(point_N2))])
    (a, b, c), *_ = np.linalg.lstsq(left, (point_N2**2).sum(1), rcond=None)
    return float(a / 2), float(b / 2), float(np.sqrt(max(0.0, c + (a / 2) ** 2 + (b / 2) ** 2)))
