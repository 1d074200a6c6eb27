"""The data sets that omnitwin knows by name, and how each is opened; and folders and tables of the user's own images.

    test = open_images("omniglot", "test")
    mine = open_images("products/", "test", view=network.view)

A new data set is one file with a function that opens it, one line in CATALOGUE, and its name in config.DATASETS, where
the command line finds it without torch. A data set of your own needs none of these: give any object that follows
omnitwin.data.imageset.ImageSet instead of a name, or a mapping with one for `training` and one for `test`.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnitwin.config import SourceConfig
from omnitwin.data import acquire, synthetic
from omnitwin.data.imageset import ImageSet
from omnitwin.data.listing import HELD_OUT, TEST
from omnitwin.data.own import OwnImages, open_place
from omnitwin.errors import BadInput
from omnitwin.recipes import View, square
from omnitwin.reports.progress import SILENT, Reporter

Images = str | os.PathLike[str] | ImageSet | Mapping[str, ImageSet]
UNSEEN = square(64, "photo")  # the view of somebody's own images where no network says another: baselines have it
PROTOCOL = ("__len__", *(name for name in vars(ImageSet) if not name.startswith("_")))  # what every image set has


@dataclass(frozen=True)
class DataSet:
    """The parts of a data set by name, and the function that reads one: read(subset, source, reporter)."""

    subsets: tuple[str, ...]
    read: Callable[[str, SourceConfig, Reporter], ImageSet]


CATALOGUE = {
    "omniglot": DataSet(("training", "test"), acquire.open_omniglot),
    "synthetic": DataSet(("training", "test"), synthetic.open_synthetic),
}


def data_set(name: str) -> DataSet:
    """Return a line of the catalogue. Raises BadInput if there is none of that name."""
    if name not in CATALOGUE:
        raise BadInput(
            f"no data set is called {name!r}, and there is no such folder or file",
            f"Use {', '.join(CATALOGUE)}, or a folder, or a CSV or TSV, of your own images.",
        )
    return CATALOGUE[name]


def place_of(images: Any) -> Path | None:
    """Return the path of a folder or table of images. None: it is a data set's name, or no path at all."""
    if isinstance(images, os.PathLike):
        return Path(images)
    if isinstance(images, str) and images not in CATALOGUE and os.path.lexists(images):
        return Path(images)
    return None


def check_images(images: Images, subset: str) -> None:
    """Raise BadInput if images cannot have this part. Nothing is opened: a mapping may open its parts when asked."""
    if place_of(images) is not None:
        return
    if isinstance(images, str):
        data_set(images)
    elif not isinstance(images, Mapping):
        checked(images)
    elif subset not in images:
        there = " and ".join(map(str, images)) or "no part"
        raise BadInput(f"these images have {there}, and no part called {subset!r}", "Give a mapping that has it.")
    elif isinstance(images, dict):
        checked(images[subset])


def checked(images: Any) -> ImageSet:
    """Return an image set. Raises BadInput if the object lacks names of the protocol."""
    absent = object()
    missing = [
        name
        for name in PROTOCOL
        if inspect.getattr_static(images, name, absent) is absent and not hasattr(images, name)
    ]
    if isinstance(images, type) or missing:
        lacks = f": it lacks {', '.join(missing[:3])}" if missing else ""
        raise BadInput(
            f"images of type {type(images).__name__} are no ImageSet{lacks}",
            "Give a data set's name, or an object that follows omnitwin.data.imageset.ImageSet.",
        )
    found: ImageSet = images
    return found


def open_images(
    images: Images,
    subset: str,
    source: SourceConfig | None = None,
    reporter: Reporter = SILENT,
    view: View | None = None,
    seed: int = 0,
) -> ImageSet:
    """Return one part of a data set, and fetch it first if it is missing.

    images: a name in CATALOGUE; or the path of a folder or table; or a mapping of parts; or one image set, which then
    stands for every part
    view: of a folder or table: how its pictures are decoded; None: UNSEEN
    seed: of the division of a folder or table

    Raises BadInput for a name or a part that is not known.
    """
    if (place := place_of(images)) is not None:
        return part_of(open_own(place, source or SourceConfig(), reporter, view, seed), subset)
    if not isinstance(images, str):
        check_images(images, subset)
        return checked(images[subset] if isinstance(images, Mapping) else images)
    known = data_set(images)
    if subset not in known.subsets:
        raise BadInput(f"no set is called {subset!r}", f"Use {' or '.join(known.subsets)}.")
    return known.read(subset, source or SourceConfig(), reporter)


def open_own(
    place: Path, source: SourceConfig, reporter: Reporter = SILENT, view: View | None = None, seed: int = 0
) -> OwnImages:
    """Return the parts of a folder or table of the user's own images, each decoded once. Raises BadInput."""
    return open_place(place, view or UNSEEN, pattern=source.pattern, split=source.divided, seed=seed, reporter=reporter)


def part_of(own: OwnImages, subset: str) -> ImageSet:
    """Return a part of the user's own images. Raises BadInput if it is empty."""
    if subset not in own:
        raise BadInput(
            f"{own.store.listing.place} has no {subset} part, but {', '.join(own)}",
            f"To measure on the classes that chose the threshold: --set {HELD_OUT}"
            if subset == TEST and HELD_OUT in own
            else f"See why: omnitwin show --data {own.store.listing.place}",
        )
    return own[subset]
