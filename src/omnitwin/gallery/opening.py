"""Open a gallery: embed the image files below a folder.

gallery = gallery_of(Path("photos"), open_verifier())
"""

import hashlib
import os
from functools import partial
from pathlib import Path

import numpy as np

from omnitwin.answers.comparison import AT_ONCE
from omnitwin.answers.doubts import doubts_about
from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier
from omnitwin.errors import BadImage, BadInput
from omnitwin.gallery.gallery import Gallery, Item
from omnitwin.images.intake import read_picture
from omnitwin.images.kinds import is_image_name
from omnitwin.images.views import Seen, check_seen, prepared, seen
from omnitwin.metrics.arrays import Array
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.plain import open_named


def gallery_of(place: Path, verifier: Verifier, reporter: Reporter = SILENT) -> Gallery:
    """Return the images below a folder, embedded. Hidden names are left out, and links to folders are not followed.

    Files that cannot be read, or are blank, are in `unread`. Of links and the file that they lead to, one counts.

    Raises BadInput if the place is no folder or holds no image that can be read.
    """
    view_of(verifier)
    if not place.is_dir():
        raise BadInput(f"{place} is no folder", "Give a folder of images.")
    names, unread = _names_below(place)
    if not names and not unread:
        raise BadInput(f"{place} holds no image files", "Give a folder of images.")
    items: list[Item] = []
    parts: list[Array] = []
    with reporter.task("Reading images", len(names), "images") as advance:
        for start in range(0, len(names), AT_ONCE):
            found: list[tuple[Item, Seen]] = []
            for name in names[start : start + AT_ONCE]:
                try:
                    found.append(_read(place, name, verifier))
                except BadImage as error:
                    unread.append(UnreadImage(file=place / name, problem=error.line()))
                advance(1)
            if found:
                embedding_BD, novelties = verifier.look([image for _, image in found])
                parts.append(embedding_BD)
                judged = zip(found, novelties, strict=True)
                items += [_judged(item, image, novelty, verifier) for (item, image), novelty in judged]
    if not items:
        raise BadInput(f"none of the {len(unread):,} image files below {place} can be used", unread[0].problem)
    return Gallery(
        root=place,
        items=tuple(items),
        embedding_ND=np.concatenate(parts),
        unread=tuple(unread),
        weights_sha256=verifier.sha256 or "",
    )


def _names_below(folder: Path) -> tuple[list[str], list[UnreadImage]]:
    """Return the paths of the image files below a folder, sorted, and the folders that may not be read."""
    unread: list[UnreadImage] = []

    def note(error: OSError) -> None:
        place = Path(os.fsdecode(error.filename or folder))
        unread.append(UnreadImage(file=place, problem=f"{place} may not be read: {error.strerror}."))

    by_place: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    for here, folders, files in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = os.path.join(here, name)
            if name.startswith(".") or not is_image_name(name) or not os.path.isfile(path):
                continue
            below = Path(path).relative_to(folder).as_posix()
            if os.path.islink(path):
                links.append((below, path))
            else:
                by_place[os.path.realpath(path)] = below
    for below, path in sorted(links):  # of two links to one file elsewhere the first
        by_place.setdefault(os.path.realpath(path), below)
    return sorted(by_place.values()), sorted(unread, key=lambda each: each.file)


def _read(root: Path, name: str, verifier: Verifier) -> tuple[Item, Seen]:
    """Return what is known of a file, and how the verifier sees it. Raises BadImage."""
    path, view = root / name, view_of(verifier)
    prepare = partial(prepared, view=view)
    image, (width, height) = read_picture(path, lambda picture: (seen(picture, view), picture.size), prepare)
    check_seen(image, str(path), view)
    try:
        with open(path, "rb", opener=open_named) as file:
            facts, sha256 = os.fstat(file.fileno()), hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadImage(f"{path} cannot be read: {error.strerror or error}") from error
    item = Item(name=name, sha256=sha256, size=facts.st_size, mtime_ns=facts.st_mtime_ns, width=width, height=height)
    return item, image


def _judged(item: Item, image: Seen, novelty: float | None, verifier: Verifier) -> Item:
    """Return a file with the reasons why the verifier cannot judge it."""
    doubts = doubts_about(item.name, image, novelty, verifier.of_drawings)
    reasons = tuple(doubt.removeprefix(f"{item.name}: ") for doubt in doubts)
    return Item(**{**vars(item), "reasons": reasons})
