"""Place a drawing in the pixels that a network sees: the whole image, or the box of its ink. For sets and for files.

N images
"""

import math

import numpy as np

from omnitwin.images.resampling import area_resize, window_coverage
from omnitwin.metrics.arrays import Array

FILL = 0.9  # share of height or width that the ink takes, whichever it reaches first
INKED = 0.5  # of full ink: a pixel with more counts as part of a stroke
BLOCK = 1024  # images at a time
WHITE = 255  # paper


def framed(grey_NHW: Array, height: int, width: int, frame: str, block: int = BLOCK) -> Array:
    """Return grey images of any size, from 0 for ink to 255 for paper, as (N, height, width) uint8.

    Both frames keep the aspect (for `photo` see images.photo). Frame `whole` fits the whole image in the middle of
    paper. Frame `ink` puts the box around the ink in the middle; it takes FILL of the height or of the width. An image
    without ink becomes paper.

    block: images framed by their ink at a time, which bounds memory
    """
    if frame != "ink":
        return fitted(grey_NHW, height, width)
    blocks = [
        _framed_by_ink(grey_NHW[start : start + block], height, width) for start in range(0, len(grey_NHW), block)
    ]
    return np.concatenate(blocks)


def fitted(grey_NHW: Array, height: int, width: int) -> Array:
    """Return grey images scaled to fit and put in the middle of (N, height, width) uint8 of paper."""
    scale = min(height / grey_NHW.shape[1], width / grey_NHW.shape[2])
    high, wide = (max(1, round(side * scale)) for side in grey_NHW.shape[1:])
    found_Nhw = area_resize(grey_NHW, high, wide)
    if (high, wide) == (height, width):
        return found_Nhw
    paper_NHW = np.full((len(grey_NHW), height, width), WHITE, np.uint8)
    top, left = (height - high) // 2, (width - wide) // 2
    paper_NHW[:, top : top + high, left : left + wide] = found_Nhw
    return paper_NHW


def ink_boxes(grey_NHW: Array) -> Array:
    """Return first row, last row + 1, first column and last column + 1 of the ink, (N, 4) int64.

    An image without ink has the box of the whole image.
    """
    inked_NHW = grey_NHW < math.ceil(WHITE * (1 - INKED))
    boxes = []
    for axis in (2, 1):
        inked_NL: Array = np.asarray(inked_NHW.any(axis))
        last_N = inked_NL.shape[1] - inked_NL[:, ::-1].argmax(1)
        boxes += [inked_NL.argmax(1), last_N]
    return np.stack(boxes, axis=1)


def _framed_by_ink(grey_NHW: Array, height: int, width: int) -> Array:
    """Return (N, height, width): h x w pixels, of images of H x W."""
    top_N, bottom_N, left_N, right_N = ink_boxes(grey_NHW).T
    aspect = width / height
    down_N = np.maximum(bottom_N - top_N, (right_N - left_N) / aspect) / FILL
    across_N = down_N * aspect
    rows_NhH = window_coverage((top_N + bottom_N - down_N) / 2, down_N, grey_NHW.shape[1], height)
    columns_NwW = window_coverage((left_N + right_N - across_N) / 2, across_N, grey_NHW.shape[2], width)
    ink_Nhw = rows_NhH @ (WHITE - grey_NHW).astype(np.float32) @ columns_NwW.transpose(0, 2, 1)
    paper_Nhw: Array = (WHITE - np.rint(ink_Nhw)).astype(np.uint8)
    return paper_Nhw
