"""Divide a listing into training, held-out and test images: by classes, unless the place says it itself.

    parts = divided(listing, seed=0)
    parts.part_N[7]  # "test": the part of the eighth file

Each class has a number from 0 to 1, a hash of the seed and its name. The classes below TEST_SHARE are for the test, the
next ones up to TEST_SHARE + HELD_OUT_SHARE are held out, the others are trained on. In small sets, chance would make
parts of one or two classes. So each part has a least count: its share of all classes, or of FULL classes if there are
more. Too small a part takes the classes with the next numbers. Up to FULL classes the shares are thus exact; beyond,
only the hash decides, once it gives each part its share of FULL.

What is promised, and tested:

- Once the hash alone gives each part its share of FULL (20, 15 and 65 classes), adding classes moves no other, ever.
  With 150 classes that is so for 96 of 100 seeds, with 200 for all but 1 of 2,000.
- Before, adding a class moves at most one class from the test to the held-out part or back, and at most one between
  the held-out and the training part. No class moves from training to the test at once.
- Adding images moves no class, unless a class gets its second one. Then it counts as added.

Only classes with two images count here, as only they make similar pairs. A class with one image goes where its hash
says, and never moves while there are the same parts. From six classes on there are three parts; with fewer there is no
test, and below four nothing is held out.

Where classes lie in groups, groups take the place of classes in all this, and keep their classes together: a class that
joins a group moves no other. If groups are too few or too uneven for that (LEAST_OF_SHARE, MOST_OF_SHARE), classes are
divided, and a note says so.

Names are hashed in Unicode form NFC, so that a folder copied through another system keeps its split.

    N files
"""

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from omnitwin.config import SPLITS
from omnitwin.data.duplicates import Duplicates
from omnitwin.data.listing import HELD_OUT, PARTS, TEST, TRAINING, ListedFile, Listing
from omnitwin.errors import BadInput
from omnitwin.reports.nouns import counted

TEST_SHARE, HELD_OUT_SHARE = 0.20, 0.15  # of the classes
FULL = 100  # classes: up to here the shares are exact, and the test has FEW_CLASSES at most
LEAST_CLASSES = 2  # of a part, with two images each
LEAST_IN_ALL = 4  # classes: two to train on and two that choose the threshold
FEW_CLASSES = 20  # of a test, from which on its figures begin to be worth something
LEAST_OF_SHARE, MOST_OF_SHARE = 0.5, 2.0  # of a part's share, that whole groups may make of it
LEFT_OUT = "left-out"  # the part of files that no part may use
BY_CLASSES, BY_IMAGES = SPLITS
UNGROUPED = "the groups are too few or too uneven to keep each in one part: classes are divided, not groups"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The part of each file of a listing.

    given: whether the place itself says which parts there are
    shared: number of test classes that are trained on, too: such a test says nothing about new classes
    leaks: number of test files that were left out, because another part has the same picture
    """

    part_N: tuple[str, ...]
    given: bool = False
    shared: int = 0
    leaks: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A class, a group of classes, or an image, that stays together.

    counts: whether similar pairs can be drawn of it
    """

    number: float  # from 0 to 1
    names: tuple[str, ...]
    counts: bool = True


def number_of(seed: int, name: str) -> float:
    """Return a class's number, from 0 up to 1, by a hash of the seed and its name.

    >>> number_of(0, "milk")
    0.2837...
    """
    key = f"{seed}\0{unicodedata.normalize('NFC', name)}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") / 2**64


def divided(listing: Listing, seed: int = 0, split: str = BY_CLASSES) -> Parts:
    """Return the part of each file: the given one, or the one that hashes say.

    split: `classes`, so that no test class is trained on; or `images`, a closed set: the images of each class are
    divided, and a test says nothing about new classes

    Raises BadInput for a split by images of a place that names its parts itself.
    """
    if split not in SPLITS:
        raise BadInput(f"no split is called {split!r}", f"Use {' or '.join(SPLITS)}.")
    if {file.split for file in listing.files} - {None, TRAINING}:
        if split == BY_IMAGES:
            raise BadInput(
                f"a split by images has no effect on {listing.place}, which names its parts", "Leave it out."
            )
        return _given(listing, seed)
    if split == BY_IMAGES:
        return _by_images(listing, seed)
    part_of, notes = _divided(listing.files, seed, (TEST, HELD_OUT, TRAINING))
    missing = [part for part in (TEST, HELD_OUT) if part not in part_of.values()]
    if missing:
        enough = LEAST_CLASSES * len(PARTS)
        notes += (
            f"there are too few classes for a {' and a '.join(missing)} part: {enough} with two images are the least; "
            "--split images tests on other images of the same classes",
        )
    return Parts(part_N=tuple(part_of[file.label] for file in listing.files), notes=notes)


