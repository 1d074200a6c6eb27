"""What a place of pictures holds: each image file with its class, and its split, group and source if they are given.

    listing = list_images(Path("products"))
    listing.files[0]  # ListedFile(path="milk/a.jpg", label="milk", ...)

The place is a folder, or a table of paths and labels (data.table). Nothing is opened, copied or moved here.

A folder: the class of an image is the folder that directly holds it, at any depth. Where class folders lie in folders
of their own, those are the groups. Folders `train`, `val` and `test` at the top are a given split. Links to folders are
not followed, so no circle and no other tree is read; hidden names are passed over.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from omnitwin.errors import BadInput
from omnitwin.images.kinds import is_image_name

TRAINING, HELD_OUT, TEST = "training", "held-out", "test"  # parts of a set
SPLITS = {  # words for the parts, in folders' names and in tables
    "train": TRAINING,
    "training": TRAINING,
    "val": HELD_OUT,
    "valid": HELD_OUT,
    "validation": HELD_OUT,
    "dev": HELD_OUT,
    "test": TEST,
    "testing": TEST,
}
FIELDS = ("label", "group", "source", "split")  # that a pattern may name
NOT_PICTURES = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # that systems leave in folders
DEEPEST = 100  # folders in folders: a deeper tree is made by a program gone wrong, or to do harm


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """An image file, and what its place or its line in a table says of it.

    path: from the listing's root, with slashes; or absolute, if a table says so
    box: left, top, right and bottom of the part to take, in pixels; None: the whole image
    """

    path: str
    label: str
    split: str | None = None
    group: str | None = None
    source: str | None = None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Something in the place that is no image of the set, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The image files of a place, sorted by class and path, and what was left out.

    root: the folder from which the paths lead
    place: the folder or table that was given
    others: number of files that are no images by their names
    """

    place: Path
    root: Path
    files: tuple[ListedFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    others: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted."""
        return tuple(sorted({file.label for file in self.files}))

    @property
    def has_split(self) -> bool:
        """Whether the place itself says which images are for training and which for a test."""
        return any(file.split is not None for file in self.files)

    @property
    def has_groups(self) -> bool:
        """Whether the classes lie in groups."""
        return any(file.group is not None for file in self.files)

    def location(self, file: ListedFile) -> Path:
        """Return the path of a file."""
        return self.root / file.path


def list_folder(folder: Path, pattern: str | None = None) -> Listing:
    """List the images below a folder.

    pattern: a regular expression that finds the class in a file's path from the folder, written with slashes: its group
    `label`, else its first group, else what it matches. The groups `group`, `source` and `split` are understood, too.

    Raises BadInput if the pattern is none, or no image is found.

    >>> list_folder(Path("faces"), r"(?P<label>s\\d+)_(?P<source>cam\\d)").classes
    ('s1', 's2')
    """
    expression = compiled(pattern) if pattern is not None else None
    left_out: list[LeftOut] = []
    names: list[str] = []
    others = 0
    for name, image in _walk(folder, left_out):
        if image:
            names.append(name)
        else:
            others += 1
    if not names:
        raise BadInput(f"{folder} holds no image files", "Give a folder with a folder of images for each class.")
    files = _by_pattern(names, expression, left_out) if expression else list(_by_folders(names, folder))
    if not files:
        raise BadInput(f"the pattern {pattern!r} matches none of the {len(names):,} image files", f"First: {names[0]}")
    return Listing(place=folder, root=folder, files=in_order(files), left_out=tuple(left_out), others=others)


def in_order(files: Iterable[ListedFile]) -> tuple[ListedFile, ...]:
    """Return files by group, class and path, so that the rows of a class, and the classes of a group, lie together.

    A class that lies in several groups has the first of them; a group that is the only one says nothing and is dropped.
    """
    files = list(files)
    group_of: dict[str, str | None] = {}
    for file in sorted(files, key=lambda file: file.group or ""):
        group_of.setdefault(file.label, file.group)
    if len(set(group_of.values())) < 2:
        group_of = dict.fromkeys(group_of)
    grouped = (replace(file, group=group_of[file.label]) for file in files)
    return tuple(sorted(grouped, key=lambda file: (file.group or "", file.label, file.path, file.box or ())))


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern for classes. Raises BadInput if it is no regular expression."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise BadInput(
            f"{pattern!r} is no regular expression: {error}", r"For example: --label-from '(\d+)_'"
        ) from error


def split_of(word: str) -> str | None:
    """Return the part that a word such as `train` or `val` stands for, or None."""
    return SPLITS.get(word.strip().lower())


def _walk(folder: Path, left_out: list[LeftOut]) -> Iterator[tuple[str, bool]]:
    """Yield each file below a folder, sorted, by its path from there, and whether its name is an image's."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            left_out.append(LeftOut(path=below or ".", reason=f"may not be read: {error.strerror or error}"))
            continue
        folders = []
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.name.startswith(".") or entry.name in NOT_PICTURES:
                continue
            kind = _kind(entry)
            if kind == "folder":
                folders.append(name)
            elif kind == "file":
                yield name, is_image_name(entry.name)
            else:
                left_out.append(LeftOut(path=name, reason=kind))
        deep = [name for name in folders if name.count("/") >= DEEPEST]
        left_out += [LeftOut(path=name, reason=f"lies more than {DEEPEST} folders deep") for name in deep]
        waiting += [name for name in reversed(folders) if name not in deep]


def _kind(entry: os.DirEntry[str]) -> str:
    """Return `file`, `folder`, or why an entry is neither."""
    try:
        if entry.is_symlink():
            if entry.is_dir():
                return "is a link to a folder, which is not followed"
            return "file" if entry.is_file() else "is a link that leads to no file"
        if entry.is_dir():
            return "folder"
        return "file" if stat.S_ISREG(entry.stat().st_mode) else "is a pipe or a device"
    except OSError as error:
        return f"may not be read: {error.strerror or error}"


def _by_folders(names: list[str], folder: Path) -> Iterator[ListedFile]:
    """Yield the files with the classes that their folders say."""
    tops = {name.split("/")[0] for name in names if "/" in name}
    split = len(tops) > 1 and all(split_of(top) for top in tops) and all("/" in name for name in names)
    for name in names:
        parts = PurePosixPath(name).parts
        inside = parts[1:] if split else parts
        label = "/".join(inside[:-1]) or folder.resolve().name or "images"
        yield ListedFile(
            path=name,
            label=label,
            split=split_of(parts[0]) if split else None,
            group="/".join(inside[:-2]) or None,
        )


def _by_pattern(names: list[str], expression: re.Pattern[str], left_out: list[LeftOut]) -> list[ListedFile]:
    files = []
    for name in names:
        found = expression.search(name)
        values = found.groupdict() if found else {}
        label = values.get("label") or (found and (found[1] if expression.groups else found[0]))
        if not label:
            left_out.append(LeftOut(path=name, reason="does not match the pattern"))
            continue
        files.append(
            ListedFile(
                path=name,
                label=label,
                split=split_of(values.get("split") or ""),
                group=values.get("group") or None,
                source=values.get("source") or None,
            )
        )
    return files
