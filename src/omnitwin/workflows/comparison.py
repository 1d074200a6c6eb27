"""`omnitwin compare`: do two image files show the same thing?"""

import numpy as np
import torch

from omnitwin.config import CompareConfig
from omnitwin.data.intake import WHITE, Intake, read_image
from omnitwin.device import select_device
from omnitwin.metrics.calibration import calibrated
from omnitwin.model.checkpoint import load_checkpoint, locate_checkpoint
from omnitwin.reports import ComparisonReport
from omnitwin.workflows.pictures import picture_of_image


def compare(config: CompareConfig) -> ComparisonReport:
    """Probability that both files show the same thing, by the network's own pair score; the order does not matter."""
    path = locate_checkpoint(config.checkpoint)
    network, description = load_checkpoint(path)
    recipe = description.recipe
    first, second = (read_image(path, recipe.image_size, recipe.frame) for path in (config.first, config.second))
    device = select_device(config.device)
    network = network.to(device)
    with torch.inference_mode():
        logit = calibrated(network(_input(first).to(device), _input(second).to(device)), description.calibration)
        probability = float(logit.sigmoid())
    threshold = description.threshold if config.threshold is None else config.threshold
    notes = [f"{config.first.name}: {note}" for note in first.notes]
    notes += [f"{config.second.name}: {note}" for note in second.notes]
    return ComparisonReport(
        first=config.first,
        second=config.second,
        same=probability >= threshold,
        probability=probability,
        calibrated=description.calibration is not None,
        threshold=threshold,
        checkpoint=path,
        recipe=description.recipe.name,
        iteration=description.iteration,
        iterations=description.recipe.iterations,
        notes=tuple(notes),
        first_picture=picture_of_image(first.shown),
        second_picture=picture_of_image(second.shown),
        first_input=picture_of_image(first.image),
        second_input=picture_of_image(second.image),
    )


def _input(intake: Intake) -> torch.Tensor:
    """(1, 1, S, S) float32, ink 0 and paper 1."""
    return torch.from_numpy(np.array(intake.image))[None, None].float() / WHITE
