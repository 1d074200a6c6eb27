"""Rows of an image set, and Pillow images, as the plain pictures that reports carry."""

from typing import TYPE_CHECKING

from PIL import Image

from omnitwin.reports.pictures import Picture, ScoredPair

if TYPE_CHECKING:  # it needs torch, which pictures of files do not
    from omnitwin.data.imageset import ImageSet


def picture_of_image(image: Image.Image) -> Picture:
    """Return a Pillow image of mode L or RGB as a picture."""
    return Picture(width=image.width, height=image.height, pixels=image.tobytes(), channels=len(image.getbands()))


def scored_pair(
    images: "ImageSet",
    left: int,
    right: int,
    similar: bool,
    predicted: bool | None = None,
    score: float | None = None,
) -> ScoredPair:
    """Return two rows as a pair of pictures with labels and score."""
    return ScoredPair(
        left=images.picture(left),
        right=images.picture(right),
        left_label=images.label(left),
        right_label=images.label(right),
        similar=similar,
        predicted=predicted,
        score=score,
    )
