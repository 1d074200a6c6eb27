"""Find the ink in a grey picture of a drawing, whatever its light and paper.

H x W pixels, h x w of the box around the ink, M marks; levels are from 0 for black to 1 for white, ink from 0 for
paper to 1
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from omnitwin.images.contents import contents
from omnitwin.images.counting import counts_of
from omnitwin.images.foreign import without_foreign
from omnitwin.images.framing import WHITE
from omnitwin.images.separated import Separated
from omnitwin.images.sheets import lay_flat
from omnitwin.images.strokes import INKED, Marks
from omnitwin.images.values import TURNED, border_is_dark
from omnitwin.metrics.arrays import Array
from omnitwin.reports.pages import BLANK

EVENED = "uneven light was evened"
UNFRAMED = "a frame around the drawing was ignored"
UNRULED = "ruled lines were ignored"
UNEDGED = "a line along the border was ignored"

FULL = 200.0  # level of full light in 8 bits, which leaves room for lighter grain
LEVELS = np.arange(256) / FULL
HALF = 0.5 / FULL  # a level is known so well
SMALL = 48  # pixels of the longer side of the copy in which the light is estimated
LEAST_SKEW = 0.3  # skewness of a picture with light ink: noise under a lamp has 0.2, ink on a third of the paper 0.7
REACH = 7  # pixels of that copy: a stroke up to twice as wide is not taken for a shadow
DEEPEST = 0.35  # of full light: no shadow is darker, only ink
UNEVEN = 0.85  # of full light: darker light is noted
PAPER = 0.75  # of full light: lighter pixels are surely paper, and show how noisy it is
NOISE = 4.0  # standard deviations of the paper's noise: ink differs from the paper by more
LEAST_CONTRAST = 0.06  # of full light, between paper and ink
TEXTURE = 1.0  # percent of the paper away from strokes that may be taken for ink
AWAY, EDGES = 0.03, 1.5  # shares of the longer side, and widths of a stroke's edge: paper as far from strokes is away
CELLS = 16  # a side, over which noise averages out
LEAST_AWAY = 0.05  # share of the cells over which unrest is averaged at least
RULED = 0.5  # share of a row or column of paper that a ruled line darkens at least
RULED_WIDTH = 0.02  # share of the longer side: a ruled line is no wider
VISIBLE = 0.1  # of full ink: less does not count as ink
STEEPEST = 0.8  # largest share of the greys between paper and ink that become pure paper or pure ink
SPECK = 0.7  # of the pen's width, squared: no pen makes a smaller mark (the smallest in Omniglot has 0.85)
MANY_SPECKS = 100  # a drawing has as many with salt and pepper noise, and hardly ever in another of images.variations
SCRAP = 0.08  # of the largest mark: a smaller mark on the border belongs to something else
BORDER = 0.5  # share of the border's pixels: a mark that covers more is a frame
MARGIN = 0.08  # share of the longer side: a mark that lies wholly in so narrow a strip along the border,
LONG = 0.25  # and is as long as this share of a side, is the edge of a sheet or a line of a form


Place = tuple[slice, slice]  # rows and columns of a page


@dataclass(frozen=True, eq=False, kw_only=True)
class Cleaned:
    """The ink of a picture, its marks (images.strokes), and how it was found.

    unrest: how much the paper away from strokes varies. The picture has CELLS x CELLS cells; unrest is the mean over
    them of their mean distance from the paper's level, as a share of the contrast between paper and ink. It is large in
    a photo of anything but a drawing.
    """

    ink_HW: Array  # (H, W) float32
    marks: Marks
    notes: tuple[str, ...] = ()  # what was done, in words
    unrest: float = 0.0
    findings: tuple[str, ...] = ()  # of reports.pages


def clean_ink(grey: Image.Image) -> Cleaned:
    """Find the ink of a grey image (mode L); return no ink if nothing stands out from the paper.

    The pixels of a black and white drawing stay as they are. The grey edges of strokes stay where they are.
    """
    laid = lay_flat(grey)
    grey, notes = laid.grey, [*laid.notes]
    level_HW = np.asarray(grey)
    if _is_light_on_dark(grey, level_HW):
        grey = ImageOps.invert(grey)
        level_HW = np.asarray(grey)
        notes.append(TURNED)
    low, high = int(level_HW.min()), int(level_HW.max())
    if high / WHITE - low / WHITE < LEAST_CONTRAST:
        paper = Separated(np.zeros(level_HW.shape, np.float32))
        return Cleaned(ink_HW=paper.ink_HW, marks=paper.marks, notes=tuple(notes), findings=(BLANK,))
    unrest = 0.0
    black_HW = level_HW == low
    if two_level := np.count_nonzero(black_HW) + np.count_nonzero(level_HW == high) == level_HW.size:
        ink_HW = black_HW.astype(np.float32)
    else:
        light_HW = _light(grey)
        if float(light_HW.min()) < UNEVEN * float(light_HW.max()):
            notes.append(EVENED)
        ink_HW, unrest, ruled = _ink_on_even_paper(cv2.divide(level_HW, light_HW, scale=FULL))
        notes += [UNRULED] if ruled else []
    separated = without_foreign(ink_HW)
    notes += separated.notes
    ink_HW, marks, more = _drawing_alone(separated, scanned=not two_level)
    findings = separated.findings or contents(marks) or (() if marks or ink_HW.any() else (BLANK,))
    return Cleaned(ink_HW=ink_HW, marks=marks, notes=(*notes, *more), unrest=unrest, findings=findings)


def _is_light_on_dark(grey: Image.Image, level_HW: Array) -> bool:
    """Return whether the border is dark and the marks are lighter than their surroundings."""
    if not border_is_dark(level_HW):
        return False
    around_HW = np.asarray(grey.filter(ImageFilter.BoxBlur(max(grey.size) / 6)), dtype=np.float32)
    outstanding_HW = level_HW - around_HW
    spread = float(outstanding_HW.std())
    return float((outstanding_HW * outstanding_HW * outstanding_HW).mean()) > LEAST_SKEW * spread**3


def _light(grey: Image.Image) -> Array:
    """Return the light on the paper, (H, W) uint8: the picture with all narrow dark marks closed."""
    small = grey.reduce(factor) if (factor := max(grey.size) // SMALL) > 1 else grey
    reach = REACH if factor > 1 else max(1, max(grey.size) * REACH // SMALL)
    window, room = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8), 2 * reach
    blurred = np.asarray(small.filter(ImageFilter.BoxBlur(1)))
    padded = cv2.copyMakeBorder(blurred, room, room, room, room, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, window)[room:-room, room:-room]
    even = Image.fromarray(closed).filter(ImageFilter.BoxBlur(reach / 2))
    lit_HW = np.asarray(even.resize(grey.size, Image.Resampling.BILINEAR))
    deepest = max(1, round(DEEPEST * int(lit_HW.max())))
    return np.maximum(lit_HW, np.uint8(deepest)) if int(lit_HW.min()) < deepest else lit_HW


def _ink_on_even_paper(level_HW: Array) -> tuple[Array, float, bool]:
    """Return the ink (H, W), the unrest, and whether the paper is ruled, of levels (uint8) with FULL for full light.

    The ink comes from a soft threshold midway between the levels of paper and ink, steeper on noisy paper. Levels are
    counted, and all else follows from the counts: L of 256 levels.
    """
    count_L = counts_of(level_HW)
    surely_L = np.where(LEVELS > PAPER, count_L, 0)
    paper = _quantile(surely_L, 0.5) if surely_L.any() else 1.0
    apart_L = np.abs(LEVELS - paper)
    order = np.argsort(apart_L, kind="stable")
    noise = (
        1.4826 * float(apart_L[order][_place(surely_L[order], 0.5)] + HALF) if surely_L.any() else 0.0
    )  # of a normal distribution
    marks_L = np.where(paper - max(NOISE * noise, LEAST_CONTRAST) > LEVELS, count_L, 0)
    if not marks_L.any():
        return np.zeros(level_HW.shape, np.float32), 0.0, False
    ink = _quantile(np.where(_otsu(marks_L) >= LEVELS, marks_L, 0), 0.5)
    middle, contrast = (paper + ink) / 2, paper - ink
    away_HW = _away(level_HW, middle, contrast)
    away_L = counts_of(level_HW, away_HW)
    texture = paper - _quantile(away_L, TEXTURE / 100) if away_L.any() else 0.0
    margin = min(max(texture, 0.0), STEEPEST * contrast / 2)
    ink_L = (0.5 + (middle - LEVELS) / (contrast - 2 * margin)).clip(0, 1).astype(np.float32)
    unexplained_L = ((LEVELS - paper + ink_L * contrast) / contrast).astype(np.float32)
    faint_L = (paper - max(NOISE * noise / 2, LEAST_CONTRAST / 2) > LEVELS) & (ink_L <= VISIBLE)
    ruled = bool(away_L[faint_L].any()) and _is_ruled(cv2.LUT(level_HW, faint_L.astype(np.uint8)), away_HW)
    unrest = _unrest(cv2.LUT(level_HW, unexplained_L), away_HW)
    return cv2.LUT(level_HW, ink_L), unrest, ruled


def _place(count_L: Array, share: float) -> int:
    """Return the first place up to which a share of what is counted lies."""
    upto_L = np.cumsum(count_L, dtype=np.float64)
    return int(np.searchsorted(upto_L, share * upto_L[-1]))


def _quantile(count_L: Array, share: float) -> float:
    return float(LEVELS[_place(count_L, share)])


def _is_ruled(faint_HW: Array, away_HW: Array) -> bool:
    """Return whether two or more narrow lines, fainter than ink, cross the paper in one direction."""
    widest = max(3, round(RULED_WIDTH * max(faint_HW.shape)))
    faint_HW = faint_HW & away_HW
    for axis in (0, 1):
        faint_L, paper_L = (_sums(part_HW, axis) for part_HW in (faint_HW, away_HW))
        ruled_L = (faint_L > RULED * paper_L) & (paper_L > RULED * away_HW.shape[axis])
        bounds = np.flatnonzero(np.diff(np.pad(ruled_L.astype(np.int8), 1)))
        if int((bounds[1::2] - bounds[::2] <= widest).sum()) > 1:
            return True
    return False


def _sums(page_HW: Array, axis: int) -> Array:
    sums: Array = cv2.reduce(page_HW, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    return sums


def _unrest(apart_HW: Array, away_HW: Array) -> float:
    """Return the mean over cells of the mean difference that neither paper nor ink explains, away from strokes."""
    side = -(-max(apart_HW.shape) // CELLS)
    parts = (cv2.copyTo(apart_HW, away_HW), away_HW.astype(np.float32))
    unexplained, paper = (Image.fromarray(part).reduce(side) for part in parts)
    counted = np.asarray(paper)
    return float(np.abs(np.asarray(unexplained)).sum() / max(float(counted.sum()), LEAST_AWAY * counted.size))


def _away(level_HW: Array, middle: float, contrast: float) -> Array:
    """Return 1 where no stroke is near, (H, W) uint8; the softer the edges of strokes, the further away."""
    dark_HW = level_HW < np.count_nonzero(middle > LEVELS)
    left, top, width, height = cv2.boundingRect(dark_HW.view(np.uint8))
    near = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    level_hw, dark_hw = level_HW[near], dark_HW[near]
    steps = []
    for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        step_hw = np.maximum(level_hw[before], level_hw[after]) - np.minimum(level_hw[before], level_hw[after])
        steps.append(step_hw[dark_hw[before] != dark_hw[after]])
    step = np.concatenate(steps) / FULL
    edge = contrast / max(float(np.median(step)), contrast / 100) if len(step) else 0.0
    reach = round(max(1.0, AWAY * max(level_HW.shape), EDGES * edge))
    side = 4 * -(-reach // 2) + 1
    away_HW: Array = 1 - cv2.dilate(dark_HW.view(np.uint8), np.ones((side, side), np.uint8))
    return away_HW


def _otsu(count_L: Array) -> float:
    """Return the threshold with the least variance on either side (Otsu 1979)."""
    below_L, mass_L = np.cumsum(count_L, dtype=np.float64), np.cumsum(count_L * LEVELS)
    above_L = below_L[-1] - below_L
    gap_L = np.divide(mass_L, below_L, out=np.zeros(256), where=below_L > 0) - np.divide(
        mass_L[-1] - mass_L, above_L, out=np.zeros(256), where=above_L > 0
    )
    variance_L = below_L * above_L * gap_L**2
    return float(LEVELS[np.argmax(variance_L)] if variance_L.any() else LEVELS[np.flatnonzero(count_L)[-1]])


def _drawing_alone(separated: Separated, scanned: bool) -> tuple[Array, Marks, list[str]]:
    """Return the ink without a frame along the border and without specks that no pen of this width makes, and notes.

    scanned: whether there may be edges of sheets; they go, too
    """
    ink_HW = separated.ink_HW
    visible = Marks(ink_HW > VISIBLE)
    if not visible:
        return np.zeros_like(ink_HW), visible, []
    left, top, right, bottom = visible.box
    place = slice(top - top % 2, bottom), slice(left - left % 2, right)  # marks are numbered in squares of two pixels
    visible_hw, ink_hw = visible.marked_HW[place], ink_HW[place]
    count, mark_hw = cv2.connectedComponents(visible_hw.view(np.uint8), connectivity=8)
    mark_P = mark_hw[visible_hw]
    mass_M = np.bincount(mark_P, ink_hw[visible_hw], minlength=count)
    notes = []
    along_M = np.bincount(_along_border(mark_hw, place, ink_HW.shape), minlength=count) / (2 * sum(ink_HW.shape))
    frame_M = (along_M > BORDER) & (mass_M > 0)
    if frame_M.any() and mass_M[~frame_M].any():
        notes.append(UNFRAMED)
        mass_M[frame_M] = 0
    if scanned and count > 2:
        edge_M = _edges_of_sheets(mark_hw, np.bincount(mark_P), place, ink_HW.shape) & (mass_M > 0)
        if edge_M.any() and mass_M[~edge_M].any():
            notes.append(UNEDGED)
            mass_M[edge_M] = 0
    pen = _pen_width(mark_hw == int(mass_M.argmax()))
    least_M = np.where(along_M > 0, np.maximum(SCRAP * mass_M.max(), (SPECK * pen) ** 2), (SPECK * pen) ** 2)
    speck_M = (mass_M > 0) & (mass_M < least_M)
    if specks := int(speck_M.sum()):
        many = ", many for a drawing" if specks >= MANY_SPECKS else ""
        notes.append(f"{specks} specks were ignored{many}" if specks > 1 else "a speck was ignored")
        mass_M[speck_M] = 0
    if not notes:
        return cv2.copyTo(ink_HW, visible.marked_HW.view(np.uint8)), separated.marks, notes
    kept_HW = np.zeros_like(ink_HW)
    kept_HW[place] = ink_hw * (mass_M > 0)[mark_hw]
    return kept_HW, Marks(kept_HW > INKED), notes


def _along_border(mark_hw: Array, place: Place, shape: tuple[int, ...]) -> Array:
    """Return what border_of returns of a whole page, without paper outside the box, of a place in a page."""
    rows, columns = place
    sides = (
        (mark_hw[0], rows.start == 0),
        (mark_hw[-1], rows.stop == shape[0]),
        (mark_hw[:, 0], columns.start == 0),
        (mark_hw[:, -1], columns.stop == shape[1]),
    )
    return np.concatenate([mark_hw[0, :0], *(side for side, reaches in sides if reaches)])


def _edges_of_sheets(mark_hw: Array, area_M: Array, place: Place, shape: tuple[int, ...]) -> Array:
    """Return which marks are long and lie wholly in the strips along the border, (M,) bool.

    area_M: of the marks, in pixels
    place: of the box around them in a page of this shape
    """
    top, left, height, width = place[0].start, place[1].start, *shape
    edge_M = np.zeros(len(area_M), bool)
    strip = round(MARGIN * max(height, width))
    if not strip:
        return edge_M
    inside = (
        slice(max(strip - top, 0), max(height - strip - top, 0)),
        slice(max(strip - left, 0), max(width - strip - left, 0)),
    )
    inside_M = np.bincount(mark_hw[inside].ravel(), minlength=len(area_M))
    for mark in np.flatnonzero((inside_M == 0) & (area_M >= LONG * min(height, width))):
        _, _, wide, high = cv2.boundingRect((mark_hw == mark).view(np.uint8))
        edge_M[mark] = wide >= LONG * width or high >= LONG * height
    return edge_M


def _pen_width(inked_hw: Array) -> float:
    """Return the width in pixels of a long stroke with the area and the outline of a mark."""
    inked = cv2.copyMakeBorder(inked_hw.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    outline = np.count_nonzero(inked[1:] != inked[:-1]) + np.count_nonzero(inked[:, 1:] != inked[:, :-1])
    return 2 * np.count_nonzero(inked) / max(1.0, outline * np.pi / 4)  # slanting lines have longer outlines: stairs
