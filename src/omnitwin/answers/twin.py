"""A trained network that answers, for Python.

    twin = omnitwin.load()                           # the bundled weights; or a run's name, or a path
    twin.compare("a.png", "b.png").verdict           # files, PIL images or arrays

A network that NumPy can run answers without torch.

N images, D features, B pairs
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from omnitwin.answers import comparison
from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import BASELINES, RankConfig, check_threshold
from omnitwin.errors import BadInput
from omnitwin.images.intake import Picturable
from omnitwin.images.views import Seen, read_any
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import Recipe
from omnitwin.reports.answers import Comparison, RankingReport
from omnitwin.reports.operating import OperatingPoint
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.words import check_device, device_word

if TYPE_CHECKING:  # an answer may do without torch
    import torch
    from torch import nn

EMBEDDINGS = "Give two arrays (B, D), as embed returns them; one of them may have B = 1."


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
    def operating(self) -> OperatingPoint | None:
        """What the threshold was chosen for, and how often it errs; None: not known, or another threshold was given."""
        return self.verifier.operating

    @property
    def recipe(self) -> Recipe:
        """The recipe that the network was trained by. BadInput for a baseline, which has none."""
        if self.verifier.description is None:
            raise BadInput(
                f"the baseline {self.verifier.name} was trained by no recipe", "Only a trained twin has one."
            )
        return self.verifier.description.whole_recipe()

    def compare(self, first: Picturable, second: Picturable, *, always_answer: bool = False) -> Comparison:
        """Return whether two images show the same thing. Exchanging them changes no bit of the answer.

        The verdict is `unsure`, with the reasons, if an image is unlike what the network was trained for, or is no
        page with one drawing. always_answer: say `same` or `different` even then

        An image is a file's path, a PIL image, or an array: (H, W), (H, W, 3) or (H, W, 4) uint8, or (H, W) of numbers
        in any unit, dark for ink. A network that sees colours sees those of the image, any other its grey levels.
        Raises BadImage if one cannot be read, or is blank.

        >>> answer = twin.compare("a.png", PIL.Image.open("b.png"))
        >>> answer.verdict, answer.probability
        ('same', 0.9966)
        """
        forms = not always_answer  # of an empty form the verdict says what it is
        left, right = (read_any(image, view_of(self.verifier), forms=forms) for image in (first, second))
        return comparison.judge(self.verifier, left, right, always_answer=always_answer)

    def rank(
        self,
        query: str | PathLike[str],
        others: str | PathLike[str] | Iterable[str | PathLike[str]],
        reporter: Reporter = SILENT,
        *,
        always_answer: bool = False,
    ) -> RankingReport:
        """Rank image files by the probability that they show what the query shows, the most similar first.

        others: files, and folders, which stand for the image files in them; or one of these
        always_answer: as of compare

        The report names files that cannot be read. Raises BadImage if the query is one, BadInput if nothing is left.

        >>> [(image.file.name, image.probability) for image in twin.rank("a.png", ["drawings"]).ranked]
        [('alpha2.png', 0.9992), ('beta1.png', 0.1296)]
        """
        view_of(self.verifier)
        if isinstance(others, str | PathLike):
            others = [others]
        paths = tuple(path_of(other) for other in each_of(others, "files"))
        config = RankConfig(query=path_of(query), others=paths, always_answer=always_answer)
        return comparison.rank(config, reporter, self.verifier)

    def embed(self, images: Iterable[Picturable]) -> Array:
        """Return embeddings, (N, D) float32. BadImage names an image that cannot be read or is blank.

        >>> twin.embed(sorted(Path("drawings").glob("*.png"))).shape
        (4, 512)
        """
        parts, waiting = [], []
        if isinstance(images, str | PathLike | bytes | Image.Image) or _is_array_of_one(images):
            raise BadInput("one image was given where embed takes several", "Give a list of images.")
        for image in each_of(images, "images"):
            waiting.append(self._read(image))
            if len(waiting) == comparison.AT_ONCE:
                parts.append(self.verifier.embed(waiting))
                waiting = []
        if waiting:
            parts.append(self.verifier.embed(waiting))
        if not parts:
            raise BadInput("no image was given to embed", "Give one or more: paths, PIL images or arrays.")
        return np.concatenate(parts)

    def probability(self, left_BD: Array, right_BD: Array) -> Array:
        """Return the probability, (B,), that each pair of embeddings shows the same thing. One side may have B = 1.

        >>> embeddings = twin.embed(["a.png", "b.png", "c.png"])
        >>> twin.probability(embeddings[:1], embeddings[1:]).shape
        (2,)
        """
        left, right = _embeddings(left_BD), _embeddings(right_BD)
        if left.shape[1] != right.shape[1] or (len(left) != len(right) and 1 not in (len(left), len(right))):
            raise BadInput(f"embeddings of shapes {left.shape} and {right.shape} make no pairs", EMBEDDINGS)
        if left.shape[1] != self._features:
            raise BadInput(f"{self.verifier.name} has {self._features} features, not {left.shape[1]}", EMBEDDINGS)
        return self.verifier.probability(left, right)

    @cached_property
    def _features(self) -> int:
        """D of this network's embeddings, whatever encoder it has."""
        view = view_of(self.verifier)
        white_1CHW = np.ones((1, view.channels, view.height, view.width), np.float32)
        return int(self.verifier.network.embed(white_1CHW).shape[1])

    def _read(self, image: Picturable) -> Seen:
        return read_any(image, view_of(self.verifier))


def path_of(path: str | PathLike[str]) -> Path:
    """Return a path. Raises BadInput for what is none."""
    word = fspath(path) if isinstance(path, str | PathLike) else None
    if not isinstance(word, str) or not word or "\0" in word:
        raise BadInput(f"{path!r} is no path", "Give the paths of image files or folders.")
    return Path(word)


def each_of(several: Any, kind: str) -> Iterator[Any]:
    """Iterate. Raises BadInput for what has no items."""
    try:
        return iter(several)
    except TypeError:
        raise BadInput(f"{several!r} is no list of {kind}", f"Give a list of {kind}.") from None


def _is_array_of_one(images: Any) -> bool:
    shape: tuple[int, ...] = getattr(images, "shape", ())
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))


def _embeddings(given: Any) -> Array:
    """Return embeddings (B, D) float32. Raises BadInput for what is none."""
    try:
        values = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"these are no embeddings: {error}", EMBEDDINGS) from error
    if values.dtype.kind not in "iuf" or values.ndim != 2 or not values.size:
        raise BadInput(f"an array of shape {values.shape} of {values.dtype} holds no embeddings", EMBEDDINGS)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise BadInput("an embedding holds numbers that are not finite", EMBEDDINGS)
    return values


def load(
    name: str | PathLike[str] | None = None,
    *,
    device: "str | torch.device" = "cpu",
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
    0.4997
    """
    check_threshold(threshold)
    device = device_word(device)
    check_device(device)
    if not isinstance(name, str | PathLike | None):
        raise BadInput(f"{name!r} names no network", "Give a run's name or a path.")
    if name in BASELINES:
        from omnitwin.answers.engines import open_baseline

        baseline = open_baseline(str(name), device)
        return Twin(baseline if threshold is None else replace(baseline, threshold=threshold))
    return Twin(open_verifier(None if name is None else str(name), device, threshold, encoder=encoder))
