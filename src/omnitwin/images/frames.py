"""Choose the frame of an animation, or the page of a file, that holds the drawing.

The first that shows anything. In an animation a later frame takes its place if it has all of its ink and more: many are
drawn stroke by stroke.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile

from omnitwin.images.values import SHOWS, grey_of
from omnitwin.metrics.arrays import Array

ANIMATED = ("GIF", "PNG", "WEBP")
PAGED = ("TIFF",)
MOST_FRAMES = 64  # that are looked at
MOST_PIXELS = 1 << 27  # of all frames that are looked at
SMALL = 128  # pixels of the longer side of the copies that are compared
INKED = 24  # grey levels from the ground, from which on a pixel is ink
KEPT = 0.98  # share of the ink that a later frame has, too
NOTE = "omnitwin"  # key of a picture's `info`: which frame it is, and why


def chosen(image: ImageFile.ImageFile, limit: Callable[[], None]) -> Image.Image:
    """Return the frame or page of an opened, loaded image that holds the drawing, with a note if it is not the first.

    limit: called before a further frame is decoded; raises BadImage if it would cost too much

    A later frame that cannot be read ends the search.
    """
    if image.format not in ANIMATED + PAGED or not getattr(image, "is_animated", False):
        return image
    animated, first = image.format in ANIMATED, image.copy()
    most = min(MOST_FRAMES, MOST_PIXELS // (image.width * image.height))
    best, best_at, best_HW = first, 0, _small(first)
    for at in range(1, most):
        if not animated and _inked(best_HW).any():
            break
        try:
            image.seek(at)
            limit()
            image.load()
        except (EOFError, OSError, SyntaxError, ValueError):
            break
        small_HW = _small(image)
        if _completes(small_HW, best_HW):
            best, best_at, best_HW = image.copy(), at, small_HW
    if best_at:
        word = "frame" if animated else "page"
        why = "nothing is on those before" if not _inked(_small(first)).any() else "it completes the drawing"
        best.info[NOTE] = f"{word} {best_at + 1} was read: {why}"
    return best


def _small(image: Image.Image) -> Array:
    grey = grey_of(image)
    size = tuple(max(1, round(side * min(1, SMALL / max(image.size)))) for side in image.size)
    return np.asarray(grey.resize(size, Image.Resampling.BOX) if size != image.size else grey, dtype=np.int16)  # type: ignore[arg-type]


def _inked(small_HW: Array) -> Array:
    """Return where a small copy is not the ground, which is its median."""
    threshold = INKED if int(np.ptp(small_HW)) >= INKED else SHOWS
    inked_HW: Array = np.abs(small_HW - np.median(small_HW)) >= threshold
    return inked_HW


def _completes(later_HW: Array, earlier_HW: Array) -> bool:
    """Return whether a later frame has more ink than an earlier one, and all of its ink."""
    if later_HW.shape != earlier_HW.shape:
        return not _inked(earlier_HW).any() and bool(_inked(later_HW).any())
    later, earlier = _inked(later_HW), _inked(earlier_HW)
    return bool(later.sum() > earlier.sum() and (later & earlier).sum() >= KEPT * earlier.sum())
