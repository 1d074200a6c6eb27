"""Small pictures of the files of a gallery, for pages and figures."""

from pathlib import Path

from PIL import Image

from omnitwin.data.pictures import picture_of_image
from omnitwin.errors import BadImage
from omnitwin.images.intake import read_picture
from omnitwin.images.views import for_a_person
from omnitwin.reports.pictures import Picture

SIDE = 96  # pixels of the longer side


def thumbnail(path: Path, channels: int, side: int = SIDE) -> Picture | None:
    """Return a small picture of a file, in grey or colour, or None if it cannot be read any more."""

    def small(picture: Image.Image) -> Picture:
        shown = for_a_person(picture, channels)
        shown.thumbnail((side, side))
        return picture_of_image(shown)

    try:
        return read_picture(path, small)
    except BadImage:
        return None
