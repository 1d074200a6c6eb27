"""What workflows return, as frozen records of plain numbers and words, and the protocol by which they tell progress."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


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
class PlanReport:
    """What a training run is about to do; seconds and bytes are measured on a few steps, or None before that.

    unit: what batch_size counts, `pairs` or `images`, of which all pairs are trained on. batch_size is what a batch
    really holds, where a small set limits it; batch_classes: of its images, or None for pairs.
    """

    recipe: str
    encoder: str
    parameters: int
    iterations: int
    first_iteration: int
    batch_size: int
    unit: str
    batch_classes: int | None
    pairs_per_iteration: int
    learning_rate: float
    seed: int
    device: str
    precision: str
    images: int
    classes: int
    dataset: str
    held_out: tuple[str, ...]
    output: Path
    seconds_per_iteration: float | None = None
    seconds_in_all: float | None = None
    weights_bytes: int | None = None
    training_bytes: int | None = None
    data_bytes: int | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One iteration (1 is the first): loss is the batch's mean binary cross-entropy in nats.

    Where a recipe trains on all pairs of a batch it is their weighted sum and the centroids' cross-entropy as the
    recipe weighs them (model.losses), so that chance is not ln 2.

    elapsed_seconds counts from the start of this process's steps, so it begins anew where a run is resumed.
    """

    iteration: int
    loss: float
    pairs_per_second: float
    elapsed_seconds: float
    held_out_eer: float | None = None  # of the held-out alphabets, where this iteration ended with their exam
    held_out_auc: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """How a run ended; stopped_by is None when all iterations were done, else `SIGINT`, `SIGTERM` or `time`.

    best: the checkpoint with the lowest equal error rate on the held-out alphabets, held_out_eer, where there are any.
    """

    output: Path
    weights: Path
    weights_sha256: str
    best: Path | None
    best_iteration: int | None
    held_out_eer: float | None
    iteration: int
    iterations: int
    loss: float
    seconds: float
    pairs_per_second: float
    stopped_by: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Who answered: bundled says that the weights came with omnitwin, engine (`numpy` or `torch`) what ran them.

    calibrated: whether probabilities were fitted to pairs of held-out alphabets, as many similar as dissimilar.
    """

    checkpoint: Path
    bundled: bool
    recipe: str
    iteration: int
    iterations: int
    engine: str
    calibrated: bool
    threshold: float


@dataclass(frozen=True, kw_only=True)
class ComparisonReport(Answer):
    """The answer for two files: probability that they show the same thing, and the verdict at the threshold.

    Pictures are of the files, inputs of what the network saw of them. first_novelty, second_novelty: how unlike any
    known drawing they are, far from all above 1; None where the checkpoint cannot tell.
    """

    first: Path
    second: Path
    same: bool
    probability: float
    notes: tuple[str, ...]
    first_picture: Picture
    second_picture: Picture
    first_input: Picture
    second_input: Picture
    first_novelty: float | None
    second_novelty: float | None


@dataclass(frozen=True, kw_only=True)
class ChoiceReport:
    """Which network answers where none is named: `bundled`, a run's name or a path."""

    name: str
    bundled: bool
    checkpoint: Path
    recipe: str
    iteration: int
    iterations: int


@dataclass(frozen=True, kw_only=True)
class ShowReport:
    dataset: str
    subset: str
    seed: int
    images: tuple[LabelledPicture, ...]
    pairs: tuple[ScoredPair, ...]


@dataclass(frozen=True, kw_only=True)
class EnvironmentReport:
    """default_network: who answers where nobody is named, or None with the problem where it cannot."""

    versions: dict[str, str]
    devices: tuple[str, ...]
    chosen_device: str
    precision: str
    folders: dict[str, str]
    variables: dict[str, str]
    default_network: ChoiceReport | None
    default_problem: str | None


Advance = Callable[[int], None]
ShowStep = Callable[[StepReport], None]


class Reporter(Protocol):
    """Where a workflow tells what it is doing, while it is doing it."""

    def note(self, text: str) -> None:
        """Say one line."""

    def warn(self, text: str) -> None:
        """Say one line that should not be missed."""

    def task(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Follow some work of total units; the callable is told how many more are done. unit: `bytes` or a noun."""

    def training(self, plan: PlanReport) -> AbstractContextManager[ShowStep]:
        """Follow a training run; the callable is given the newest step now and then."""


class _Silent:
    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    def task(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        return nullcontext(lambda count: None)

    def training(self, plan: PlanReport) -> AbstractContextManager[ShowStep]:
        return nullcontext(lambda step: None)


SILENT: Reporter = _Silent()
