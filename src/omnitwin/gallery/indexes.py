"""The indexes that there are: find one by its name or folder, list them, remove one.

find_index("photos")     # its folder
list_indexes().indexes
remove_index("photos")
"""

import os
import re
import shutil
import time
from pathlib import Path

from omnitwin.config import IndexConfig, check_folder_name
from omnitwin.errors import BadInput, CannotWrite, OmnitwinError
from omnitwin.gallery.stored import read_head
from omnitwin.reports.galleries import IndexList, IndexRemoval, StoredIndex
from omnitwin.system.locks import LOCK_FILE, comes_and_goes, hold, holder_of, private_folder
from omnitwin.system.paths import INDEX_FILE, expand, index_folders, indexes_folder, unlinked
from omnitwin.system.plain import files_below, is_plain

PART = re.compile(r"omnitwin-part-\d{1,12}\.safetensors")
NAMED = 5  # indexes that a message names


def folder_for(config: IndexConfig) -> Path:
    """Return the folder of the index to make. Raises BadInput if its first place can give it no name."""
    if config.output is not None:
        return Path(os.path.abspath(config.output))
    if config.name is not None:
        return unlinked(indexes_folder() / config.name)
    if not config.places:
        what = "an index of a list of images" if config.listed else "the index to bring up to date"
        raise BadInput(f"{what} needs a name", "Give --name NAME or --output FOLDER.")
    name = Path(os.path.abspath(config.places[0])).name
    try:
        check_folder_name(name, "index")
    except BadInput as error:
        raise BadInput(f"the index needs a name: {error}", "Give --name NAME or --output FOLDER.") from error
    return unlinked(indexes_folder() / name)


def find_index(name: str | None = None) -> Path:
    """Return the folder of an index: of a name, or of a path; None: the only one there is.

    A name comes before a folder of that name. Raises BadInput if there is none.
    """
    found = index_folders()
    if name is None:
        if len(found) == 1:
            return found[0]
        if not found:
            raise BadInput("there is no index to search", "Make one: omnitwin index FOLDER, or search --in FOLDER.")
        raise BadInput(f"there are {len(found):,} indexes: {_some(found)}", "Say which: --index NAME")
    for folder in found:
        if folder.name == name:
            return folder
    path = expand(name)
    if (path / INDEX_FILE).is_file():
        return Path(os.path.abspath(path))
    if path.is_dir():
        raise BadInput(
            f"{name} is a folder without an index", f"Make one: omnitwin index {name}, or search --in {name}"
        )
    raise BadInput(f"no index is called {name}", f"There are {_some(found)}." if found else "Make one: omnitwin index")


def parts_of(folder: Path) -> list[Path]:
    """Return the parts of an index that is being made, or was, in the order in which they were written."""
    try:
        found = [path for path in folder.iterdir() if PART.fullmatch(path.name) and is_plain(path)]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.stem.rpartition("-")[2]))


def list_indexes() -> IndexList:
    """Return the indexes in omnitwin's data folder; one that cannot be used is listed with its problem.

    >>> [index.name for index in omnitwin.list_indexes().indexes]
    ['photos']
    """
    return IndexList(folder=indexes_folder(), indexes=tuple(map(_stored, index_folders())))


def remove_index(name: str) -> IndexRemoval:
    """Remove an index of omnitwin's data folder for good. The images that it is of stay as they are.

    Raises BadInput for a name that is none, and for a folder with files that omnitwin did not write; FolderInUse.

    >>> omnitwin.remove_index("photos")
    """
    folder = next((folder for folder in index_folders() if folder.name == name), None)
    if folder is None:
        raise BadInput(f"no index is called {name}", "List them: omnitwin index --list")
    inside = list(folder.iterdir())
    if foreign := sorted(path.name for path in inside if not _is_ours(path)):
        raise BadInput(f"{folder} also holds {', '.join(foreign[:3])}", "Move that away, or remove it yourself.")
    size = _bytes_of(folder)
    try:
        with hold(folder), private_folder(indexes_folder()) as waste:
            for path in folder.iterdir():
                if path.name != LOCK_FILE:
                    shutil.move(path, waste / path.name)
        if folder.exists():
            folder.rmdir()
    except OSError as error:
        raise CannotWrite(f"cannot remove {folder}: {error.strerror or error}") from error
    return IndexRemoval(name=name, folder=folder, bytes=size)


def _is_ours(path: Path) -> bool:
    named = path.name == INDEX_FILE or PART.fullmatch(path.name)
    return comes_and_goes(path) or (bool(named) and is_plain(path))


def _stored(folder: Path) -> StoredIndex:
    head, problem = None, None
    try:
        if not (folder / INDEX_FILE).exists() and parts_of(folder):
            problem = "it is not complete: the same command goes on with it"
        else:
            head = read_head(folder / INDEX_FILE)
    except OmnitwinError as error:
        problem = str(error)
    return StoredIndex(
        name=folder.name,
        folder=folder,
        root=Path(head.root) if head else None,
        images=head.images if head else None,
        network=head.network if head else None,
        age=max(0.0, time.time() - head.updated) if head else None,
        bytes=_bytes_of(folder),
        holder=holder_of(folder),
        problem=problem,
    )


def _bytes_of(folder: Path) -> int:
    """Return the bytes of the files in a folder that are there now."""
    total = 0
    try:
        for entry in files_below(folder):
            total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        pass
    return total


def _some(found: list[Path]) -> str:
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return ", ".join(folder.name for folder in found[:NAMED]) + more
