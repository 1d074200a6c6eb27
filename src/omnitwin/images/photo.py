"""Turn any picture into a network's input of a fixed size: in colour or grey, its aspect kept, padded with its edge.

C channels (3 or 1), H x W pixels
"""

import numpy as np
from PIL import Image

from omnitwin.images.values import opaque
from omnitwin.metrics.arrays import Array

REDUCING_GAP = 3.0  # Pillow averages down to this many times the wanted size before it resamples: fast, and as smooth


def plain(picture: Image.Image) -> Image.Image:
    """Return a picture in 8 bits, mode L or RGB, on white (or black, if white shows nothing) if it is transparent."""
    return opaque(picture)


def letterboxed(picture: Image.Image, height: int, width: int, channels: int) -> Array:
    """Return a picture as (C, H, W) uint8: scaled to fit, centred, and surrounded by the median colour of its edge.

    Transparency shows white. A small picture is enlarged.
    """
    whole = plain(picture)
    if channels == 1 and whole.mode != "L":
        whole = whole.convert("L")
    scale = min(height / whole.height, width / whole.width)
    size = (
        min(width, max(1, round(whole.width * scale))),
        min(height, max(1, round(whole.height * scale))),
    )
    if size != whole.size:
        whole = whole.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
    if channels == 3 and whole.mode != "RGB":  # now that it is small
        whole = whole.convert("RGB")
    fitted_HWC = np.asarray(whole).reshape(size[1], size[0], channels)
    box_HWC = np.empty((height, width, channels), np.uint8)
    box_HWC[:] = edge_colour(fitted_HWC)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    box_HWC[top : top + size[1], left : left + size[0]] = fitted_HWC
    return np.ascontiguousarray(box_HWC.transpose(2, 0, 1))


def edge_colour(image_HWC: Array) -> Array:
    """Return the median colour (C,) uint8 of the outermost pixels of an image."""
    edge_PC = np.concatenate([image_HWC[0], image_HWC[-1], image_HWC[1:-1, 0], image_HWC[1:-1, -1]])
    colour_C: Array = np.median(edge_PC, axis=0).astype(np.uint8)
    return colour_C