def without_leaks(parts: Parts, duplicates: Duplicates) -> Parts:
    """Return parts without the pictures that would judge too kindly. Their part is LEFT_OUT.

    These are the test files whose picture is, exactly or nearly, in another part, and the held-out files whose picture
    is trained on, too: they choose the best checkpoint and the threshold.

    duplicates: of these files with these parts
    """
    leaking = {index for index in duplicates.leaking if parts.part_N[index] == TEST}
    trained = {index for index in duplicates.trained if parts.part_N[index] == HELD_OUT}
    gone = leaking | trained
    part_N = tuple(LEFT_OUT if index in gone else part for index, part in enumerate(parts.part_N))
    notes = [
        _note_on_leaks(len(found), part, elsewhere, part in part_N)
        for found, part, elsewhere in ((leaking, TEST, "another part"), (trained, HELD_OUT, "training"))
        if found
    ]
    return replace(parts, part_N=part_N, leaks=parts.leaks + len(leaking), notes=(*parts.notes, *notes))


def _note_on_leaks(count: int, part: str, elsewhere: str, some_left: bool) -> str:
    which = f"{counted(count, f'{part} image')} {'is' if count == 1 else 'are'}"
    note = f"{which} left out, because {elsewhere} has the same picture or nearly the same"
    return note if some_left else f"{note}: no {part} image is left"


def note_on_few(classes: int) -> str | None:
    """Return what to say of figures over so few test classes, or None if they are enough."""
    if classes >= FEW_CLASSES:
        return None
    which = counted(classes, "test class")
    return f"figures of {which} have wide intervals; omnitwin train --folds 3 (or more) tests every class once"


def why_untrainable(labels: Iterable[str]) -> str | None:
    """Return what a set lacks to be trained on, or None. labels: the class of each image"""
    counts = Counter(labels)
    if len(counts) < LEAST_IN_ALL:
        return f"it has {counted(len(counts), 'class')}, and training needs at least {LEAST_IN_ALL}"
    if max(counts.values()) < 2:
        return "no class has two images, and training needs similar pairs"
    return None


def check_trainable(listing: Listing) -> None:
    """Raise BadInput if a set cannot be trained on, with what is missing."""
    if lack := why_untrainable(file.label for file in listing.files):
        loose = len(listing.classes) == 1 and all("/" not in file.path for file in listing.files)
        raise BadInput(
            f"{listing.place} cannot be trained on: {lack}",
            "Its images lie in it directly, and so are one class: name the folder above, or see --label-from."
            if loose and listing.place.is_dir()
            else "Add images, a folder for each class.",
        )


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
        inside = [file for file, part in zip(listing.files, part_N, strict=True) if part == TRAINING]
        part_of, said = _divided(inside, seed, (HELD_OUT, TRAINING))
        part_N = [part_of[label] if part == TRAINING else part for label, part in zip(labels, part_N, strict=True)]
        notes += said
        if HELD_OUT in part_N:
            notes.append("the held-out classes are taken from those for training")
    classes = {part: {label for label, own in zip(labels, part_N, strict=True) if own == part} for part in PARTS}
    shared = len(classes[TEST] & (classes[TRAINING] | classes[HELD_OUT]))
    if shared:
        notes.append(_closed(shared))
    return Parts(part_N=tuple(part_N), given=True, shared=shared, notes=tuple(notes))


def _closed(classes: int) -> str:
    which = f"{counted(classes, 'test class')} {'is' if classes == 1 else 'are'}"
    return f"closed set: {which} trained on, too, so the test says nothing about new classes"


def _by_images(listing: Listing, seed: int) -> Parts:
    """Divide the images of each class by hashes of their paths. Classes with less than four images are trained on.

    Of four or five images, two are for the test or held out, as the class's hash says: one alone makes no pair.
    """
    rows: dict[str, list[int]] = {}
    for row, file in enumerate(listing.files):
        rows.setdefault(file.label, []).append(row)
    part_N = [TRAINING] * len(listing.files)
    shared = 0
    for label, inside in rows.items():
        wanted: tuple[str, ...] = (TEST, HELD_OUT, TRAINING)
        if len(inside) < LEAST_CLASSES * len(wanted):
            tested = number_of(seed, label) < TEST_SHARE / (TEST_SHARE + HELD_OUT_SHARE)
            wanted = (TEST if tested else HELD_OUT, TRAINING)
        names = {str(row): _name_inside(listing.files[row]) for row in inside}
        units = [Unit(number_of(seed, name), (row,)) for row, name in names.items()]
        part_of = _cut(units, wanted, LEAST_CLASSES)
        for row in inside:
            part_N[row] = part_of[str(row)]
        shared += TEST in part_of.values()
    note = _closed(shared) if shared else "there are too few images in each class for a test part"
    return Parts(part_N=tuple(part_N), shared=shared, notes=(note,))


