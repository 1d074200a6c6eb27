"""Turn any picture into a network's input of a fixed size: in colour or grey, its aspect kept, padded with its edge.

C channels (3 or 1), H x W pixels
"""

import numpy as np
from PIL import Image

from omnitwin.images.intake import on_white
from omnitwin.metrics.arrays import Array

REDUCING_GAP = 3.0  # Pillow averages down to this many times the wanted size before it resamples: fast, and as smooth


def letterboxed(picture: Image.Image, height: int, width: int, channels: int) -> Array:
    """Return a picture as (C, H, W) uint8: scaled to fit, centred, and surrounded by the median colour of its edge.

    Transparency shows white. A small picture is enlarged.
    """
    plain = on_white(picture).convert("RGB" if channels == 3 else "L")
    scale = min(height / plain.height, width / plain.width)
    size = max(1, round(plain.width * scale)), max(1, round(plain.height * scale))
    if size != plain.size:
        plain = plain.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
    fitted_HWC = np.asarray(plain).reshape(size[1], size[0], channels)
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


def is_coloured(picture: Image.Image, least: int = 24) -> bool:
    """Return whether any channel of a picture differs from another by `least` levels in more than 1 pixel of 100."""
    if picture.mode in ("1", "L", "LA", "La", "I", "I;16", "F"):
        return False
    small_HWC = np.asarray(on_white(picture).convert("RGB").resize((64, 64), Image.Resampling.BOX)).astype(np.int16)
    spread_HW = small_HWC.max(2) - small_HWC.min(2)
    return bool((spread_HW >= least).mean() > 0.01)
