"""Open a gallery: an index, or the image files below a folder, which are embedded for it.

    verifier = verifier_for("photos")
    gallery = gallery_of("photos", verifier)

A folder with images comes before an index of its name.
"""

import os
from dataclasses import replace
from pathlib import Path

from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.gallery import embedding
from omnitwin.gallery.finding import find
from omnitwin.gallery.gallery import Gallery
from omnitwin.gallery.index import read_gallery
from omnitwin.gallery.indexes import find_index
from omnitwin.gallery.stored import Head, read_head
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.paths import INDEX_FILE, index_folders

OTHER_NETWORK = "Say where its weights are: --checkpoint NAME, or index the images with another network: --rebuild"


def verifier_for(place: str | Path, checkpoint: str | None = None, device: str = "cpu") -> Verifier:
    """Return the verifier of a place: an index's own, or that of a checkpoint. Raises BadInput, BadCheckpoint."""
    if (folder := index_at(place)) is None:
        return open_verifier(checkpoint, device)
    return verifier_of(folder, read_head(folder / INDEX_FILE), checkpoint, device)


def gallery_of(
    place: str | Path, verifier: Verifier, reporter: Reporter = SILENT, processes: int | None = None
) -> Gallery:
    """Return the images of an index, or those below a folder, embedded.

    Hidden names are left out, and links to folders are not followed. Files that cannot be read, or are blank, are in
    `unread`. Of several names of a file one counts.

    Raises BadInput if there is neither index nor folder, an index is of another network, or no image can be read.
    """
    view_of(verifier)
    if (folder := index_at(place)) is not None:
        head, gallery = read_gallery(folder)
        check_same(folder, head, verifier)
        return gallery
    if not os.path.isdir(place):
        raise BadInput(f"{place} is no folder", "Give a folder of images, or an index (omnitwin index --list).")
    found = embedding.gallery_of(find([Path(place)]), verifier, reporter, processes)
    return replace(found, root=Path(place))  # as it was given


def index_at(place: str | Path) -> Path | None:
    """Return the folder of the index that a place names, or None if it names a folder of images, or nothing."""
    if os.path.isdir(place):
        return Path(os.path.abspath(place)) if (Path(place) / INDEX_FILE).is_file() else None
    named = any(folder.name == str(place) for folder in index_folders())
    return find_index(str(place)) if named else None


def verifier_of(
    folder: Path, head: Head, checkpoint: str | None, device: str, verifier: Verifier | None = None
) -> Verifier:
    """Return the verifier that an index was made with. Raises BadInput if it is another, or there no more.

    verifier: an open one, in place of the one that the index names
    """
    if verifier is None:
        try:
            verifier = open_verifier(checkpoint or head.network, device)
        except BadCheckpoint as error:
            if checkpoint is not None:
                raise
            raise BadInput(f"the network of {folder} cannot be used: {error}", OTHER_NETWORK) from error
    check_same(folder, head, verifier)
    return verifier


def check_same(folder: Path, head: Head, verifier: Verifier) -> None:
    """Raise BadInput unless a verifier has the weights that an index was made with."""
    if verifier.sha256 != head.weights_sha256:
        raise BadInput(
            f"{folder} was made with other weights ({head.network}) than those of {verifier.name}", OTHER_NETWORK
        )