def _name_inside(file: ListedFile) -> str:
    """Return an image's name within its class."""
    box = f"\0{file.box}" if file.box else ""
    return f"{file.label}\0{file.path.removeprefix(f'{file.label}/')}{box}"


def _divided(files: Sequence[ListedFile], seed: int, wanted: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the part of each class, and notes. Groups stay together if that makes parts of reasonable sizes."""
    counts = Counter(file.label for file in files)
    group_of = {file.label: file.group for file in files}
    by_class = _cut(units_of(counts, seed), wanted, LEAST_CLASSES)
    if not any(group_of.values()):
        return by_class, ()
    by_group = _cut(units_of(counts, seed, group_of), wanted, 1)
    shares = {part: _share(part) for part in set(by_class.values())}
    if set(by_group.values()) == set(by_class.values()) and is_even(by_group, counts, shares):
        return by_group, ()
    return by_class, (UNGROUPED,) if len(shares) > 1 else ()


def units_of(counts: Mapping[str, int], seed: int, group_of: Mapping[str, str | None] | None = None) -> list[Unit]:
    """Return what stays together: classes, or their groups and the classes without a group.

    counts: images of each class
    """
    inside: dict[tuple[bool, str], list[str]] = {}
    for label in sorted(counts):
        group = group_of[label] if group_of is not None else None
        inside.setdefault((bool(group), group or label), []).append(label)
    return [
        Unit(number_of(seed, name), tuple(labels), any(counts[label] > 1 for label in labels))
        for (_, name), labels in inside.items()
    ]


def _cut(units: Sequence[Unit], wanted: Sequence[str], least: int) -> dict[str, str]:
    """Return the part of each name. Of the wanted parts the first ones are left out if there are too few units.

    least: units that count, of each part
    """
    counted = sorted((unit for unit in units if unit.counts), key=lambda unit: (unit.number, unit.names))
    parts = wanted[len(wanted) - max(1, min(len(wanted), len(counted) // least)) :]
    bounds = [TEST_SHARE, TEST_SHARE + HELD_OUT_SHARE] if len(parts) == 3 else [_share(part) for part in parts[:-1]]
    ends = _ends([unit.number for unit in counted], bounds, least)
    passed = [(unit, sum(place >= end for end in ends)) for place, unit in enumerate(counted)]
    passed += [(unit, sum(unit.number >= bound for bound in bounds)) for unit in units if not unit.counts]
    return {name: parts[index] for unit, index in passed for name in unit.names}


def _share(part: str) -> float:
    return {TEST: TEST_SHARE, HELD_OUT: HELD_OUT_SHARE, TRAINING: 1 - TEST_SHARE - HELD_OUT_SHARE}[part]


def _ends(numbers: Sequence[float], bounds: Sequence[float], least: int) -> list[int]:
    """Return how many of the sorted numbers lie in the first part, in the first two, and so on, without the last part.

    A part ends where its bound says, but has at least its share of all, or of FULL. When a number is added, each end
    stays or grows by one: this holds for the count below a bound, for shares that are rounded, and so for the lesser
    and the greater of two of them.
    """
    counted = min(len(numbers), FULL)
    ends: list[int] = []
    before = 0
    for bound in bounds:
        wanted = max(before + least, round(bound * counted))
        lowest = (ends[-1] if ends else 0) + wanted - before
        highest = len(numbers) - (counted - wanted)
        ends.append(min(max(bisect_left(numbers, bound), lowest), highest))
        before = wanted
    return ends


def is_even(part_of: Mapping[str, str], counts: Mapping[str, int], shares: Mapping[str, float]) -> bool:
    """Return whether each part has about its share of the classes with two images."""
    found = Counter(part for label, part in part_of.items() if counts[label] > 1)
    return all(
        max(LEAST_CLASSES, LEAST_OF_SHARE * share * found.total())
        <= found[part]
        <= max(LEAST_CLASSES, MOST_OF_SHARE * share * found.total())
        for part, share in shares.items()
    )
