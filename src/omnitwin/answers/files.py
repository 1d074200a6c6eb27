"""Image files: which ones a list of files and folders stands for, and how each is read for a verifier."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from omnitwin.answers.verifier import Verifier
from omnitwin.errors import BadImage, BadInput
from omnitwin.images.kinds import is_image_name
from omnitwin.images.views import Seen, check_seen, read_image
from omnitwin.recipes import View
from omnitwin.reports.answers import LeftOut, UnreadImage


@dataclass
class FoundFiles:
    """The image files that a list of files and folders stands for.

    files: image files, none twice
    unread: folders that hold no image file or may not be read, with the reason
    left_out: subfolders and other files in the folders, which are not searched
    """

    files: list[Path] = field(default_factory=list)
    unread: list[UnreadImage] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def find_images(places: Iterable[Path], query: Path) -> FoundFiles:
    """Return files as they are, and for each folder the image files in it by name; never the query.

    Spellings and links of one file count once, as the first one given. Folders inside a folder are not searched. Raises
    BadInput if nothing but the query is left.
    """
    found = FoundFiles()
    by_place: dict[str, Path] = {}
    for place in places:
        for file in _files_of(place, found) if os.path.isdir(place) else [place]:
            by_place.setdefault(os.path.realpath(file), file)
    by_place.pop(os.path.realpath(query), None)
    found.files = list(by_place.values())
    if not found.files and not found.unread:
        raise BadInput(f"Nothing is left to rank: {query} itself was the only image given", "Name others, too.")
    return found


def read(path: Path, verifier: Verifier, shown: bool = False, forms: bool = False) -> Seen:
    """Return an image as the verifier sees it, with shown also as a person sees it. forms: an empty form passes

    Raises BadImage if the file is no image or is blank, BadInput if the verifier takes no files.
    """
    view = view_of(verifier)
    found = read_image(path, view, shown)
    check_seen(found, str(path), view, forms)
    return found


def view_of(verifier: Verifier) -> View:
    """Return the view that files are read for; BadInput if a verifier takes no files."""
    view = verifier.view
    if view is None or verifier.description is None:
        raise BadInput(f"the baseline {verifier.name} takes exams, not image files", "Use a trained network.")
    if view.channels not in (1, 3):
        raise BadInput(
            f"{verifier.name} sees images of {view.channels} channels, not files",
            "Give a network for 1 or 3 channels, or measure this one: omnitwin.evaluate",
        )
    return view


def read_all(files: Iterable[Path], verifier: Verifier) -> Iterator[tuple[Path, Seen | UnreadImage]]:
    """Yield each file with its image, or with the problem that keeps it from being read."""
    for file in files:
        try:
            yield file, read(file, verifier)
        except BadImage as error:
            yield file, UnreadImage(file=file, problem=error.line())


def _files_of(folder: Path, found: FoundFiles) -> list[Path]:
    """Return the image files of a folder by name, and note its other content in found. Hidden names don't count."""
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        subfolders = sum(path.is_dir() for path in inside)
        images = [path for path in inside if _is_image(path)]
    except OSError as error:
        found.unread.append(UnreadImage(file=folder, problem=f"{folder} may not be read: {error.strerror}."))
        return []
    among = set(images)
    names = tuple(path.name for path in inside if path not in among)
    left_out = LeftOut(folder=folder, subfolders=subfolders, files=len(names) - subfolders, names=names)
    if not images:
        found.unread.append(UnreadImage(file=folder, problem=_without_images(left_out)))
    elif left_out.subfolders or left_out.files:
        found.left_out.append(left_out)
    return images


def _is_image(path: Path) -> bool:
    return is_image_name(path.name) and path.is_file()


def _without_images(left_out: LeftOut) -> str:
    folder, subfolders, files = left_out.folder, left_out.subfolders, left_out.files
    if subfolders == 1:
        return f"{folder} holds no image files itself; its subfolder was not searched. Name that one."
    if subfolders:
        return (
            f"{folder} holds no image files itself; its {subfolders:,} subfolders were not searched. Name one of them."
        )
    if files == 1:
        return f"{folder} holds no image files, but 1 file of another kind."
    if files:
        return f"{folder} holds no image files, but {files:,} files of other kinds."
    return f"{folder} holds no image files."
