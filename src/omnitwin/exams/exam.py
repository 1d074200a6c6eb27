"""The parts of an exam: its record, the sitting that it is given, and functions that several exams share.

An exam is a function from a sitting to a report, with a name and what it needs of a set of images:

    def zeros(sitting: Sitting) -> ExamReport: ...

    evaluate(config, exams=["pairs", zeros])

To add one to omnitwin, write it in a module of this folder, list it in catalogue.py and name it in config.EXAMS.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from omnitwin.config import EvalConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.data.pairs import PairBatch
from omnitwin.exams.scorer import Scorer
from omnitwin.metrics.intervals import is_unanimous
from omnitwin.metrics.resampling import REPLICATES
from omnitwin.reports.exams import ExamReport
from omnitwin.reports.progress import Reporter

CPU = torch.device("cpu")  # draws the exams, whatever the device: a seed names the same exam on every machine


@dataclass(frozen=True, eq=False, kw_only=True)
class Sitting:
    """The input of an exam."""

    scorer: Scorer  # scores pairs of rows of the images
    images: ImageSet  # as they came: not framed, on the CPU
    config: EvalConfig
    material: Any = None  # returned by the exam's fetch

    @property
    def threshold(self) -> float:
        """Probability from which the network answers `similar`."""
        return self.scorer.verifier.threshold

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the exams that are drawn."""
        return tuple(range(self.config.seed, self.config.seed + self.config.seeds))


Take = Callable[[Sitting], ExamReport]


def fits_any_set(images: ImageSet, config: EvalConfig) -> None:
    """Accept every set from which pairs can be drawn."""


def fetch_nothing(images: ImageSet, config: EvalConfig, reporter: Reporter) -> None:
    """Fetch nothing: the exam needs only the images."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Exam:
    """An exam by its name, with what it needs of a set.

    take: gives the report of a Sitting, which has scorer, images and config
    check: raises BadInput for a set that the exam cannot be taken on
    fetch: returns other material that the exam needs
    long_on_own: whether it takes many minutes on images of somebody's own: `usual` leaves it out there

    >>> omnitwin.evaluate(twin, images, exams=[omnitwin.Exam(name="mine", take=my_exam)])
    """

    name: str
    take: Take
    check: Callable[[ImageSet, EvalConfig], None] = fits_any_set
    fetch: Callable[[ImageSet, EvalConfig, Reporter], Any] = fetch_nothing
    long_on_own: bool = False


def joined(parts: Iterable[PairBatch]) -> PairBatch:
    """Return the pairs of all parts, one part after the other."""
    return PairBatch(*(torch.cat(columns) for columns in zip(*(vars(part).values() for part in parts), strict=True)))


def bootstrap_method(resampled: str, seed: int, value: float | None = None, trials: int | None = None) -> str:
    """Say how the interval of a value was computed. resampled: the units drawn with replacement, such as `9 classes`

    trials: of Wilson's interval where the value is 0 or 1; None: those units
    """
    method = f"percentile bootstrap, {resampled} resampled, {REPLICATES:,} replicates, seed {seed}"
    if value is None or not is_unanimous(value):
        return method
    of = resampled if trials is None else f"{trials:,} trials"
    return f"{method}, at {100 * value:.0f} % no narrower than Wilson's interval of {of}"
