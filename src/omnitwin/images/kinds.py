"""Which files are images, by their names, and the reader of HEIC, which is installed on its own."""

import os
from pathlib import PurePath

from PIL import Image

OUTSIDE_PROGRAMS = {"EPS", "IPTC"}  # Pillow hands EPS to another program, and opens any image (also EPS) in an IPTC
HEIF = {".heic", ".heif", ".hif"}  # what phones write: Pillow reads them only with pillow-heif
WITHOUT_HEIF = "is HEIC, which needs pillow-heif: pip install 'omnitwin[heic]'"


def is_image_name(name: str) -> bool:
    """Return whether a file of this name is an image, by its suffix. HEIC counts even if it cannot be read here."""
    suffix = os.path.splitext(name)[1].lower()  # four times as fast as a path object, and asked of every file
    kind = Image.registered_extensions().get(suffix)
    return suffix in HEIF or (kind in Image.OPEN and kind not in OUTSIDE_PROGRAMS)


def lacks_reader(name: str) -> bool:
    """Return whether a file is HEIC by its name and pillow-heif is missing. If it is here, Pillow uses it from now on.

    pillow-heif takes a tenth of a second to import, so it waits for the first such file.
    """
    return PurePath(name).suffix.lower() in HEIF and not _register_heif()


def _register_heif() -> bool:
    if "HEIF" in Image.OPEN:
        return True
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
