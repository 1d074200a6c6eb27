"""A trained network that answers, for Python.

    twin = omnitwin.load()                           # the bundled weights; or a run's name, or a path
    twin.compare("a.png", "b.png").verdict           # files, PIL images or arrays

A network that NumPy can run answers without torch.

N images, D features, B pairs
"""

from collections.abc import Iterable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnitwin.answers import comparison
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import BASELINES, RankConfig, check_threshold
from omnitwin.errors import BadInput
from omnitwin.images.intake import Intake, Picturable, read_any
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import Recipe
from omnitwin.reports.answers import Comparison, RankingReport
from omnitwin.reports.progress import SILENT, Reporter

if TYPE_CHECKING:  # an answer may do without torch
    from torch import nn


class Twin:
    """A network, or a baseline, that is ready to answer. `load` opens one.

    >>> twin = omnitwin.load()
    >>> twin.compare("a.png", "b.png").verdict
    'same'
    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def __repr__(self) -> str:
        return f"<Twin {self.verifier.name}, {self.verifier.engine}, threshold {self.threshold}>"

    @property
    def threshold(self) -> float:
        """Probability from which a pair is called the same."""
        return self.verifier.threshold

    @property
    def recipe(self) -> Recipe:
        """The recipe that the network was trained by. BadInput for a baseline, which has none."""
        if self.verifier.description is None:
            raise BadInput(f"the baseline {self.verifier.name} was trained by no recipe", "")
        return self.verifier.description.whole_recipe()

    def compare(self, first: Picturable, second: Picturable) -> Comparison:
        """Return whether two images show the same thing. Exchanging them changes no bit of the answer.

        An image is a file's path, a PIL image, or an array: (H, W), (H, W, 3) or (H, W, 4) uint8, or (H, W) of numbers
        in any unit, dark for ink. Raises BadImage if one cannot be read, or is blank.

        >>> answer = twin.compare("a.png", PIL.Image.open("b.png"))
        >>> answer.verdict, answer.probability
        ('same', 0.9976)
        """
        return comparison.judge(self.verifier, self._read(first), self._read(second))

    def rank(
        self, query: str | PathLike[str], others: Iterable[str | PathLike[str]], reporter: Reporter = SILENT
    ) -> RankingReport:
        """Rank image files by the probability that they show what the query shows, the most similar first.

        others: files, and folders, which stand for the image files in them

        The report names files that cannot be read. Raises BadImage if the query is one, BadInput if nothing is left.

        >>> [(image.file.name, image.probability) for image in twin.rank("a.png", ["drawings"]).ranked]
        [('alpha2.png', 0.9996), ('beta1.png', 0.1637)]
        """
        self._check_files()
        config = RankConfig(query=Path(query), others=tuple(map(Path, others)))
        return comparison.rank(config, reporter, self.verifier)

    def embed(self, images: Iterable[Picturable]) -> Array:
        """Return embeddings, (N, D) float32. BadImage names an image that cannot be read or is blank.

        >>> twin.embed(sorted(Path("drawings").glob("*.png"))).shape
        (4, 256)
        """
        parts, waiting = [], []
        for image in images:
            waiting.append(self._read(image))
            if len(waiting) == comparison.AT_ONCE:
                parts.append(self.verifier.embed(waiting))
                waiting = []
        if waiting:
            parts.append(self.verifier.embed(waiting))
        if not parts:
            raise BadInput("no image was given to embed", "")
        return np.concatenate(parts)

    def probability(self, left_BD: Array, right_BD: Array) -> Array:
        """Return the probability, (B,), that each pair of embeddings shows the same thing. One side may have B = 1.

        >>> embeddings = twin.embed(["a.png", "b.png", "c.png"])
        >>> twin.probability(embeddings[:1], embeddings[1:]).shape
        (2,)
        """
        return self.verifier.probability(left_BD, right_BD)

    def _read(self, image: Picturable) -> Intake:
        return read_any(image, self._check_files(), self.verifier.frame)

    def _check_files(self) -> int:
        """Return the pixels a side that files are read for; BadInput if this verifier takes no files."""
        size, described = self.verifier.image_size, self.verifier.description
        if size is None or described is None:
            raise BadInput(f"the baseline {self.verifier.name} takes exams, not image files", "Use a trained network.")
        if described.network.channels != 1:
            raise BadInput(f"{self.verifier.name} sees images of {described.network.channels} channels, not files", "")
        return size


def load(
    name: str | PathLike[str] | None = None,
    *,
    device: str = "cpu",
    threshold: float | None = None,
    encoder: "nn.Module | None" = None,
) -> Twin:
    """Open a trained network, or a baseline, to ask it.

    name: a run's name, a path, `newest`, `bundled`, or a baseline (`pixels`, `hausdorff`); None: the default network
    device: `cpu`, `cuda`, `cuda:N`, `mps` or `auto`
    threshold: probability from which a pair is the same; None: the network's own
    encoder: your own module, for a network that was trained with it

    Raises BadCheckpoint, DeviceMissing or BadInput.

    >>> omnitwin.load("my-run", device="cuda").threshold
    0.5731
    """
    check_threshold(threshold)
    if name in BASELINES:
        from omnitwin.answers.engines import open_baseline

        baseline = open_baseline(str(name), device)
        return Twin(baseline if threshold is None else replace(baseline, threshold=threshold))
    return Twin(open_verifier(None if name is None else str(name), device, threshold, encoder=encoder))
