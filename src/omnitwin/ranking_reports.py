"""What `compare` says of more than two images, as frozen records of plain numbers and words."""

from dataclasses import dataclass
from pathlib import Path

from omnitwin.reports import Answer, Picture

BEST = 10  # images of a ranking, the most similar, that are drawn


@dataclass(frozen=True, kw_only=True)
class RankedImage:
    """novelty: how unlike any drawing known in training the image is, above 1 it is far; None where nobody can tell."""

    rank: int
    file: Path
    probability: float
    same: bool
    notes: tuple[str, ...]
    novelty: float | None
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class UnreadImage:
    """A file or folder that nothing could be read from; problem is a line that names it."""

    file: Path
    problem: str


@dataclass(frozen=True, kw_only=True)
class RankingReport(Answer):
    """Images by the probability that they show what the query shows, the most similar first.

    seconds: to read, embed and compare all images, the query too; images_per_second: how many of them in one.
    """

    query: Path
    notes: tuple[str, ...]
    novelty: float | None
    query_picture: Picture
    ranked: tuple[RankedImage, ...]
    unread: tuple[UnreadImage, ...]
    images: int
    seconds: float
    images_per_second: float
