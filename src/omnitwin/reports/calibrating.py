"""The report of `omnitwin calibrate`: an existing network on somebody's own images, before and after."""

from dataclasses import dataclass, field
from pathlib import Path

from omnitwin.reports.answers import INLINE, TrainedNetwork, UnreadImage
from omnitwin.reports.exams import Measure, Reliability


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A threshold and a calibration, and how they judge the pairs.

    threshold: probability from which a pair is called the same
    temperature, bias: of the logit; None: no calibration is applied
    measures: `far`, `frr`, `balanced_accuracy` and, for a target precision, `precision`
    """

    threshold: float
    temperature: float | None
    bias: float | None
    measures: tuple[Measure, ...]
    reliability: Reliability

    def measure(self, name: str) -> Measure:
        """Return the figure of this name. KeyError if there is none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A verifier that was written. name: of its folder among the runs"""

    name: str
    folder: Path
    weights: Path
    weights_sha256: str


@dataclass(frozen=True, kw_only=True)
class CalibrateReport:
    """An existing network on somebody's own images.

    network, sha256: the network as it was, and the digest of its file
    data: the folder or table of images
    images, classes: those that were used; `paired` of the classes have two images or more
    similar, dissimilar: number of pairs
    target: what the threshold was chosen for
    eer: the equal error rate, which no threshold and no calibration changes
    before: by the network's own threshold and calibration
    after: by new ones; the figures are cross-validated over `folds` folds of the classes, so each pair is judged by
        a fit without its classes. None: nothing could be fitted
    unread: files that are no images or show nothing, with the problem
    twice: files whose picture is in the same class already, as the network sees it; they were left out
    notes: what a person should know
    warnings: why the new verifier may be of little use
    problem: why no verifier was written; None: one was
    written: the new verifier

    >>> omnitwin.calibrate("signatures", target="far=0.01").after.measure("frr").value
    0.31
    """

    network: TrainedNetwork = field(metadata=INLINE)
    sha256: str
    data: Path
    images: int
    classes: int
    paired: int
    similar: int
    dissimilar: int
    target: str
    eer: Measure
    before: Judgement
    after: Judgement | None
    folds: int
    unread: tuple[UnreadImage, ...]
    twice: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    problem: str | None
    written: Calibrated | None
    seconds: float
