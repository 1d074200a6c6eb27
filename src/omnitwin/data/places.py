"""List the images of any place: a folder, or a table of paths and classes."""

from collections.abc import Sequence
from pathlib import Path

from omnitwin.data.folder import FOLDER_FORM, list_folder
from omnitwin.data.listing import LeftOut, Listing
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


def check_readable(listing: Listing, broken: Sequence[LeftOut]) -> None:
    """Raise BadInput if none of the images can be read. broken: those that cannot"""
    if len(broken) < len(listing.files):
        return
    first = f"{broken[0].path} {broken[0].reason}"
    raise BadInput(
        f"none of the {len(broken):,} image files of {listing.place} can be read: {first}",
        "Do the paths of the table lead from its folder?"
        if listing.place.is_file()
        else "Does another program open them? If so, save them there as PNG or JPEG.",
    )
