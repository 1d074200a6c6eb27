"""The images that a network was trained on, as its file says: a data set by its name, or a place of the user's own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data.catalogue import CATALOGUE, Images, place_of
from omnitwin.errors import BadInput
from omnitwin.model.description import MOST_CLASSES, Description


def trained_images(description: Description, source: SourceConfig) -> tuple[Images, SourceConfig]:
    """Return the images that a network was trained on, and how they are read.

    Raises BadInput if they are images that only Python can name, or a place that is not there any more.
    """
    if (record := description.data) is not None:
        place = Path(record["place"])
        if not place.exists():
            raise BadInput(
                f"the images that this network was trained on are not at {place} any more",
                "Say where they are: --data PATH.",
            )
        return place, as_recorded(record, source)
    if description.dataset_family not in CATALOGUE:
        raise BadInput(
            f"the network was trained on images of your own, {description.dataset_family}",
            "Say where they are: --data PATH; in Python: images=IMAGES.",
        )
    return description.dataset_family, source


def as_recorded(record: dict[str, Any], source: SourceConfig) -> SourceConfig:
    """Return how a record says that a place is read and divided. Raises BadInput if the source asks for another way."""
    ways = (
        ("--label-from", source.pattern, record["pattern"]),
        ("--split", source.split, record["split"]),
    )
    for option, asked, known in ways:
        if asked not in (None, known):
            was = "none" if known is None else repr(known)
            raise BadInput(
                f"{option} {asked!r} cannot change: these images were trained on with {was}",
                "Leave it out, or train a new network.",
            )
    return replace(source, pattern=record["pattern"], split=record["split"])


def record_of_place(config: TrainConfig, classes: Sequence[str]) -> dict[str, Any] | None:
    """Return what a checkpoint keeps of a place that is trained on; None for any other images.

    classes: names of those that are trained on. Of more than MOST_CLASSES none are kept, which means: not known.
    """
    place = place_of(config.dataset)
    if place is None:
        return None
    return {
        "place": str(place.absolute()),
        "pattern": config.source.pattern,
        "split": config.source.divided,
        "seed": config.recipe.seed,
        "classes": list(classes) if len(classes) <= MOST_CLASSES else [],
    }
