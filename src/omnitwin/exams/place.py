"""What a report says of the folder or table that its images come from."""

from collections import Counter

from omnitwin.data.listing import PARTS
from omnitwin.data.own import OwnImages
from omnitwin.reports.data import LeftOutFile, PartFacts, PlaceFacts
from omnitwin.reports.nouns import counted

NAMED = 20  # broken files that a report names


def facts_of_place(own: OwnImages, split: str, seed: int, few: str | None) -> PlaceFacts:
    """Return the facts of a place.

    split, seed: by which it was divided unless it names its parts itself; few: a note on few test classes
    """
    labels = [file.label for file in own.store.files]
    counts = Counter(labels)
    single = sum(count == 1 for count in counts.values())
    notes = [*own.store.listing.notes, *own.parts.notes]
    if own.store.listing.left_out:
        notes.insert(0, f"{len(own.store.listing.left_out):,} other entries of the place are left out")
    if single:
        make = "makes" if single == 1 else "make"
        notes.append(f"{counted(single, 'class')} with one image {make} dissimilar pairs only")
    if few is not None:
        notes.append(few)
    return PlaceFacts(
        place=own.store.listing.place,
        images=len(labels),
        classes=len(counts),
        broken=tuple(LeftOutFile(path=each.path, reason=each.reason) for each in own.store.broken[:NAMED]),
        broken_in_all=len(own.store.broken),
        split="given" if own.parts.given else split,
        seed=seed,
        parts=tuple(_part(own, labels, name) for name in PARTS),
        leaks=own.parts.leaks,
        shared=own.parts.shared,
        notes=tuple(notes),
    )


def _part(own: OwnImages, labels: list[str], name: str) -> PartFacts:
    inside = [label for label, part in zip(labels, own.parts.part_N, strict=True) if part == name]
    return PartFacts(name=name, classes=len(set(inside)), images=len(inside))
