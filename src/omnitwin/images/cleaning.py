"""Find the ink in a grey picture of a drawing, whatever its light and paper.

H x W pixels; levels are from 0 for black to 1 for white, ink from 0 for paper to 1
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from omnitwin.images.contents import contents
from omnitwin.images.foreign import without_foreign
from omnitwin.images.framing import WHITE
from omnitwin.images.sheets import lay_flat
from omnitwin.metrics.arrays import Array

TURNED = "light ink on dark was turned round"
EVENED = "uneven light was evened"
UNFRAMED = "a frame around the drawing was ignored"
UNRULED = "ruled lines were ignored"
UNEDGED = "a line along the border was ignored"

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
SAMPLED = 160  # pixels of the longer side from which the levels of paper and ink are estimated
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Cleaned:
    """The ink of a picture, and how it was found.

    unrest: how much the paper away from strokes varies. The picture has CELLS x CELLS cells; unrest is the mean over
    them of their mean distance from the paper's level, as a share of the contrast between paper and ink. It is large in
    a photo of anything but a drawing.
    """

    ink_HW: Array  # (H, W) float32
    notes: tuple[str, ...] = ()  # what was done, in words
    unrest: float = 0.0
    findings: tuple[str, ...] = ()  # of reports.pages


def clean_ink(grey: Image.Image) -> Cleaned:
    """Find the ink of a grey image (mode L); return no ink if nothing stands out from the paper.

    The pixels of a black and white drawing stay as they are. The grey edges of strokes stay where they are.
    """
    laid = lay_flat(grey)
    grey, notes = laid.grey, [*laid.notes]
    if _is_light_on_dark(grey):
        grey = ImageOps.invert(grey)
        notes.append(TURNED)
    low, high = (float(bound) / WHITE for bound in grey.getextrema())  # type: ignore[arg-type]
    level_HW = np.asarray(grey, dtype=np.float32) / WHITE
    if high - low < LEAST_CONTRAST:
        return Cleaned(ink_HW=np.zeros_like(level_HW), notes=tuple(notes))
    unrest = 0.0
    if two_level := sum(count > 0 for count in grey.histogram()) == 2:
        ink_HW = (level_HW < (low + high) / 2).astype(np.float32)
    else:
        light_HW = _light(grey)
        if float(light_HW.min()) < UNEVEN * float(light_HW.max()):
            notes.append(EVENED)
        ink_HW, unrest, ruled = _ink_on_even_paper(level_HW / light_HW)
        notes += [UNRULED] if ruled else []
    separated = without_foreign(ink_HW)
    ink_HW = separated.ink_HW
    notes += separated.notes
    ink_HW, more = _drawing_alone(ink_HW, scanned=not two_level)
    findings = (*separated.findings, *contents(ink_HW))
    return Cleaned(ink_HW=ink_HW, notes=(*notes, *more), unrest=unrest, findings=findings)


def _is_light_on_dark(grey: Image.Image) -> bool:
    """Return whether the border is dark and the marks are lighter than their surroundings."""
    if not border_is_dark(grey):
        return False
    level_HW = np.asarray(grey)
    around_HW = np.asarray(grey.filter(ImageFilter.BoxBlur(max(grey.size) / 6)), dtype=np.float32)
    outstanding_HW = level_HW - around_HW
    spread = float(outstanding_HW.std())
    return float((outstanding_HW * outstanding_HW * outstanding_HW).mean()) > LEAST_SKEW * spread**3


def _border(image_HW: Array) -> Array:
    """Return the outermost pixels; those of the corners count twice."""
    border: Array = np.concatenate([image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1]])
    return border


def border_is_dark(grey: Image.Image) -> bool:
    """Return whether the border, which is paper, is mostly darker than the middle of the grey levels in use."""
    level_HW = np.asarray(grey)
    border = _border(level_HW)
    low, high = grey.getextrema()
    return float(np.median(border)) < (float(low) + float(high)) / 2  # type: ignore[arg-type]


def _light(grey: Image.Image) -> Array:
    """Return the light on the paper, (H, W) float32: the picture with all narrow dark marks closed."""
    small = grey.reduce(factor) if (factor := max(grey.size) // SMALL) > 1 else grey
    reach = REACH if factor > 1 else max(1, max(grey.size) * REACH // SMALL)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    room = 2 * reach
    padded = np.pad(np.asarray(small.filter(ImageFilter.BoxBlur(1))), room, mode="edge")
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, window)[room:-room, room:-room]
    light = Image.fromarray(closed).filter(ImageFilter.BoxBlur(reach / 2)).resize(grey.size, Image.Resampling.BILINEAR)
    light_HW = np.asarray(light, dtype=np.float32) / WHITE
    return np.maximum(light_HW, DEEPEST * float(light_HW.max()))


def _ink_on_even_paper(level_HW: Array) -> tuple[Array, float, bool]:
    """Return the ink (H, W), the unrest, and whether the paper is ruled.

    The ink comes from a soft threshold midway between the levels of paper and ink, steeper on noisy paper.
    """
    every = max(1, max(level_HW.shape) // SAMPLED)
    level = level_HW[::every, ::every]
    surely = level[level > PAPER]
    paper = float(np.median(surely)) if len(surely) else 1.0
    noise = 1.4826 * float(np.median(np.abs(surely - paper))) if len(surely) else 0.0  # of a normal distribution
    marks = level[level < paper - max(NOISE * noise, LEAST_CONTRAST)]
    if not len(marks):
        return np.zeros_like(level_HW), 0.0, False
    ink = float(np.median(marks[marks <= _otsu(marks)]))
    middle, contrast = (paper + ink) / 2, paper - ink
    away_HW = _away(level_HW, middle, contrast)
    away = level_HW[away_HW]
    texture = paper - float(np.percentile(away[:: every * every], TEXTURE)) if len(away) else 0.0
    margin = min(max(texture, 0.0), STEEPEST * contrast / 2)
    ink_HW: Array = 0.5 + (middle - level_HW) / (contrast - 2 * margin)
    ink_HW = ink_HW.clip(0, 1)
    apart_HW = (level_HW - paper + ink_HW * contrast) / contrast
    faint_HW = (level_HW < paper - max(NOISE * noise / 2, LEAST_CONTRAST / 2)) & (ink_HW <= VISIBLE)
    return ink_HW, _unrest(apart_HW, away_HW), _is_ruled(faint_HW, away_HW)


def _is_ruled(faint_HW: Array, away_HW: Array) -> bool:
    """Return whether two or more narrow lines, fainter than ink, cross the paper in one direction."""
    widest = max(3, round(RULED_WIDTH * max(faint_HW.shape)))
    for axis in (0, 1):
        paper_L = away_HW.sum(axis)
        ruled_L = ((faint_HW & away_HW).sum(axis) > RULED * paper_L) & (paper_L > RULED * away_HW.shape[axis])
        bounds = np.flatnonzero(np.diff(np.pad(ruled_L.astype(np.int8), 1)))
        if int((bounds[1::2] - bounds[::2] <= widest).sum()) > 1:
            return True
    return False


def _unrest(apart_HW: Array, away_HW: Array) -> float:
    """Return the mean over cells of the mean difference that neither paper nor ink explains, away from strokes."""
    side = -(-max(apart_HW.shape) // CELLS)
    unexplained, paper = (Image.fromarray((part * away_HW).astype(np.float32)).reduce(side) for part in (apart_HW, 1.0))
    counted = np.asarray(paper)
    return float(np.abs(np.asarray(unexplained)).sum() / max(float(counted.sum()), LEAST_AWAY * counted.size))


def _away(level_HW: Array, middle: float, contrast: float) -> Array:
    """Return where no stroke is near, (H, W) bool; the softer the edges of strokes, the further away."""
    dark_HW = level_HW < middle
    steps = [np.abs(np.diff(level_HW, axis=axis))[np.diff(dark_HW, axis=axis)] for axis in (0, 1)]
    step = np.concatenate(steps)
    edge = contrast / max(float(np.median(step)), contrast / 100) if len(step) else 0.0
    reach = round(max(1.0, AWAY * max(level_HW.shape), EDGES * edge))
    side = 4 * -(-reach // 2) + 1
    away_HW: Array = cv2.dilate(dark_HW.astype(np.uint8), np.ones((side, side), np.uint8)) == 0
    return away_HW


def _otsu(values: Array) -> float:
    """Return the threshold with the least variance on either side (Otsu 1979)."""
    counts, edges = np.histogram(values, 64)
    middles = (edges[:-1] + edges[1:]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    gap = np.divide(mass, below, out=np.zeros(64), where=below > 0) - np.divide(
        mass[-1] - mass, above, out=np.zeros(64), where=above > 0
    )
    variance = below * above * gap**2
    return float(edges[1:][np.argmax(variance)]) if variance.any() else float(values.max())


def _drawing_alone(ink_HW: Array, scanned: bool) -> tuple[Array, list[str]]:
    """Return the ink without a frame along the border and without specks that no pen of this width makes, and notes.

    scanned: whether there may be edges of sheets; they go, too
    """
    _, mark_HW, box_M5, _ = cv2.connectedComponentsWithStats((ink_HW > VISIBLE).astype(np.uint8), connectivity=8)
    notes = []
    mass_M = np.bincount(mark_HW.ravel(), ink_HW.ravel(), minlength=len(box_M5))
    mass_M[0] = 0
    border = _border(mark_HW)
    along_M = np.bincount(border, minlength=len(mass_M)) / len(border)
    frame_M = (along_M > BORDER) & (mass_M > 0)
    if frame_M.any() and mass_M[~frame_M].any():
        notes.append(UNFRAMED)
        mass_M[frame_M] = 0
    if scanned and (edge_M := _edges_of_sheets(mark_HW, box_M5) & (mass_M > 0)).any() and mass_M[~edge_M].any():
        notes.append(UNEDGED)
        mass_M[edge_M] = 0
    width = _pen_width(mark_HW == int(mass_M.argmax()))
    least_M = np.where(along_M > 0, np.maximum(SCRAP * mass_M.max(), (SPECK * width) ** 2), (SPECK * width) ** 2)
    speck_M = (mass_M > 0) & (mass_M < least_M)
    if count := int(speck_M.sum()):
        many = ", many for a drawing" if count >= MANY_SPECKS else ""
        notes.append(f"{count} specks were ignored{many}" if count > 1 else "a speck was ignored")
        mass_M[speck_M] = 0
    kept_HW: Array = ink_HW * (mass_M > 0)[mark_HW]
    return kept_HW, notes


def _edges_of_sheets(mark_HW: Array, box_M5: Array) -> Array:
    """Return which marks are long and lie wholly in the strips along the border, (M,) bool."""
    marks, strip = len(box_M5), round(MARGIN * max(mark_HW.shape))
    inside_M = np.bincount(mark_HW[strip:-strip, strip:-strip].ravel(), minlength=marks) if strip else np.ones(marks)
    width_M, height_M = box_M5[:, 2], box_M5[:, 3]
    long_M = (width_M >= LONG * mark_HW.shape[1]) | (height_M >= LONG * mark_HW.shape[0])
    edge_M: Array = long_M & (inside_M == 0)
    edge_M[0] = False
    return edge_M


def _pen_width(inked_HW: Array) -> float:
    """Return the width in pixels of a long stroke with the area and the outline of a mark."""
    inked_HW = np.pad(inked_HW, 1)
    outline = int((inked_HW[1:] != inked_HW[:-1]).sum() + (inked_HW[:, 1:] != inked_HW[:, :-1]).sum())
    return 2 * float(inked_HW.sum()) / max(1.0, outline * np.pi / 4)  # slanting lines have longer outlines: stairs
