"""Rows of an image set, and Pillow images, as the plain pictures that reports carry."""

from typing import TYPE_CHECKING

from PIL import Image

from omnitwin.data.listing import ListedFile, Listing
from omnitwin.images.facts import cut_out
from omnitwin.images.intake import read_picture
from omnitwin.images.views import for_a_person
from omnitwin.reports.pictures import Picture, ScoredPair

if TYPE_CHECKING:  # it needs torch, which pictures of files do not
    from omnitwin.data.imageset import ImageSet


def picture_of_image(image: Image.Image) -> Picture:
    """Return a Pillow image of mode L or RGB as a picture."""
    return Picture(width=image.width, height=image.height, pixels=image.tobytes(), channels=len(image.getbands()))


def picture_of_file(listing: Listing, file: ListedFile, channels: int) -> Picture:
    """Return the picture of a file, small, in grey or in 3 channels. Raises BadImage if it cannot be read any more."""
    return picture_of_image(
        read_picture(listing.location(file), lambda picture: for_a_person(cut_out(picture, file.box), channels))
    )


def name_of_file(file: ListedFile) -> str:
    """Return the class and the name of a file, as `milk, 7.png`."""
    return f"{file.label}, {file.path.rpartition('/')[2]}"


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
