"""Whether a set is ink on paper, which the variations of the exam `beyond` and the baseline `hausdorff` are about."""

import numpy as np
from PIL import Image

from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.images.facts import facts_of

LOOKED_AT = 40  # images, evenly spread
LEAST = 0.5  # of them


def check_ink(images: ImageSet, what: str, hint: str) -> None:
    """Raise BadInput if images are in colour, or if most are neither ink on paper nor of two levels."""
    rows = np.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).astype(int).tolist()
    if sum(_is_ink(images, row) for row in rows) < LEAST * len(rows):
        are = "is in colour" if images.picture(0).channels != 1 else "is not"
        raise BadInput(f"{what} of ink on paper, and {images.name} {are}", hint)


def _is_ink(images: ImageSet, row: int) -> bool:
    picture = images.picture(row)
    if picture.channels == 1 and len(set(picture.pixels)) <= 2:
        return True
    return facts_of(Image.frombytes(picture.mode, picture.size, picture.pixels)).ink
