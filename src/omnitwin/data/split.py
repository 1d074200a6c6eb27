"""Keep groups (Omniglot: alphabets) out of training; threshold, calibration and the best checkpoint are chosen on them.

C classes, P parts: the groups, or the classes of a set without groups
"""

from collections.abc import Collection

import torch

from omnitwin.data.imageset import ImageSet, check_pairable
from omnitwin.errors import BadInput
from omnitwin.reports.nouns import nouns_of


def part_names(images: ImageSet) -> tuple[str, ...]:
    """Return the names of the parts that a set is split by: its groups, or its classes without groups."""
    return images.class_names if images.group_C is None else images.group_names


def hold_out(images: ImageSet, count: int, generator: torch.Generator) -> tuple[ImageSet, ImageSet | None]:
    """Return the set without `count` parts that the generator picks, and those parts (None for a count of 0).

    Raises BadInput if no pairs can be drawn of either side.
    """
    if count == 0:
        return images, None
    parts, nouns = len(part_names(images)), nouns_of(images.name)
    if images.group_C is None and not 2 <= count <= parts - 2:  # pairs need two classes, on both sides
        raise BadInput(
            f"{images.name} has {parts} {nouns.kinds}; holding out {count} leaves fewer than 2 on one side",
            f"Start a new run with --holdout from 2 to {parts - 2}." if parts >= 4 else "Use --holdout 0.",
        )
    if count >= parts:
        raise BadInput(
            f"{images.name} has {parts} {nouns.groups}; holding out {count} leaves none to train on",
            f"Start a new run with --holdout {parts - 1} or less.",
        )
    held_P = torch.zeros(parts, dtype=torch.bool)
    held_P[torch.randperm(parts, generator=generator)[:count]] = True
    held_C = held_P if images.group_C is None else held_P[images.group_C]
    kept, held = images.of_classes(~held_C), images.of_classes(held_C)
    for side, use in ((kept, "trained on"), (held, "held out")):
        try:
            check_pairable(side)
        except BadInput as error:
            raise BadInput(
                f"with --holdout {count}, no pairs can be drawn of what is {use}: {error}",
                "Start a new run with another --holdout or --seed, or with --holdout 0.",
            ) from error
    return kept, held


def only(images: ImageSet, names: tuple[str, ...]) -> ImageSet:
    """Return the parts with these names, as held_out in a checkpoint has them; BadInput if the set lacks one."""
    known = part_names(images)
    missing = sorted(set(names) - set(known))
    if missing:
        kind = "class" if images.group_C is None else nouns_of(images.name).group
        raise BadInput(f"{images.name} has no {kind} {missing[0]}", "The network was trained on another set.")
    return images.of_classes(in_parts(images, names))


def in_parts(images: ImageSet, names: Collection[str]) -> torch.Tensor:
    """Return which classes are of the parts with these names, (C,) bool. A name that no part has is passed over."""
    named_P = torch.tensor([name in names for name in part_names(images)])
    return named_P if images.group_C is None else named_P[images.group_C]
