"""What a report says of the folder or table that its images come from."""

from omnitwin.data.listing import PARTS
from omnitwin.data.own import OwnImages, notes_on
from omnitwin.reports.data import LeftOutFile, PartFacts, PlaceFacts

NAMED = 20  # broken files that a report names


def facts_of_place(own: OwnImages, split: str, seed: int, few: str | None) -> PlaceFacts:
    """Return the facts of a place.

    split, seed: by which it was divided unless it names its parts itself; few: a note on few test classes
    """
    labels = [file.label for file in own.store.files]
    notes = [*notes_on(own.store, own.parts), *([] if few is None else [few])]
    return PlaceFacts(
        place=own.store.listing.place,
        images=len(labels),
        classes=len(set(labels)),
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
