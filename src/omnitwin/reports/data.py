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
