"""The plan, the steps and the result of a training run, as frozen records of plain numbers and words."""

from dataclasses import dataclass
from pathlib import Path

from omnitwin.reports.operating import OperatingPoint


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """What a training run will do. Seconds and bytes are measured on a few steps, or None."""

    recipe: str
    encoder: str
    image_size: str  # pixels that the network sees: `96`, or `64x128` (height x width)
    channels: int
    parameters: int
    iterations: int  # that the recipe asks for
    first_iteration: int  # 1, or more in a resumed run
    batch_size: int  # in units; a small set can make it less than the recipe's
    unit: str  # `pairs`, or `images`, of which all pairs are trained on
    batch_classes: int | None  # classes in a batch; None for random pairs
    colourings: int = 1  # orders of red, green and blue in which each of them comes
    pairs_per_iteration: int
    learning_rate: float  # the peak, if it is scheduled
    patience: int = 0  # exams without a better network, after which the run stops; 0: it never does, or is too short
    seed: int
    device: str
    precision: str
    images: int  # to train on
    classes: int  # to train on
    dataset: str
    held_out: tuple[str, ...]  # alphabets kept out of training
    output: Path  # the run's folder
    seconds_per_iteration: float | None = None
    seconds_in_all: float | None = None  # of the iterations left, at most the maximum time
    weights_bytes: int | None = None
    training_bytes: int | None = None  # weights, gradients and optimiser
    data_bytes: int | None = None
    peak_bytes: int | None = None  # of the process, or of it on the GPU


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """A step of a training run.

    The loss of random pairs is ln 2 for a network that gives all pairs the same score. The loss of all pairs of a batch
    is a weighted sum with the centroids' cross-entropy (model.losses), and has no such constant.
    """

    iteration: int  # 1 is the first
    loss: float  # of the batch, in nats
    pairs_per_second: float
    elapsed_seconds: float  # since the first step of this process, so less after a run is resumed
    held_out_eer: float | None = None  # equal error rate on the held-out alphabets; None: no exam at this step


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """How a run ended."""

    output: Path  # the run's folder
    weights: Path  # the last checkpoint
    weights_sha256: str
    best: Path | None  # the checkpoint with the lowest held_out_eer; None: nothing was held out
    best_iteration: int | None
    held_out_eer: float | None  # equal error rate of `best` on the held-out alphabets
    iteration: int  # iterations done
    iterations: int  # that the recipe asks for
    threshold: float | None = None  # of `best`, else of the last checkpoint
    operating: OperatingPoint | None = None  # what it was chosen for, and its errors; None: no exam chose it
    loss: float  # of the last batch
    seconds: float  # of this process, with exams and saving
    pairs_per_second: float  # without exams and saving
    own_images: bool = False  # whether a folder or table was trained on
    stopped_by: str | None  # `SIGINT`, `SIGTERM`, `time`, `patience` or `callback`; None: all iterations are done
    warnings: tuple[str, ...]
