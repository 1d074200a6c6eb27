"""The data sets that omnitwin knows by name, and how each is opened.

    test = open_images("omniglot", "test")

A new data set is one file with a function that opens it, one line in CATALOGUE, and its name in config.DATASETS, where
the command line finds it without torch. A data set of your own needs none of these: give any object that follows
omnitwin.data.imageset.ImageSet instead of a name, or a mapping with one for `training` and one for `test`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from omnitwin.config import SourceConfig
from omnitwin.data import acquire, synthetic
from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.reports.progress import SILENT, Reporter

Images = str | ImageSet | Mapping[str, ImageSet]


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


def open_images(
    images: Images, subset: str, source: SourceConfig | None = None, reporter: Reporter = SILENT
) -> ImageSet:
    """Return one part of a data set, and fetch it first if it is missing.

    images: a name in CATALOGUE; or a mapping of parts; or one image set, which then stands for every part. Raises
    BadInput for a name or a part that is not known.
    """
    if not isinstance(images, str | Mapping):
        return images
    if isinstance(images, Mapping):
        if subset not in images:
            there = " and ".join(images)
            raise BadInput(f"these images have {there}, and no part called {subset!r}", "Give a mapping that has it.")
        return images[subset]
    known = data_set(images)
    if subset not in known.subsets:
        raise BadInput(f"no set is called {subset!r}", f"Use {' or '.join(known.subsets)}.")
    return known.read(subset, source or SourceConfig(), reporter)
