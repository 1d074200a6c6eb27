"""Tensors and images as the plain pictures that reports carry."""

from typing import TYPE_CHECKING

from PIL import Image

from omnitwin.reports.pictures import Picture, ScoredPair

if TYPE_CHECKING:  # it needs torch, which pictures of files do not
    from omnitwin.data.packed import PackedSet


def picture_of_row(packed: "PackedSet", row: int) -> Picture:
    """One image of a set, 255 for paper."""
    image_HW = packed.images_NHW[row].cpu() * (255 // packed.white)
    height, width = image_HW.shape
    return Picture(width=width, height=height, pixels=image_HW.numpy().tobytes())


def picture_of_image(image: Image.Image) -> Picture:
    """A grey Pillow image (mode L)."""
    return Picture(width=image.width, height=image.height, pixels=image.tobytes())


def scored_pair(
    packed: "PackedSet",
    left: int,
    right: int,
    similar: bool,
    predicted: bool | None = None,
    score: float | None = None,
) -> ScoredPair:
    """A pair of rows with what is known of it."""
    return ScoredPair(
        left=picture_of_row(packed, left),
        right=picture_of_row(packed, right),
        left_label=packed.label(left),
        right_label=packed.label(right),
        similar=similar,
        predicted=predicted,
        score=score,
    )
