"""Pictures as plain bytes, alone or in pairs with their labels and scores."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image, grey or in colour: its bytes pixel by pixel, row by row, from 0 (black, ink) to 255 (white, paper)."""

    width: int
    height: int
    pixels: bytes  # width * height * channels of them
    channels: int = 1  # 1: grey; 3: red, green and blue

    @property
    def mode(self) -> str:
        """Pillow's name for the pixels' format."""
        return {1: "L", 3: "RGB"}[self.channels]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height


@dataclass(frozen=True, kw_only=True)
class LabelledPicture:
    """A picture with its name."""

    picture: Picture
    label: str


@dataclass(frozen=True, kw_only=True)
class ScoredPair:
    """Two pictures with their labels and their score."""

    left: Picture
    right: Picture
    left_label: str
    right_label: str
    similar: bool  # whether both show the same class
    score: float | None = None  # probability that they do; None if no network was asked
    predicted: bool | None = None  # whether the network says that they do
