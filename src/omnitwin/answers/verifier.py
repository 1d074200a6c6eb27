"""A verifier: a network or a baseline, with all that turns its scores into answers. Opened once, used for everything.

    verifier = open_verifier("my-run")
    first, second = (read_image(path, verifier.view) for path in paths)
    embeddings_BD = verifier.embed([first, second])
    verifier.probability(embeddings_BD[:1], embeddings_BD[1:])  # (1,)

B images or pairs, D features, C channels, H x W pixels
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from omnitwin.errors import BadCheckpoint
from omnitwin.images.framing import WHITE
from omnitwin.images.novelty import novelty, statistics_of
from omnitwin.images.views import Seen
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.calibration import calibrated, sigmoid
from omnitwin.model import numpy_twin
from omnitwin.model.anatomy import layout
from omnitwin.model.description import FORMAT, Description, describe, opened, record_of
from omnitwin.model.familiarity import novelty_of, traits
from omnitwin.model.locating import BUNDLED_WEIGHTS, locate_checkpoint, trained_network
from omnitwin.model.numpy_twin import runs_in_numpy
from omnitwin.model.tensors import read_tensors
from omnitwin.recipes import View
from omnitwin.reports.answers import TrainedNetwork
from omnitwin.reports.operating import OperatingPoint
from omnitwin.system.files import digest
from omnitwin.system.portions import portions

if TYPE_CHECKING:  # an answer may do without torch
    from torch import nn

NUMPY, TORCH = "numpy", "torch"  # engines


class Network(Protocol):
    """The common part of both engines: arrays in, arrays out. See NumpyTwin."""

    def embed(self, images_BCHW: Array, /) -> Array: ...
    def features(self, images_BCHW: Array, /) -> Array: ...
    def scaled(self, features_BD: Array, /) -> Array: ...
    def score(self, left_BD: Array, right_BD: Array, /) -> Array: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Verifier:
    """A network or a baseline that is ready to answer.

    name: the path of its weights file, or the name of a baseline
    engine: `numpy` or `torch`, which runs the network
    view: how it sees a picture; None if it takes images of any size, as a baseline does
    threshold: probability from which a pair counts as the same
    calibration: temperature and bias of the logit; None: none is applied
    operating: what the threshold was chosen for, and its errors; None: not known, or another threshold was given
    novelty: the record by which images.novelty knows drawings; None: nothing was fitted
    familiarity: the record by which model.familiarity knows familiar images; None: nothing was fitted
    probabilistic: whether scores are logits by themselves, before any calibration
    path: its weights file, or None for a baseline
    sha256: digest of that file when it was opened, or None for a baseline
    description: what that file says of itself, or None for a baseline
    """

    name: str
    network: Network
    engine: str
    view: View | None
    threshold: float
    calibration: dict[str, float] | None = None
    operating: OperatingPoint | None = None
    novelty: dict[str, Any] | None = None
    familiarity: dict[str, Any] | None = None
    probabilistic: bool = True
    path: Path | None = None
    sha256: str | None = None
    description: Description | None = None

    @property
    def bundled(self) -> bool:
        """Whether the weights came with omnitwin."""
        return self.path == BUNDLED_WEIGHTS

    def embed(self, images: Sequence[Seen]) -> Array:
        """Return embeddings (B, D) float32 of images that were read for this verifier's view."""
        return self._each(self.network.embed, images)

    def look(self, images: Sequence[Seen]) -> tuple[Array, list[float | None]]:
        """Return embed's and novelties' results, by one pass through the network."""
        if self.familiarity is None:
            return self.embed(images), self.novelties(images)
        features_BD = self._each(self.network.features, images)
        return self.network.scaled(features_BD), self.novelties(images, features_BD)

    def _each(self, of: Callable[[Array], Array], images: Sequence[Seen]) -> Array:
        parts = portions(len(images), len(images), max(images[0].pixels_CHW.shape[1:]))
        return np.concatenate([of(pixels_of(images[part]).astype(np.float32) / WHITE) for part in parts])

    def probability(self, left_BD: Array, right_BD: Array) -> Array:
        """Return the probability (B,) that each pair of embeddings shows the same thing. One side may have B = 1.

        Exchanging left and right changes no bit. Raises BadCheckpoint as probability_of does.
        """
        return self.probability_of(self.network.score(left_BD, right_BD))

    def probability_of(self, logits_B: Array) -> Array:
        """Return the probabilities (B,) that the network's scores stand for, by the calibration.

        Raises BadCheckpoint if a probability is not a number: it means neither same nor different.
        """
        with np.errstate(all="ignore"):
            probability_B = sigmoid(calibrated(logits_B, self.calibration))
        if np.isnan(probability_B).any():
            raise BadCheckpoint(f"{self.name} gives no answer: its weights lead to numbers that are not finite")
        return probability_B

    @property
    def knows(self) -> bool:
        """Whether the verifier knows images that are unlike those it was trained for, and so may refuse to answer."""
        return self._knows_ink or self.familiarity is not None

    @property
    def of_drawings(self) -> bool:
        """Whether the network was trained on drawings, one on a page, in all variations of images.variations."""
        own = self.description is not None and self.description.data is not None
        return self._knows_ink and not own

    @property
    def _knows_ink(self) -> bool:
        """Whether there is a record of the ink, and the view has any."""
        return self.novelty is not None and self.view is not None and self.view.frame != "photo"

    def novelties(self, images: Sequence[Seen], features_BD: Array | None = None) -> list[float | None]:
        """Return how unlike any familiar image each one is (above 1: unlike all), or None if the verifier cannot tell.

        Familiar images are those that the network was trained for. Of what its two records say, the larger counts.

        features_BD: the network's features of the images, if they are known already

        Raises BadCheckpoint for a record that is of another network.
        """
        if self.view is None:
            return [None] * len(images)
        found: list[Array] = []
        if self.novelty is not None and self._knows_ink:
            found.append(novelty(statistics_of(images), self.novelty))
        if self.familiarity is not None:
            if features_BD is None:
                features_BD = self._each(self.network.features, images)
            if features_BD.shape[1] != len(self.familiarity["middle"]):
                raise BadCheckpoint(f"{self.name} has a record of familiarity that is of another network")
            found.append(novelty_of(traits(features_BD, pixels_of(images), self.familiarity), self.familiarity))
        return [float(value) for value in np.maximum.reduce(found)] if found else [None] * len(images)

    def trained(self) -> TrainedNetwork:
        """Return which network this is and how far it was trained. Only of a verifier with a weights file."""
        assert self.path is not None
        assert self.description is not None
        return trained_network(self.path, self.description)


