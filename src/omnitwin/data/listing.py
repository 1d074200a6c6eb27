"""What a place of pictures holds: each image file with its class, and its split, group and source if they are given.

listing = list_images(Path("products"))     # of data.places
listing.files[0]  # ListedFile(path="milk/a.jpg", label="milk", ...)
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

TRAINING, HELD_OUT, TEST = "training", "held-out", "test"  # parts of a set
PARTS = (TRAINING, HELD_OUT, TEST)
SPLITS = {  # words for the parts, in folders' names and in tables
    "train": TRAINING,
    "training": TRAINING,
    "val": HELD_OUT,
    "valid": HELD_OUT,
    "validation": HELD_OUT,
    "dev": HELD_OUT,
    "held-out": HELD_OUT,
    "test": TEST,
    "testing": TEST,
}
NAMED = 3  # names in a note


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
    """The image files of a place, sorted by group, class and path, and what was left out.

    root: the folder from which the paths lead
    place: the folder or table that was given
    others: number of files that are no images by their names
    notes: what a person should know of how the place was understood
    """

    place: Path
    root: Path
    files: tuple[ListedFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    others: int = 0
    notes: tuple[str, ...] = ()

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


def in_order(files: Iterable[ListedFile]) -> tuple[ListedFile, ...]:
    """Return files by group, class and path, so that the rows of a class, and the classes of a group, lie together.

    A class that lies in several groups has the first of them; a group that is the only one says nothing and is dropped.
    """
    files = list(files)
    group_of: dict[str, str | None] = {}
    for file in files:
        known = group_of.get(file.label)
        group_of[file.label] = file.group if known is None else min(known, file.group or known)
    if len(set(group_of.values())) < 2:
        group_of = dict.fromkeys(group_of)
    grouped = (
        file if file.group == group_of[file.label] else replace(file, group=group_of[file.label]) for file in files
    )
    return tuple(sorted(grouped, key=lambda file: (file.group or "", file.label, file.path, file.box or ())))


def alike(names: Iterable[str]) -> tuple[str, ...]:
    """Return a note if names of classes differ only by case or by their Unicode form: is that one class or two?"""
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    found = [sorted(each) for each in spellings.values() if len(each) > 1]
    if not found:
        return ()
    shown = ", ".join(" and ".join(each) for each in sorted(found)[:NAMED])
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return (f"classes whose names differ only by case or Unicode form count as different: {shown}{more}",)
