"""Find the sheet in a picture: what lies around it, or over its edge, is left out, and a crooked sheet is squared up.

    found = lay_flat(grey)  # Image of mode L
    found.grey, found.notes

What lies around a sheet is dark, thick, and reaches the border of the picture: a scanner's lid, a desk, a finger. It is
painted over in the light of the paper beside it.

H x W pixels of the picture, h x w of a small copy
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from omnitwin.images.counting import counts_of, median, percentile
from omnitwin.images.strokes import pen_width
from omnitwin.images.values import border_of
from omnitwin.metrics.arrays import Array

SHEET = "what lies around the sheet was left out"
SQUARED = "a crooked sheet was squared up"
BESIDE = "something dark at the border was left out"

SMALL = 160  # pixels of the longer side of the copy in which a sheet is found
DARK = 0.72  # of the paper's light: what is darker may lie around a sheet
LEAST_RANGE = 40  # grey levels between dark and light
THICK = 0.03  # share of the longer side: radius of what is thick
THICK_ALONE = (
    0.035  # share of the longer side: radius, inside the picture, of what is thick and only reaches its border
)
THICKER = 2.2  # times the pen: what lies at the border is thicker than strokes
ACROSS = 3  # pixels of the copy on either side of an edge
SHARP = 0.6  # of the difference between both sides, over so few pixels: the edge of a thing
LEAST_LIT = 0.25  # of the lightest level: what is darker is no shadow
INK = 0.7  # of the light around it: ink is darker, on paper in a shadow, too
WRITTEN = 0.004  # share of a part that strokes cover at least
WHOLE_SIDE = 0.9  # share of a side that a strip along it takes
LEAST_STRIP = 0.02  # share of the picture that a strip takes, and of both sides that a corner does; less is a line
AROUND = 3  # sides of the picture that are mostly dark, from which on something lies all around a sheet
MOSTLY = 0.5  # share of a side
LEAST_SHEET = 0.12  # share of the picture
MOST_INK = 0.4  # share of a sheet
SOLID = 0.85  # share of its hull that a sheet fills
EDGE = 0.02  # share of the longer side: so much is cut off around a sheet, for its edge and its shadow
CROOKED = 1.0  # degrees, from which on a sheet is turned
LEAST_LEFT = 0.0005  # share of the picture: as much ink is left besides what is left out


@dataclass(frozen=True, eq=False)
class Laid:
    """A picture without what lies around its sheet, and what was done."""

    grey: Image.Image
    notes: tuple[str, ...] = ()


def lay_flat(grey: Image.Image) -> Laid:
    """Return a grey picture (mode L) of the sheet alone; the same picture if nothing dark and thick is around it."""
    level_HW = np.asarray(grey)
    factor = max(1.0, max(grey.size) / SMALL)
    size = tuple(max(1, round(side / factor)) for side in grey.size)
    if not _has_dark_border(level_HW, *(-(-side // small) for side, small in zip(grey.size, size, strict=True))):
        return Laid(grey)
    level_hw = cv2.resize(level_HW, size, interpolation=cv2.INTER_AREA) if factor > 1 else level_HW
    dark_hw = _dark(level_hw)
    if dark_hw is None:
        return Laid(grey)
    outside_hw = _outside(level_hw, dark_hw)
    if outside_hw is None:
        return Laid(grey)
    left_hw = dark_hw & ~cv2.dilate(outside_hw.astype(np.uint8), _disc(_edge(level_hw))).astype(bool)
    if left_hw.mean() < LEAST_LEFT:  # nothing else is there
        return Laid(grey)
    around = _lies_around(outside_hw)
    corners_42 = _sheet(outside_hw, dark_hw) if around else None
    if around and corners_42 is None:  # light ink on dark
        return Laid(grey)
    painted = _painted(grey, level_HW, level_hw, outside_hw)
    if corners_42 is None:
        return Laid(painted, (BESIDE,))
    scale_2 = np.array(grey.size) / size
    if _slant(corners_42) < CROOKED:
        return Laid(painted, (SHEET,))
    return _squared(painted, corners_42 * scale_2)


def _has_dark_border(level_HW: Array, across: int, down: int) -> bool:
    """Return whether anything that near a border may still be dark in the small copy, which averages."""
    strips = (level_HW[:down], level_HW[-down:], level_HW[:, :across], level_HW[:, -across:])
    return min(int(strip.min()) for strip in strips) < DARK * float(level_HW.max())


def _edge(level_hw: Array) -> int:
    return max(1, round(EDGE * float(max(level_hw.shape))))


def _disc(radius: int) -> Array:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))


def _dark(level_hw: Array) -> Array | None:
    """Return what is much darker than the paper, (h, w) bool; None if the border of the picture holds none of it."""
    border = border_of(level_hw)
    if float(border.min()) >= DARK * float(level_hw.max()):
        return None
    count_L = counts_of(level_hw)
    lightest = percentile(count_L, 95)
    limit = DARK * lightest
    if lightest < LEAST_RANGE or float(border.min()) >= limit:
        return None
    light = median(np.where(np.arange(256) >= limit, count_L, 0))
    dark_hw: Array = level_hw < math.ceil(DARK * light)
    return dark_hw


def _outside(level_hw: Array, dark_hw: Array) -> Array | None:
    """Return what is dark and thick and reaches the border, (h, w) bool, or None."""
    longer = max(dark_hw.shape)
    radius = max(2, round(THICK * longer))
    room = 2 * radius + 1
    padded = cv2.copyMakeBorder(dark_hw.view(np.uint8), room, room, room, room, cv2.BORDER_REPLICATE)
    eroded = cv2.erode(padded, _disc(radius))
    if not eroded.any():
        return None
    # the ends of wedges are thinner: what is dark and near belongs to it
    grown = cv2.dilate(cv2.dilate(eroded, _disc(radius)), _disc(radius))
    thick_hw = grown[room:-room, room:-room] & dark_hw.view(np.uint8)
    count, mark_hw = cv2.connectedComponents(thick_hw, connectivity=8)
    if count == 1:
        return None
    inside_hw = _depth(thick_hw, 1, cv2.BORDER_CONSTANT)
    beyond_hw = _depth(thick_hw, room, cv2.BORDER_REPLICATE)
    sides = [mark_hw[0], mark_hw[-1], mark_hw[:, 0], mark_hw[:, -1]]
    bordering = np.zeros(count, bool)
    bordering[np.concatenate(sides)] = True
    bordering[0] = False
    rest_hw = dark_hw & ~cv2.dilate(bordering[mark_hw].view(np.uint8), _disc(2)).view(bool)
    pen = pen_width(rest_hw) / 2
    corners = {int(mark_hw[row, column]) for row in (0, -1) for column in (0, -1)} - {0}
    kept = np.zeros(count, bool)
    for mark in range(1, count):
        part_hw = mark_hw == mark
        shares = [np.count_nonzero(side == mark) / len(side) for side in sides]
        depth = float(inside_hw[part_hw].max())
        alone = any(shares) and depth >= max(THICK_ALONE * longer, THICKER * pen)
        cornered = mark in corners and sum(share >= LEAST_STRIP for share in shares) > 1
        cornered = cornered and float(beyond_hw[part_hw].max()) >= THICKER * pen
        strip = max(shares) >= WHOLE_SIDE and depth >= pen
        strip = strip and np.count_nonzero(part_hw) / part_hw.size >= LEAST_STRIP
        found = (alone or cornered or strip) and _is_sharp(level_hw, part_hw)
        kept[mark] = found and not _is_written_on(level_hw, part_hw)
    if not kept.any():
        return None
    outside_hw: Array = kept[mark_hw]
    return outside_hw


def _depth(thick_hw: Array, room: int, border: int) -> Array:
    """Return the distance of each pixel to what is not thick, with some room of a border around the picture."""
    padded = cv2.copyMakeBorder(thick_hw, room, room, room, room, border)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 3)[room:-room, room:-room]


def _is_sharp(level_hw: Array, part_hw: Array) -> bool:
    """Return whether a part is the shape of a thing, with an edge, and not that of a shadow, whose edge is soft."""
    part = part_hw.view(np.uint8)
    within_hw = part_hw & (cv2.erode(part, _disc(ACROSS), borderValue=1) == 0)
    beside_hw = (cv2.dilate(part, _disc(ACROSS + 1)) > 0) & (cv2.dilate(part, _disc(ACROSS)) == 0)
    if not beside_hw.any() or not within_hw.any():
        return False
    beside, within, inside, outside = (
        median(counts_of(level_hw, where_hw)) for where_hw in (beside_hw, within_hw, part_hw, ~part_hw)
    )
    return beside - within >= SHARP * (max(beside, outside) - inside)


def _is_written_on(level_hw: Array, part_hw: Array) -> bool:
    """Return whether strokes go on in a part, as they do in a shadow: marks much darker than what is around them."""
    if median(counts_of(level_hw, part_hw)) < LEAST_LIT * float(level_hw.max()):
        return False  # a lid: its grain differs by as much
    around_hw = cv2.morphologyEx(level_hw, cv2.MORPH_CLOSE, _disc(max(2, 2 * _edge(level_hw))))
    marked_hw = level_hw < INK * around_hw.astype(np.float32)
    return float(marked_hw[part_hw].mean()) >= WRITTEN


def _lies_around(outside_hw: Array) -> bool:
    sides = [outside_hw[0], outside_hw[-1], outside_hw[:, 0], outside_hw[:, -1]]
    return sum(float(side.mean()) > MOSTLY for side in sides) >= AROUND


def _sheet(outside_hw: Array, dark_hw: Array) -> Array | None:
    """Return the corners of the sheet, (4, 2) x and y, from above on the left, clockwise; None if there is no sheet."""
    inner = cv2.morphologyEx((~outside_hw).astype(np.uint8), cv2.MORPH_OPEN, _disc(max(1, _edge(outside_hw))))
    outlines, _ = cv2.findContours(inner, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull)
    if area < LEAST_SHEET * outside_hw.size or cv2.contourArea(outline) < SOLID * area:
        return None
    sheet_hw = cv2.drawContours(np.zeros_like(inner), [hull], -1, 1, -1).astype(bool)
    if float(dark_hw[sheet_hw].mean()) > MOST_INK:
        return None
    found = cv2.approxPolyDP(hull, 0.04 * cv2.arcLength(hull, True), True).reshape(-1, 2)
    if len(found) != 4 or cv2.contourArea(found) < 0.93 * area:
        found = cv2.boxPoints(cv2.minAreaRect(hull))
    return _ordered(np.asarray(found, dtype=np.float32) + 0.5)


def _ordered(corner_42: Array) -> Array:
    """Return corners clockwise, the first above on the left."""
    middle_2 = corner_42.mean(0)
    apart_42 = corner_42 - middle_2
    corner_42 = corner_42[np.argsort(np.arctan2(apart_42[:, 1], apart_42[:, 0]))]
    first = int(np.argmin(corner_42.sum(1)))
    ordered_42: Array = np.roll(corner_42, -first, axis=0)
    return ordered_42


def _slant(corner_42: Array) -> float:
    """Return by how many degrees the upper edge of a sheet is turned."""
    along_2 = corner_42[1] - corner_42[0]
    return abs(float(np.degrees(np.arctan2(along_2[1], along_2[0]))))


def _painted(grey: Image.Image, level_HW: Array, level_hw: Array, outside_hw: Array) -> Image.Image:
    """Return the picture with what is outside painted in the light of the nearest paper."""
    covered_hw = cv2.dilate(outside_hw.astype(np.uint8), _disc(_edge(level_hw)))
    closed_hw = cv2.morphologyEx(level_hw, cv2.MORPH_CLOSE, _disc(max(2, 2 * _edge(level_hw))))  # without strokes
    _, nearest_hw = cv2.distanceTransformWithLabels(covered_hw, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    light = np.zeros(int(nearest_hw.max()) + 1, np.uint8)
    light[nearest_hw[covered_hw == 0]] = closed_hw[covered_hw == 0]
    fill_hw = light[nearest_hw]
    fill_HW = cv2.resize(fill_hw, grey.size, interpolation=cv2.INTER_LINEAR)
    covered_HW = cv2.resize(covered_hw, grey.size, interpolation=cv2.INTER_NEAREST)
    return Image.fromarray(np.where(covered_HW > 0, fill_HW, level_HW))


def _squared(grey: Image.Image, corner_42: Array) -> Laid:
    """Return the sheet with these corners, squared up, without its edge."""
    sides_4 = np.hypot(*(np.roll(corner_42, -1, axis=0) - corner_42).T)
    width, height = float(sides_4[[0, 2]].mean()), float(sides_4[[1, 3]].mean())
    edge = EDGE * max(width, height)
    target_42 = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(edge)
    size = (max(1, round(width - 2 * edge)), max(1, round(height - 2 * edge)))
    turn = cv2.getPerspectiveTransform(corner_42.astype(np.float32), target_42)
    flat_HW = cv2.warpPerspective(np.asarray(grey), turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Laid(Image.fromarray(flat_HW), (SHEET, SQUARED))
