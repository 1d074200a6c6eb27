"""Find a round stamp in the ink of a page: a ring as a compass makes it, thinner than the pen, and what is inside it.

H x W pixels, N points, C circles, M marks
"""

from dataclasses import replace

import cv2
import numpy as np

from omnitwin.images.separated import Separated, is_something, only
from omnitwin.images.strokes import THIN, WINDOW, pen_width
from omnitwin.metrics.arrays import Array
from omnitwin.reports.pages import UNSEPARATED

STAMP = "a round stamp was left out"

WIDE = 0.8  # share of the ink that is narrower than the pen: a page's stamps and lines may be half of it
LEAST_PEN = 3  # pixels: of a finer pen no ring is told by its width
LEAST_POINTS = 40  # middles of thin strokes: fewer are no ring
CIRCLES = 800  # tried, through three points each
POINTS = 500  # of the middles of strokes, at most, to which circles are fitted
RADII = (0.07, 0.42)  # of the longer side
LEAST_RADIUS = 12.0  # pixels: on a smaller circle lies what is no ring
ROUND = 1.3  # pixels: deviation from a circle
PIECE = 3  # pixels of a circle that one middle of a stroke stands for
WHOLE = 0.6  # share of the circle that is inked
CLOSED = 0.95  # share of the circle that a stamp's ring inks, if its line is as wide as the pen: few hands draw that
LEAST_GONE = 0.4  # of its length: as much of a ring is thinner than the pen
RINGS = 3  # a stamp may have two, one inside the other


def without_rings(found: Separated) -> Separated:
    """Return the ink without round stamps."""
    for _ in range(RINGS):
        before, found = found, _without_ring(found)
        if found.ink_HW is before.ink_HW:
            break
    return found


def _without_ring(found: Separated) -> Separated:
    """Return the ink without a round stamp and what is printed inside it."""
    marks, marked_HW = found.marks, found.marks.marked_HW
    pen = marks.width(WIDE)
    if pen < LEAST_PEN:
        return found
    thin_N = 2 * marks.depth_N - 1 <= THIN * pen + 0.5
    if np.count_nonzero(thin_N) < LEAST_POINTS:
        return found
    circle = _circle(marks.point_N2[thin_N], max(marked_HW.shape))
    if circle is None:
        return found
    x, y, radius = circle
    row, column = np.mgrid[: marked_HW.shape[0], : marked_HW.shape[1]]
    away_HW = np.hypot(column - x, row - y)
    ring_HW = marked_HW & (np.abs(away_HW - radius) <= ROUND)
    ring = pen_width(marked_HW & (np.abs(away_HW - radius) <= 0.08 * radius))
    outside_HW = marked_HW & (away_HW > 1.15 * radius)
    if not ring_HW.any() or not is_something(outside_HW):
        return found
    pen = pen_width(outside_HW)
    if pen < LEAST_PEN or ring > THIN * pen + 0.5:
        inside = marked_HW & (away_HW < 0.85 * radius)
        doubt = inside.sum() > 0.03 * np.pi * radius**2 and _covered(np.argwhere(ring_HW), y, x, radius) >= CLOSED
        return replace(found, findings=(*found.findings, UNSEPARATED)) if doubt else found
    within_HW = away_HW <= radius + ring + 2
    thick = max(2, round(THIN * pen + 0.5))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
    opened = cv2.morphologyEx(marked_HW.view(np.uint8), cv2.MORPH_OPEN, disc)
    thick_HW = cv2.dilate(opened, WINDOW).view(bool) & marked_HW
    kept_HW = np.where(within_HW, thick_HW, marked_HW)
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
        only(found.ink_HW, marked_HW, kept_HW),
        (*(note for note in found.notes if note != STAMP), STAMP),
        found.findings,
    )


def _circle(point_N2: Array, longer: int) -> tuple[float, float, float] | None:
    """Return middle and radius of a circle that points lie on nearly all around, or None."""
    random = np.random.default_rng(0)
    all_N2 = point_N2
    if len(point_N2) > POINTS:
        point_N2 = point_N2[random.choice(len(point_N2), POINTS, replace=False)]
    one_C2, two_C2, three_C2 = (point_N2[random.integers(len(point_N2), size=CIRCLES)] for _ in range(3))
    middle_C2, radius_C = _through(one_C2, two_C2, three_C2)
    wanted = np.isfinite(radius_C) & (radius_C > max(LEAST_RADIUS, RADII[0] * longer)) & (radius_C < RADII[1] * longer)
    middle_C2, radius_C = middle_C2[wanted], radius_C[wanted]
    if not len(radius_C):
        return None
    best = int(np.argmax(_on_circles(point_N2, middle_C2, radius_C)))
    on_N = np.abs(np.hypot(*(middle_C2[best] - point_N2).T) - radius_C[best]) <= ROUND
    for _ in range(2):
        if on_N.sum() < 12:
            return None
        x, y, radius = _fitted(point_N2[on_N])
        away_N = np.hypot(point_N2[:, 0] - x, point_N2[:, 1] - y)
        on_N = np.abs(away_N - radius) <= ROUND
    on_N = np.abs(np.hypot(all_N2[:, 0] - x, all_N2[:, 1] - y) - radius) <= ROUND
    return (x, y, radius) if _covered(all_N2[on_N], x, y, radius) >= WHOLE else None


def _covered(point_N2: Array, x: float, y: float, radius: float) -> float:
    """Return the share of a circle's pieces that points on it lie in. x, y: its middle, in their order"""
    angle_N = np.arctan2(point_N2[:, 1] - y, point_N2[:, 0] - x)
    pieces = max(12, int(2 * np.pi * radius / PIECE))
    return len(np.unique(((angle_N + np.pi) / (2 * np.pi) * pieces).astype(int) % pieces)) / pieces


def _on_circles(point_N2: Array, middle_C2: Array, radius_C: Array) -> Array:
    """Return how many points lie on circles, (C,).

    A distance of d is within ROUND of a radius r >= ROUND if d**2 is within 2 * r * ROUND of r**2 + ROUND**2. All are
    one product of matrices: the distances themselves take many times as long.
    """
    radius_C = np.maximum(radius_C, ROUND)
    inner_C = (middle_C2**2).sum(1) - radius_C**2 - ROUND**2
    left_C4 = np.column_stack([-2 * middle_C2, np.ones(len(middle_C2)), inner_C])
    right_N4 = np.column_stack([point_N2, (point_N2**2).sum(1), np.ones(len(point_N2))])
    apart_CN = left_C4 @ right_N4.T
    on_CN = np.abs(apart_CN, out=apart_CN) <= 2 * ROUND * radius_C[:, None]
    counts_C: Array = np.count_nonzero(on_CN, axis=1)
    return counts_C


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
