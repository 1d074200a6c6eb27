"""The data sets that omnitwin knows by name, and how each is opened.

    test = open_images("omniglot", "test")

A new data set is one file with a function that opens it, one line in CATALOGUE, and its name in config.DATASETS, where
the command line finds it without torch. A data set of your own needs none of these: give any object that follows
omnitwin.data.imageset.ImageSet instead of a name, or a mapping with one for `training` and one for `test`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omnitwin.config import SourceConfig
from omnitwin.data import acquire, synthetic
from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.reports.progress import SILENT, Reporter

Images = str | ImageSet | Mapping[str, ImageSet]
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
        raise BadInput(f"no data set is called {name!r}", f"Use {' or '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def trained_on(name: str) -> str:
    """Return the name of the data set that a network was trained on. Raises BadInput for images of the user's own."""
    if name not in CATALOGUE:
        raise BadInput(f"the network was trained on images of your own, {name}", "Give them: images=IMAGES, in Python.")
    return name


def check_images(images: Images, subset: str) -> None:
    """Raise BadInput if images cannot have this part. Nothing is opened: a mapping may open its parts when asked."""
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
    images: Images, subset: str, source: SourceConfig | None = None, reporter: Reporter = SILENT
) -> ImageSet:
    """Return one part of a data set, and fetch it first if it is missing.

    images: a name in CATALOGUE; or a mapping of parts; or one image set, which then stands for every part. Raises
    BadInput for a name or a part that is not known.
    """
    if not isinstance(images, str):
        check_images(images, subset)
        return checked(images[subset] if isinstance(images, Mapping) else images)
    known = data_set(images)
    if subset not in known.subsets:
        raise BadInput(f"no set is called {subset!r}", f"Use {' or '.join(known.subsets)}.")
    return known.read(subset, source or SourceConfig(), reporter)
