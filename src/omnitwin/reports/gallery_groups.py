"""Reports of `duplicates`, `group` and `map`: what is twice in a gallery, what belongs together, and where it lies."""

from dataclasses import dataclass, field
from pathlib import Path

from omnitwin.reports.answers import OMITTED, Answer, UnreadImage
from omnitwin.reports.pictures import Picture

Interval = tuple[float, float]
KEEP, COPY, LOOK_ALIKE = "keep", "copy", "look-alike"  # what is proposed for a file, or why it is there twice
BY_FOLDER, BY_GROUP = "folder", "group"  # what colours of a map stand for


@dataclass(frozen=True, kw_only=True)
class FalsePairs:
    """How many pairs of different things a threshold is expected to accept.

    compared: number of pairs that were compared
    reached: number of those that reach the threshold
    far: share of dissimilar pairs that are accepted, as measured when the threshold was chosen; None: not known
    far_interval: its 95 % interval
    expected: far * compared, as if all compared pairs were dissimilar; None: not known
    expected_interval: the same of the interval
    at_most: whether the true figures are lower: the threshold is stricter than the one that far was measured for
    """

    compared: int
    reached: int
    far: float | None = None
    far_interval: Interval | None = None
    at_most: bool = False
    expected: float | None = field(init=False)
    expected_interval: Interval | None = field(init=False)

    def __post_init__(self) -> None:
        known = self.far is not None and self.far_interval is not None
        times = (self.far or 0.0) * self.compared
        low, high = self.far_interval or (0.0, 0.0)
        object.__setattr__(self, "expected", times if known else None)
        object.__setattr__(self, "expected_interval", (low * self.compared, high * self.compared) if known else None)


@dataclass(frozen=True, kw_only=True)
class Doubtful:
    """An image that the verifier cannot judge, and why."""

    file: Path
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DuplicateFile:
    """A file of a group of duplicates.

    role: `keep`: proposed to be kept; `copy`: the same bytes as another file of the group, named before it;
        `look-alike`: other bytes, and shows the same
    copy_of: that other file; None: it is no copy
    probability: that it shows the same as the file to keep; 1 for its copies, None for itself
    width, height: in pixels
    size: in bytes
    modified: seconds since 1970
    picture: a thumbnail; None: not asked for, or the file cannot be read any more
    """

    file: Path
    role: str
    copy_of: Path | None
    probability: float | None
    width: int
    height: int
    size: int
    modified: float
    sha256: str
    picture: Picture | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """Files that show the same, the one to keep first. exact: whether all have the same bytes"""

    exact: bool
    files: tuple[DuplicateFile, ...]


@dataclass(frozen=True, kw_only=True)
class DuplicatesReport(Answer):
    """What is there twice in a folder, or in a second one of what a first one has. Nothing was deleted or moved.

    places: the folders, one or two
    linkage: how groups were formed; None between two folders: each file stands with the most similar of the first
    images: number of images that were read
    contents: number of images with different bytes
    groups: of two or more files, by the name of the first
    copies: files that have the same bytes as another one, without one of each kind
    look_alikes: files with other bytes than the one to keep, without their copies
    false_pairs: the number of look-alikes that are none, as it is to be expected
    doubtful: images that the verifier cannot judge: they can be copies, not look-alikes
    unread: files that could not be read
    """

    places: tuple[Path, ...]
    linkage: str | None
    images: int
    contents: int
    groups: tuple[DuplicateGroup, ...]
    copies: int
    look_alikes: int
    false_pairs: FalsePairs
    doubtful: tuple[Doubtful, ...] = ()
    unread: tuple[UnreadImage, ...] = ()
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well groups agree with the classes that folders say.

    classes: number of classes; images: number of images that have a class and a group
    rand: adjusted Rand index (Hubert and Arabie 1985): 1 for the same groups, about 0 for groups at random
    interval: its 95 % interval, None if no interval can be estimated
    """

    classes: int
    images: int
    rand: float
    interval: Interval | None
    method: str


@dataclass(frozen=True, kw_only=True)
class ImageGroup:
    """Images that show the same thing, by name. number: from 1, the largest group first"""

    number: int
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class GroupsReport(Answer):
    """Pictures of the same thing together, where the things are not known before.

    groups: of one or more images
    several: number of groups of two or more images
    agreement: with the classes that folders say; None: not asked for
    doubtful: images that the verifier cannot judge; they are in no group
    """

    place: Path
    linkage: str
    images: int
    groups: tuple[ImageGroup, ...]
    several: int
    false_pairs: FalsePairs
    agreement: Agreement | None = None
    doubtful: tuple[Doubtful, ...] = ()
    unread: tuple[UnreadImage, ...] = ()
    seconds: float


@dataclass(frozen=True, kw_only=True)
class MapPoint:
    """An image on a map.

    x, y: its place
    kind: name of its folder or of its group; empty: in none
    picture: a thumbnail; None: not asked for, or the file cannot be read any more
    """

    file: Path
    x: float
    y: float
    kind: str
    picture: Picture | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class MapReport(Answer):
    """A gallery in two dimensions.

    method: `pca` or `umap`
    shares: of the variance of the embeddings along both axes; None for umap
    coloured_by: what the points' kinds are: `folder` or `group`
    kinds: their names, that of most points first
    """

    place: Path
    method: str
    shares: Interval | None
    coloured_by: str
    kinds: tuple[str, ...]
    points: tuple[MapPoint, ...]
    unread: tuple[UnreadImage, ...] = ()
    seconds: float
