"""Divide a listing several times, so that each class is a test class once: for sets too small for a single test.

    for parts in folds(listing, count=5, seed=0):
        parts.part_N  # the part of each file in this fold

The classes are ordered by their numbers (data.parts), and cut into `count` blocks of the same length: the test classes
of each fold. The classes after a block, and after the last one the first, are its held-out classes: as large a share of
those that are no test classes as in an ordinary split. Adding a class moves at most one class across each end of a
block. Groups keep their classes together where they are many and even enough; else a note says that they do not.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from omnitwin.data.listing import HELD_OUT, TEST, TRAINING, Listing
from omnitwin.data.parts import (
    HELD_OUT_SHARE,
    LEAST_CLASSES,
    TEST_SHARE,
    UNGROUPED,
    Parts,
    Unit,
    is_even,
    units_of,
)
from omnitwin.errors import BadInput

HELD_OUT_OF_REST = HELD_OUT_SHARE / (1 - TEST_SHARE)  # of the classes that are no test classes


def folds(listing: Listing, count: int, seed: int = 0) -> tuple[Parts, ...]:
    """Return `count` divisions of all classes. A split that the place names is passed over, and a note says so.

    Raises BadInput if there are too few classes with two images for so many folds.
    """
    counts = Counter(file.label for file in listing.files)
    pairable = sum(images > 1 for images in counts.values())
    if count < 2:
        raise BadInput(f"at least 2 folds are needed to test every class, not {count}", "For example: --folds 5")
    if pairable < (needed := classes_needed(count)):
        fitting = [each for each in range(2, pairable + 1) if classes_needed(each) <= pairable]
        raise BadInput(
            f"{count} folds need at least {needed} classes with two images, and {listing.place} has {pairable}",
            f"Use --folds {fitting[-1]}, or add classes."
            if fitting
            else f"Add classes: {min(classes_needed(2), classes_needed(3))} are the least for any folds.",
        )
    notes: tuple[str, ...] = ()
    if listing.has_split:
        notes += ("the split that the place names is not used: folds test every class once",)
    divisions = _grouped(listing, counts, count, seed)
    if divisions is None:
        divisions = _cut_folds(units_of(counts, seed), counts, count)
        notes += (UNGROUPED,) if listing.has_groups else ()
    return tuple(
        Parts(part_N=tuple(part_of[file.label] for file in listing.files), notes=notes) for part_of in divisions
    )


def classes_needed(count: int) -> int:
    """Return how many classes with two images so many folds (2 or more) need, for three parts in each."""
    return max(LEAST_CLASSES * count, math.ceil(2 * LEAST_CLASSES * count / (count - 1)))


def _grouped(listing: Listing, counts: Mapping[str, int], count: int, seed: int) -> list[dict[str, str]] | None:
    """Return folds of whole groups, or None without groups or if they are too few or too uneven."""
    if not listing.has_groups:
        return None
    group_of = {file.label: file.group for file in listing.files}
    divisions = _cut_folds(units_of(counts, seed, group_of), counts, count)
    rest = 1 - 1 / count
    shares = {TEST: 1 / count, HELD_OUT: rest * HELD_OUT_OF_REST, TRAINING: rest * (1 - HELD_OUT_OF_REST)}
    return divisions if all(is_even(part_of, counts, shares) for part_of in divisions) else None


def _cut_folds(units: Sequence[Unit], counts: Mapping[str, int], count: int) -> list[dict[str, str]]:
    """Return the part of each class in each fold. What has no similar pairs is cut by itself."""
    divisions: list[dict[str, str]] = [{} for _ in range(count)]
    for counted in (True, False):
        chosen = sorted((unit for unit in units if unit.counts == counted), key=lambda unit: (unit.number, unit.names))
        sizes = [sum(counts[name] > 1 or not counted for name in unit.names) for unit in chosen]
        least = LEAST_CLASSES if counted else 0
        for fold, part_of in enumerate(divisions):
            block = [int(middle * count) == fold for middle in _middles(sizes)]
            end = max((place for place, tested in enumerate(block) if tested), default=-1) + 1
            order = [place % len(chosen) for place in range(end, end + len(chosen))]
            rest = [place for place in order if not block[place]]
            middles = _middles([sizes[place] for place in rest])
            held = 0
            for place, middle in zip(rest, middles, strict=True):
                is_held = middle < HELD_OUT_OF_REST or held < least
                held += sizes[place] * is_held
                part_of |= dict.fromkeys(chosen[place].names, HELD_OUT if is_held else TRAINING)
            tested_names = [name for place, tested in enumerate(block) if tested for name in chosen[place].names]
            part_of |= dict.fromkeys(tested_names, TEST)
    return divisions


def _middles(sizes: Sequence[int]) -> list[float]:
    """Return where the middle of each of several lengths lies, laid side by side, from 0 to 1."""
    total, before, middles = sum(sizes), 0, []
    for size in sizes:
        middles.append((before + size / 2) / total)
        before += size
    return middles
