"""Where sitters come from: a checkpoint, or a baseline and some training pairs."""

from dataclasses import replace
from pathlib import Path

import torch

from omnitwin.data.packed import PackedSet, check_pairable
from omnitwin.data.pairs import draw_pairs
from omnitwin.exams.scorer import Sitter, seated
from omnitwin.metrics.calibration import fit_calibration
from omnitwin.metrics.roc import count_scores
from omnitwin.model.baselines import BASELINES
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.locating import BUNDLED_WEIGHTS, locate_checkpoint
from omnitwin.reports.exams import NetworkReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.files import digest
from omnitwin.system.randomness import Stream, random_generator

CPU = torch.device("cpu")
BASELINE_PAIRS = 2000  # training pairs that turn a baseline's distances into probabilities


def open_network(checkpoint: str | None, device: torch.device = CPU) -> Sitter:
    """Open a checkpoint by its path or name; None is the default network."""
    path = locate_checkpoint(checkpoint)
    network, description = load_checkpoint(path)
    return Sitter(
        model=network.to(device),
        threshold=description.threshold,
        calibration=description.calibration,
        probabilistic=True,
        image_size=description.recipe.image_size,
        frame=description.recipe.frame,
        novelty=description.novelty,
        network=_network_report(path, description),
        family=description.dataset_family,
        fingerprint=description.fingerprint,
        held_out=description.held_out,
    )


def fit_baseline(
    name: str,
    training: PackedSet,
    seed: int,
    device: torch.device = CPU,
    reporter: Reporter = SILENT,
    pairs: int = BASELINE_PAIRS,
) -> Sitter:
    """Return a baseline whose scores are logits, fitted on random pairs of the training images.

    Both kinds of pair weigh the same, so its threshold is 0.5.
    """
    check_pairable(training)
    raw = Sitter(model=BASELINES[name](), baseline=name, fingerprint=training.fingerprint)
    drawn = draw_pairs(training, pairs, random_generator(CPU, seed, Stream.CALIBRATION))
    scorer = seated(raw, training, device, "fp32", reporter)
    scores = scorer.score_pairs(drawn.left_B, drawn.right_B).double().numpy()
    return replace(raw, calibration=fit_calibration(*count_scores(scores, drawn.similar_B.numpy())))


def _network_report(path: Path, description: Description) -> NetworkReport:
    calibration = description.calibration or {}
    return NetworkReport(
        checkpoint=str(path),
        weights_sha256=digest(path, "sha256"),
        recipe=description.recipe.name,
        iteration=description.iteration,
        iterations=description.recipe.iterations,
        trained_on=description.dataset,
        held_out=description.held_out,
        threshold=description.threshold,
        temperature=calibration.get("temperature"),
        bias=calibration.get("bias"),
        bundled=path == BUNDLED_WEIGHTS,
    )
