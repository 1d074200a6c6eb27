"""Reports of `download` and `show`."""

from dataclasses import dataclass
from pathlib import Path

from omnitwin.reports.pictures import LabelledPicture, ScoredPair


@dataclass(frozen=True, kw_only=True)
class SetReport:
    """A set of images on this machine."""

    name: str
    fetched: bool  # whether this call packed it
    images: int
    classes: int
    alphabets: int
    fingerprint: str  # SHA-256 of the pixels
    packed: Path  # the packed file
    packed_bytes: int
    source: str  # a path or an address, or "packed before"


@dataclass(frozen=True, kw_only=True)
class DownloadReport:
    """The result of `download`."""

    sets: tuple[SetReport, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ShowReport:
    """Random images and pairs of a data set."""

    dataset: str
    subset: str
    seed: int
    images: tuple[LabelledPicture, ...]
    pairs: tuple[ScoredPair, ...]


@dataclass(frozen=True, kw_only=True)
class LeftOutFile:
    """A file or a line of a table that is no image of the set."""

    path: str  # from the place; or `line 7`
    reason: str


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The least, the median and the most of some numbers."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, kw_only=True)
class PartFacts:
    """One part of the split."""

    name: str  # training, held-out or test
    classes: int
    images: int


@dataclass(frozen=True, kw_only=True)
class PlaceFacts:
    """The folder or table of the user's own images that a report is about."""

    place: Path
    images: int  # that can be read
    classes: int
    broken: tuple[LeftOutFile, ...]  # the first 20 of the image files that cannot be read
    broken_in_all: int
    split: str  # `given` by the place; made by `classes`; or by `images` of the same classes
    seed: int  # of the split that was made
    parts: tuple[PartFacts, ...]
    leaks: int  # test files that were left out: another part has the same picture, or nearly
    shared: int  # test classes that are trained on, too: a closed set
    notes: tuple[str, ...]  # what a person should know of it


@dataclass(frozen=True, kw_only=True)
class SamePixels:
    """Files whose pictures have the same size and the same pixels."""

    paths: tuple[str, ...]
    classes: tuple[str, ...]  # each once: several mean that labels are wrong, or cannot be told apart


@dataclass(frozen=True, kw_only=True)
class NearPair:
    """Two files with nearly the same picture."""

    left: str
    right: str
    left_class: str
    right_class: str


@dataclass(frozen=True, kw_only=True)
class DuplicateFacts:
    """What is there twice."""

    same: tuple[SamePixels, ...]  # groups of files with the same pixels, those across classes first
    same_across_classes: int  # number of groups
    near: tuple[NearPair, ...]  # pairs, those across classes first; the first 10,000
    near_within_classes: int  # number of pairs
    near_across_classes: int
    leaks: tuple[str, ...]  # test files whose picture is, exactly or nearly, in another part too


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """How to train on a set, and what training would choose by the look of its images."""

    command: str
    recipe: str
    height: int  # pixels that the network would see
    width: int
    channels: int  # 1: grey, 3: colours


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What was understood of a folder or a table of images."""

    place: Path
    images: int  # that can be read
    classes: int
    groups: int  # of classes; 0 without groups
    images_per_class: Spread
    single_classes: int  # classes with one image, which make dissimilar pairs only
    width: Spread  # pixels
    height: Spread  # pixels
    aspect: Spread  # width by height
    look: str  # `photos in colour`, `grey photos` or `ink on paper`
    coloured: float  # share of the images
    ink: float  # share of the images
    blank: tuple[str, ...]  # images of one colour all over, which `compare` refuses
    broken: tuple[LeftOutFile, ...]  # image files that cannot be read
    left_out: tuple[LeftOutFile, ...]  # links, folders that may not be read, lines of a table without an image ...
    others: int  # files that are no images by their names
    duplicates: DuplicateFacts
    split: str  # `given` by the place; made by `classes`; or by `images` of the same classes
    seed: int  # of the split that was made, and of the pictures
    parts: tuple[PartFacts, ...]
    notes: tuple[str, ...]
    problem: str | None  # why the set cannot be trained on
    next_step: NextStep | None = None  # None: there is a problem
    shown: str  # the part that the pictures are from
    pictures: tuple[LabelledPicture, ...]
    pairs: tuple[ScoredPair, ...]
