"""What downloading and showing a data set found, as frozen records."""

from dataclasses import dataclass
from pathlib import Path

from omnitwin.reports.pictures import LabelledPicture, ScoredPair


@dataclass(frozen=True, kw_only=True)
class SetReport:
    """One set of images on this machine; fetched says that this call brought it here."""

    name: str
    fetched: bool
    images: int
    classes: int
    alphabets: int
    fingerprint: str
    packed: Path
    packed_bytes: int
    source: str


@dataclass(frozen=True, kw_only=True)
class DownloadReport:
    sets: tuple[SetReport, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ShowReport:
    dataset: str
    subset: str
    seed: int
    images: tuple[LabelledPicture, ...]
    pairs: tuple[ScoredPair, ...]
