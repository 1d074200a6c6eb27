"""List the images of any place: a folder, or a table of paths and classes."""

from pathlib import Path

from omnitwin.data.folder import FOLDER_FORM, list_folder
from omnitwin.data.listing import Listing
from omnitwin.data.table import TABLES, is_table, list_table
from omnitwin.errors import BadInput


def list_images(place: Path, pattern: str | None = None) -> Listing:
    """Return the images of a folder or a table with their classes. Nothing is opened, copied or moved.

    pattern: a regular expression for the class in a file's path (data.folder); a table names its classes itself

    Raises BadInput if the place is neither, or holds no images.

    >>> list_images(Path("products")).classes
    ('juice', 'milk')
    """
    if place.is_dir():
        return list_folder(place, pattern)
    if not place.exists():
        raise BadInput(f"{place} does not exist", "Give a folder of images, or a table of their paths.")
    if not is_table(place):
        kind = "a file" if place.is_file() else "a pipe or a device"
        raise BadInput(f"{place} is {kind}, and no table ({', '.join(sorted(TABLES))})", FOLDER_FORM)
    if pattern is not None:
        raise BadInput("--label-from has no effect on a table, which names the classes itself", "Leave it out.")
    return list_table(place)
