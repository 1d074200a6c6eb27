"""Which files are images, by their names."""

from pathlib import PurePath

from PIL import Image

OUTSIDE_PROGRAMS = {"EPS"}  # formats that Pillow hands to another program: too dangerous for files from anywhere


def is_image_name(name: str) -> bool:
    """Return whether a file of this name is an image that can be read, by its suffix."""
    kind = Image.registered_extensions().get(PurePath(name).suffix.lower())
    return kind in Image.OPEN and kind not in OUTSIDE_PROGRAMS
