"""A gallery: images of one place, each embedded once, and how a pair of embeddings becomes a probability.

N images, D numbers in an embedding, A and B images on two sides
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omnitwin.answers.verifier import Verifier
from omnitwin.errors import BadInput
from omnitwin.metrics.arrays import Array
from omnitwin.reports.answers import UnreadImage


@dataclass(frozen=True, kw_only=True)
class Item:
    """An image of a gallery.

    name: its path below the gallery's root, with `/` on every system
    sha256: of the file's bytes
    size: of the file, in bytes
    mtime_ns: when the file was last changed, as os.stat says
    width, height: of the upright picture, in pixels
    reasons: why the verifier cannot judge it (answers.doubts), without its name; none if it can
    """

    name: str
    sha256: str
    size: int
    mtime_ns: int
    width: int
    height: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Gallery:
    """Images of one place, as a verifier embedded them.

    root: the folder that names are relative to; the files need not be there any more
    items: the images, sorted by name
    embedding_ND: float32, each of length 1
    unread: files that could not be read, with the reason
    weights_sha256: of the verifier's weights file
    """

    root: Path
    items: tuple[Item, ...]
    embedding_ND: Array
    unread: tuple[UnreadImage, ...] = ()
    weights_sha256: str

    def __len__(self) -> int:
        return len(self.items)

    def path(self, place: int) -> Path:
        """Return the file of an image."""
        return self.root / self.items[place].name


@dataclass(frozen=True, kw_only=True)
class Line:
    """The logit of a pair as a function of the product of its embeddings: slope * product + offset.

    Embeddings of the head `distance` have length 1, so that |x - y|^2 = 2 - 2 x . y. Temperature and bias of the
    calibration are not in it.
    """

    slope: float
    offset: float

    def products(self, logit: float) -> float:
        """Return the product of two embeddings whose pair has a logit."""
        return (logit - self.offset) / self.slope


def line_of(verifier: Verifier) -> Line:
    """Return how a verifier's logits follow from products of embeddings. Raises BadInput for another head."""
    if verifier.description is None or verifier.description.network.head != "distance":
        raise BadInput(
            f"{verifier.name} has no distance between embeddings, by which a gallery is searched",
            "Use a network with --override head=distance, such as those of the recipes fast, ink and photo.",
        )
    features = np.zeros((1, 2), np.float32)
    features[0, 0] = 1
    same, opposite = (float(verifier.network.score(features, side)[0]) for side in (features, -features))
    return Line(slope=(same - opposite) / 2, offset=(same + opposite) / 2)
