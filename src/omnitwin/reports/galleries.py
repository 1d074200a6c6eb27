"""Reports of `index`, `search` and `embed`: frozen records of plain numbers and words."""

from dataclasses import dataclass, field
from pathlib import Path

from omnitwin.reports.answers import INLINE, OMITTED, Answer, TrainedNetwork, UnreadImage, Verdict
from omnitwin.reports.pictures import Picture


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """What making an index, or bringing it up to date, has done.

    root: the folder that the names of its images are relative to
    images: number of images in it now
    new: files that were not in it, copies of images that are among them
    changed: files whose content is another than before
    moved: files that are in another place than before, with the same content
    removed: files that are gone
    unchanged: files that are as they were
    embedded: images that were read and embedded; the rest was known
    doubtful: images that the network cannot judge, such as photos by a network of drawings
    unread: files and folders that cannot be read
    links: further names of files that are in it, hard or symbolic links, which do not count
    others: files in folders that are no images by their names
    bytes: of the index
    images_per_second: embedded / seconds
    """

    folder: Path
    root: Path
    network: TrainedNetwork = field(metadata=INLINE)
    images: int
    new: int
    changed: int
    moved: int
    removed: int
    unchanged: int
    embedded: int
    doubtful: int
    unread: tuple[UnreadImage, ...]
    links: int
    others: int
    bytes: int
    seconds: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class StoredIndex:
    """An index in omnitwin's data folder. A field is None if its file lacks it."""

    name: str
    folder: Path
    root: Path | None
    images: int | None
    network: str | None  # name or path of its weights file
    age: float | None  # seconds since it was written
    bytes: int  # of all its files
    holder: str | None  # the process that writes there now
    problem: str | None  # why a field is None


@dataclass(frozen=True, kw_only=True)
class IndexList:
    """The indexes in a folder, sorted by name."""

    folder: Path
    indexes: tuple[StoredIndex, ...]


@dataclass(frozen=True, kw_only=True)
class IndexRemoval:
    """An index that was removed. bytes: that it took on the disk"""

    name: str
    folder: Path
    bytes: int


@dataclass(frozen=True, kw_only=True)
class FoundImage(Verdict):
    """An image that a search found.

    rank: 1 for the most similar
    file: its path, where it was when it was indexed
    probability: that it shows what the query shows
    picture: its thumbnail, if pictures were asked for and the file is there
    """

    rank: int
    file: Path
    probability: float
    picture: Picture | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class QueryReport:
    """What was found for one query, the most similar first. picture: as of FoundImage"""

    query: Path
    found: tuple[FoundImage, ...]
    picture: Picture | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class SearchReport(Answer):
    """What was found for each query.

    gallery: the index's folder, or the folder that was searched without one
    images: number of images that were searched
    least: probability from which an image counts as found
    unread: queries, and images that were not indexed, that cannot be read
    seconds: time to read and embed the queries and to search; and the images, if they were not indexed
    """

    gallery: Path
    images: int
    least: float
    queries: tuple[QueryReport, ...]
    unread: tuple[UnreadImage, ...] = ()
    seconds: float


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """Images that were embedded into a file.

    features: numbers in an embedding
    unread: files that cannot be read
    """

    output: Path
    network: TrainedNetwork = field(metadata=INLINE)
    images: int
    features: int
    unread: tuple[UnreadImage, ...]
    links: int
    seconds: float
    images_per_second: float
