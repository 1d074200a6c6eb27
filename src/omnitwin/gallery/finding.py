"""Find the image files of a gallery: files as they are given, and all that lie in folders, at any depth.

    found = find([Path("photos")], exclude=["*.gif", "old/*"])
    found.files[0].name  # "2024/a.jpg", from found.root

Hidden names are passed over. Links to folders are not followed, links to files are. A file of the disk is one image,
whatever names it has: of hard links the first name counts, of symbolic links the file itself, and the report tells how
many names were left out.
"""

import csv
import io
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from omnitwin.data.folder import NOT_READ, walk
from omnitwin.data.listing import LeftOut
from omnitwin.data.table import COLUMNS, SEPARATORS
from omnitwin.errors import BadInput
from omnitwin.reports.answers import UnreadImage
from omnitwin.system.plain import open_named

STANDARD_INPUT = "-"
LARGEST_LIST = 1 << 30  # bytes of a list of files: several million lines


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file that may be an image.

    name: its path from the root, with `/` on every system
    path: its absolute path
    size, mtime_ns: as of Item
    """

    name: str
    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """The image files that places stand for.

    root: the folder, an absolute path, that all of them lie in
    places: absolute paths of what was given
    files: sorted by name
    unread: files and folders that cannot be read, with the reason
    closed: names of folders that may not be read: nobody knows what is in them now
    links: number of further names of the same files
    others: number of files in folders that are no images by their names
    """

    root: Path
    places: tuple[str, ...]
    files: tuple[FoundFile, ...]
    unread: tuple[UnreadImage, ...] = ()
    closed: tuple[str, ...] = ()
    links: int = 0
    others: int = 0


def find(places: Sequence[Path], exclude: Sequence[str] = (), listed: str | None = None) -> Found:
    """Return the image files of places and of a list.

    listed: as read_list takes it
    exclude: patterns of names that are left out in folders, as fnmatch understands them

    Raises BadInput if a place is missing or may not be read, or no image file is found: what is out of reach is never
    taken for empty.
    """
    given = [os.path.abspath(place) for place in places]
    if listed is not None:
        given += [os.path.abspath(path) for path in read_list(listed)]
    if not given:
        raise BadInput("no images were named", "Name folders or image files.")
    folders = {place for place in given if _kind_of(place, listed is not None) == "folder"}
    root = _root_of(given, folders)
    finding = _Finding(root, exclude)
    for place in given:
        if place in folders:
            finding.search(place)
        else:
            finding.take(place)
    return finding.found(given if listed is None else [os.path.abspath(place) for place in places])


def read_list(listed: str) -> list[str]:
    """Return the paths in a list: a table with a column `path`, or a path a line, or paths that end with zero bytes.

    listed: a file, or `-` for standard input. Paths lead from the file's folder, or from the working folder

    Raises BadInput.

    >>> read_list("photos.csv")
    ['/home/me/photos/a.jpg', '/home/me/photos/b.jpg']
    """
    try:
        if listed == STANDARD_INPUT:
            content = sys.stdin.buffer.read(LARGEST_LIST + 1)
        else:
            with open(listed, "rb", opener=open_named) as file:
                content = file.read(LARGEST_LIST + 1)
    except (OSError, AttributeError) as error:  # standard input may be closed
        raise BadInput(f"{listed} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > LARGEST_LIST:
        raise BadInput(f"{listed} has more than {LARGEST_LIST:,} bytes", "Split it into several lists.")
    base = "" if listed == STANDARD_INPUT else os.path.dirname(os.path.abspath(listed))
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    paths = [os.path.join(base, path) for path in _paths_in(text, listed) if path]
    if not paths:
        raise BadInput(f"{listed} lists no images", "Give a path a line, or a table with the column path.")
    return paths


def _paths_in(text: str, listed: str) -> list[str]:
    if "\0" in text:  # find -print0
        return text.split("\0")
    lines = text.splitlines() if "\r" in text else text.split("\n")
    first = lines[0] if lines else ""
    separator = max(SEPARATORS, key=first.count)
    header = [word.strip().lower() for word in next(csv.reader([first], delimiter=separator), [])]
    column = next((header.index(name) for name in COLUMNS["path"] if name in header), None)
    if column is None:
        return lines
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise BadInput(f"{listed} cannot be read as a table: {error}") from error
    return [row[column] for row in rows[1:] if column < len(row)]


def _kind_of(place: str, listed: bool) -> str:
    """Return `folder` or `file`. Raises BadInput if nothing is there, unless a list says so: then it is a file."""
    try:
        mode = os.stat(place).st_mode
    except (OSError, ValueError) as error:
        if listed:
            return "file"
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{place} cannot be used: {reason}", "Name folders or image files that are there.") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode) and not listed:
        raise BadInput(f"{place} is a pipe or a device", "Name folders or image files.")
    return "folder" if stat.S_ISDIR(mode) else "file"


def _root_of(given: Iterable[str], folders: set[str]) -> Path:
    """Return the folder that all places lie in. Raises BadInput if there is none, as on two drives of Windows."""
    try:
        return Path(os.path.commonpath([place if place in folders else os.path.dirname(place) for place in given]))
    except ValueError as error:
        raise BadInput("the places lie in no one folder", "Index those of each drive alone.") from error


class _Finding:
    """What is found so far."""

    def __init__(self, root: Path, exclude: Sequence[str]) -> None:
        self.root, self.exclude = root, exclude
        self.files: dict[str, tuple[FoundFile, tuple[int, int], bool]] = {}  # by name: file, identity, whether a link
        self.unread: list[UnreadImage] = []
        self.closed: list[str] = []
        self.others = 0

    def search(self, folder: str) -> None:
        """Take the images below a folder, and note what cannot be read."""
        left_out: list[LeftOut] = []
        for name, image in walk(Path(folder), left_out, self._is_excluded):
            if image:
                self.take(os.path.join(folder, name))
            else:
                self.others += 1
        for each in left_out:
            if each.reason.startswith(NOT_READ):
                path = os.path.normpath(os.path.join(folder, each.path))
                if path == folder:
                    raise BadInput(f"{folder} {each.reason}", "Check its permissions.")
                self.unread.append(UnreadImage(file=Path(path), problem=f"{path} {each.reason}."))
                self.closed.append(self._name(path))

    def take(self, path: str) -> None:
        name = self._name(path)
        try:
            there, link = os.stat(path), os.path.islink(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self.unread.append(UnreadImage(file=Path(path.replace("\0", "")), problem=f"{path} {NOT_READ}: {reason}."))
            return
        file = FoundFile(name=name, path=path, size=there.st_size, mtime_ns=there.st_mtime_ns)
        self.files[name] = file, (there.st_dev, there.st_ino), link

    def found(self, places: Sequence[str]) -> Found:
        """Return each file of the disk once. Raises BadInput if there is none."""
        if not self.files:
            what = self.unread[0].problem if self.unread else f"{self.root} holds no image files"
            more = f", but {self.others:,} of other kinds" if self.others and not self.unread else ""
            raise BadInput(f"{what.rstrip('.')}{more}", "Name folders or image files.")
        kept: dict[object, FoundFile] = {}
        for name, (file, identity, _) in sorted(self.files.items(), key=lambda each: (each[1][2], each[0])):
            kept.setdefault(identity if identity[1] else name, file)  # some disks give no identity
        files = sorted(kept.values(), key=lambda file: file.name)
        return Found(
            root=self.root,
            places=tuple(dict.fromkeys(places)),
            files=tuple(files),
            unread=tuple(self.unread),
            closed=tuple(self.closed),
            links=len(self.files) - len(files),
            others=self.others,
        )

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def _is_excluded(self, name: str) -> bool:
        last = name.rpartition("/")[2]
        return any(fnmatchcase(name, pattern) or fnmatchcase(last, pattern) for pattern in self.exclude)


def is_below(name: str, folders: Iterable[str]) -> bool:
    """Return whether a name lies in one of the folders of these names."""
    return any(name.startswith(f"{folder}/") for folder in folders)
