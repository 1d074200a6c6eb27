"""Pictures as plain bytes, alone or in pairs with what is known of them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A grey image: width * height bytes, row by row, 255 for paper and 0 for ink."""

    width: int
    height: int
    pixels: bytes


@dataclass(frozen=True, kw_only=True)
class LabelledPicture:
    picture: Picture
    label: str


@dataclass(frozen=True, kw_only=True)
class ScoredPair:
    """Two pictures with what is known of them; score is the probability that they show the same, or None."""

    left: Picture
    right: Picture
    left_label: str
    right_label: str
    similar: bool
    score: float | None = None
    predicted: bool | None = None
