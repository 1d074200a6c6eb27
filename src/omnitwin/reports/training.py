"""What a training run plans, does and ends with, as frozen records of plain numbers and words."""

from dataclasses import dataclass
from pathlib import Path


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