def pixels_of(images: Sequence[Seen]) -> Array:
    """Return the pixels of images, (B, C, H, W) uint8."""
    return np.stack([image.pixels_CHW for image in images])


def open_verifier(
    name: str | None = None,
    device: str = "cpu",
    threshold: float | None = None,
    engine: str | None = None,
    encoder: "nn.Module | None" = None,
) -> Verifier:
    """Open the verifier of a checkpoint; its file is opened, read and checked once.

    name: a path, a run, `newest` or `bundled`; None: the default network
    threshold: None: the checkpoint's own
    engine: None: NumPy if it can run the network on this device, else torch
    encoder: the user's own module, for a network that was trained with it

    Raises BadCheckpoint, DeviceMissing.
    """
    if encoder is not None:
        from omnitwin.model.checkpoint import layout_with
    path = locate_checkpoint(name)
    with opened(path, "numpy") as file:
        description = describe(path, record_of(path, file, FORMAT))
        seen = description.network
        tensors = read_tensors(path, file, layout(seen) if encoder is None else layout_with(seen, encoder))
        sha256 = digest(path, "sha256")
    if engine is None:
        engine = NUMPY if device == "cpu" and runs_in_numpy(seen) else TORCH
    network: Network
    if engine == NUMPY:
        network = numpy_twin.build(tensors, seen)
    else:
        from omnitwin.answers.engines import build_torch

        network = build_torch(tensors, seen, device, encoder)
    return Verifier(
        name=str(path),
        network=network,
        engine=engine,
        view=seen.view,
        threshold=description.threshold if threshold is None else threshold,
        calibration=description.calibration,
        operating=description.operating if threshold is None else None,
        novelty=description.novelty,
        familiarity=description.familiarity,
        path=path,
        sha256=sha256,
        description=description,
    )
