"""Divide a listing into training, held-out and test images: by classes, unless the place says it itself.

    parts = divided(listing, seed=0)
    parts.part_N[7]  # "test": the part of the eighth file

Each class has a number from 0 to 1, a hash of the seed and its name. Below TEST_SHARE it is a test class, below
TEST_SHARE + HELD_OUT_SHARE it is held out, else it is trained on. So a class keeps its part whatever classes come and
go beside it. Where classes lie in groups, the group's name is hashed, and the group keeps its classes together.

A part needs two classes, and one of them two images, or no pairs can be drawn of it. In small sets, chance may leave a
part with less. Then the classes (or groups) with the next higher numbers fill it up, or leave it to the next
part, and may move when others are added: a rule without memory cannot keep both a promise and a least size. From about
thirty classes on this is rare. From six classes on there are all three parts; with fewer there is no test, and below
four nothing is held out either.

Names are hashed in Unicode form NFC, so that a folder copied through another system keeps its split.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from omnitwin.data.listing import HELD_OUT, PARTS, TEST, TRAINING, Listing
from omnitwin.errors import BadInput

TEST_SHARE, HELD_OUT_SHARE = 0.20, 0.15  # of the classes
LEAST_CLASSES = 2  # of a part
LEAST_IN_ALL = 4  # classes: two to train on and two that choose the threshold


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The part of each file of a listing.

    given: whether the place itself says which parts there are
    shared: number of test classes that are trained on, too: such a test says nothing about new classes
    """

    part_N: tuple[str, ...]
    given: bool = False
    shared: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Unit:
    """A class, or a group of classes, that stays together."""

    number: float  # from 0 to 1
    labels: tuple[str, ...]
    pairable: int  # classes with two images or more


def number_of(seed: int, name: str) -> float:
    """Return a class's number, from 0 up to 1, by a hash of the seed and its name.

    >>> number_of(0, "milk")
    0.2837...
    """
    key = f"{seed}\0{unicodedata.normalize('NFC', name)}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") / 2**64


def divided(listing: Listing, seed: int = 0) -> Parts:
    """Return the part of each file: the given one, or the one that the class's hash says."""
    if {file.split for file in listing.files} - {None, TRAINING}:
        return _given(listing, seed)
    counts = Counter(file.label for file in listing.files)
    group_of = {file.label: file.group for file in listing.files}
    part_of = _divide(_units(counts, group_of, seed), (TEST, HELD_OUT, TRAINING))
    missing = [part for part in (TEST, HELD_OUT) if part not in part_of.values()]
    note = f"there are too few classes for a {' and a '.join(missing)} part" if missing else ""
    return Parts(part_N=tuple(part_of[file.label] for file in listing.files), notes=(note,) if note else ())


def why_untrainable(labels: Iterable[str]) -> str | None:
    """Return what a set lacks to be trained on, or None. labels: the class of each image"""
    counts = Counter(labels)
    if len(counts) < LEAST_IN_ALL:
        have = f"{len(counts)} class{'' if len(counts) == 1 else 'es'}"
        return f"it has {have}, and training needs at least {LEAST_IN_ALL}"
    if max(counts.values()) < 2:
        return "no class has two images, and training needs similar pairs"
    return None


def check_trainable(listing: Listing) -> None:
    """Raise BadInput if a set cannot be trained on, with what is missing."""
    if lack := why_untrainable(file.label for file in listing.files):
        raise BadInput(f"{listing.place} cannot be trained on: {lack}", "Add images, a folder for each class.")


def _given(listing: Listing, seed: int) -> Parts:
    """Return the parts that the place names. Without one of its own, held-out classes come from the training classes.

    A split of two parts is for training and testing, whatever the second is called: its classes choose nothing.
    """
    part_N = [file.split or TRAINING for file in listing.files]
    notes = [] if TRAINING in part_N else ["the split names no images for training"]
    if TEST not in part_N:
        part_N = [TEST if part == HELD_OUT else part for part in part_N]
        notes.append("the split names two parts: the second is the test")
    labels = [file.label for file in listing.files]
    if HELD_OUT not in part_N:
        inside = [label for label, part in zip(labels, part_N, strict=True) if part == TRAINING]
        group_of = {file.label: file.group for file in listing.files}
        part_of = _divide(_units(Counter(inside), group_of, seed), (HELD_OUT, TRAINING))
        part_N = [part_of[label] if part == TRAINING else part for label, part in zip(labels, part_N, strict=True)]
        if HELD_OUT in part_N:
            notes.append("the held-out classes are taken from those for training")
    classes = {part: {label for label, own in zip(labels, part_N, strict=True) if own == part} for part in PARTS}
    shared = len(classes[TEST] & (classes[TRAINING] | classes[HELD_OUT]))
    if shared:
        notes.append(
            f"closed set: {shared:,} test classes are trained on, too, so the test says nothing of new classes"
        )
    return Parts(part_N=tuple(part_N), given=True, shared=shared, notes=tuple(notes))


def _units(counts: Counter[str], group_of: dict[str, str | None], seed: int) -> list[_Unit]:
    """Return the groups, or without groups the classes, by their numbers."""
    grouped = any(group_of[label] is not None for label in counts)
    inside: dict[str, list[str]] = {}
    for label in counts:
        inside.setdefault((group_of[label] or "") if grouped else label, []).append(label)
    units = [
        _Unit(number_of(seed, name), tuple(labels), sum(counts[label] > 1 for label in labels))
        for name, labels in sorted(inside.items())
    ]
    return sorted(units, key=lambda unit: unit.number)


def _divide(units: Sequence[_Unit], wanted: Sequence[str]) -> dict[str, str]:
    """Return the part of each class. Of the wanted parts the first ones are left out if there are too few classes."""
    parts = wanted[len(wanted) - max(1, min(len(wanted), _parts_in(units, len(wanted)))) :]
    bounds = {TEST: TEST_SHARE, HELD_OUT: TEST_SHARE + HELD_OUT_SHARE if TEST in parts else HELD_OUT_SHARE}
    part_of: dict[str, str] = {}
    first = 0
    for index, part in enumerate(parts[:-1]):
        taken: list[_Unit] = []
        while units[first].number < bounds[part] or not _is_enough(taken):
            later = len(parts) - index - 1
            if _is_enough(taken) and _parts_in(units, later, first + 1) < later:
                break
            taken.append(units[first])
            first += 1
        part_of |= {label: part for unit in taken for label in unit.labels}
    return part_of | {label: parts[-1] for unit in units[first:] for label in unit.labels}


def _parts_in(units: Sequence[_Unit], most: int, start: int = 0) -> int:
    """Return how many parts, at most `most`, the units from `start` on make in this order that are enough."""
    count, taken = 0, list[_Unit]()
    for place in range(start, len(units)):
        taken.append(units[place])
        if _is_enough(taken):
            count, taken = count + 1, []
            if count == most:
                break
    return count


def _is_enough(units: Sequence[_Unit]) -> bool:
    """Return whether pairs of both kinds can be drawn of some classes."""
    return sum(len(unit.labels) for unit in units) >= LEAST_CLASSES and any(unit.pairable for unit in units)
