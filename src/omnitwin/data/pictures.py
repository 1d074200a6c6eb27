"""Tensors and images as the plain pictures that reports carry."""

from typing import TYPE_CHECKING

from PIL import Image

from omnitwin.reports.pictures import Picture, ScoredPair

if TYPE_CHECKING:  # it needs torch, which pictures of files do not
    from omnitwin.data.imageset import ImageSet


def picture_of_image(image: Image.Image) -> Picture:
    """A grey Pillow image (mode L)."""
    return Picture(width=image.width, height=image.height, pixels=image.tobytes())


def scored_pair(
    images: "ImageSet",
    left: int,
    right: int,
    similar: bool,
    predicted: bool | None = None,
    score: float | None = None,
) -> ScoredPair:
    """A pair of rows with what is known of it."""
    return ScoredPair(
        left=images.picture(left),
        right=images.picture(right),
        left_label=images.label(left),
        right_label=images.label(right),
        similar=similar,
        predicted=predicted,
        score=score,
    )
