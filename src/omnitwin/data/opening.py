"""The Python function that opens a data set, or a folder or table of the user's own images: `omnitwin.open_images`."""

from collections.abc import Iterator, Mapping
from os import PathLike, fspath

from omnitwin.config import SourceConfig
from omnitwin.data.catalogue import data_set, open_own, place_of
from omnitwin.data.catalogue import open_images as open_part
from omnitwin.data.imageset import ImageSet
from omnitwin.recipes import View
from omnitwin.reports.progress import SILENT, Reporter


class ImageParts(Mapping[str, ImageSet]):
    """The parts of a data set by name (`training`, `test`), each opened when it is first used.

    Images of your own have the parts `held-out` and `all`, too.

    >>> images = omnitwin.open_images("omniglot")
    >>> images.test.class_names[0]
    'Angelic/character01'
    """

    def __init__(self, name: str, parts: Mapping[str, ImageSet]) -> None:
        self.name, self._parts = name, parts

    def __getitem__(self, part: str) -> ImageSet:
        return self._parts[part]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def training(self) -> ImageSet:
        """The images to train on."""
        return self["training"]

    @property
    def test(self) -> ImageSet:
        """Images of classes that are not in `training`."""
        return self["test"]


def open_images(
    name: str | PathLike[str],
    *,
    view: View | None = None,
    pattern: str | None = None,
    split: str | None = None,
    seed: int = 0,
    source: str | PathLike[str] | None = None,
    offline: bool | None = None,
    reporter: Reporter = SILENT,
) -> ImageParts:
    """Open a data set: `omniglot`, which is fetched once, `synthetic`, which is generated, or your own images.

    name: of the set, or the path of a folder of images, or of a CSV or TSV with the columns `path` and `label`
    view, pattern, split, seed: of your own images: how they are decoded (None: in a square of 64 grey pixels), a
        regular expression for the class in a file's path, what a test has other than training (`classes` or
        `images`), and the seed of that division
    source: of omniglot: a folder, a zip file or a base URL to take it from; None: OMNITWIN_MIRROR, else the official
        address
    offline: whether to forbid the network; None: OMNITWIN_OFFLINE decides

    Raises BadInput, DatasetMissing, DownloadFailed.

    >>> len(omnitwin.open_images("omniglot").test)
    13180
    >>> mine = omnitwin.open_images("products/", view=omnitwin.View(height=64, width=64, channels=3, frame="photo"))
    >>> mine["held-out"].class_names
    ('juice', 'milk')
    """
    source = fspath(source) if isinstance(source, PathLike) else source
    known = SourceConfig(source=source, offline=offline, pattern=pattern, split=split)
    if (place := place_of(name)) is not None:
        return ImageParts(place.name, open_own(place, known, reporter, view, seed))
    return ImageParts(str(name), _Named(str(name), known, reporter))


class _Named(Mapping[str, ImageSet]):
    """The parts of a set in the catalogue. Each is opened once."""

    def __init__(self, name: str, source: SourceConfig, reporter: Reporter) -> None:
        self._subsets = data_set(name).subsets
        self._name, self._source, self._reporter = name, source, reporter
        self._opened: dict[str, ImageSet] = {}

    def __getitem__(self, part: str) -> ImageSet:
        if part not in self._subsets:
            raise KeyError(part)
        if part not in self._opened:
            self._opened[part] = open_part(self._name, part, self._source, self._reporter)
        return self._opened[part]

    def __iter__(self) -> Iterator[str]:
        return iter(self._subsets)

    def __len__(self) -> int:
        return len(self._subsets)
