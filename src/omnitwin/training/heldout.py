"""The held-out exam during training: on classes kept out of it, fit threshold and calibration, and choose `best`."""

from dataclasses import dataclass

import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.metrics.calibration import best_threshold, calibrated, fit_calibration, sigmoid
from omnitwin.metrics.roc import count_scores, equal_error_rate, roc_curve
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import Network
from omnitwin.system.portions import images_at_once

MOST_IMAGES = 800  # in an exam
EMBED_AT_ONCE = 128  # images
UNDECIDED = 0.5  # threshold if no calibration can be fitted


@dataclass(frozen=True, kw_only=True)
class HeldOutResult:
    """The result of a held-out exam."""

    eer: float  # equal error rate, from 0 to 1
    threshold: float  # a probability, after calibration
    calibration: dict[str, float] | None  # None: similar pairs do not score above others yet


class HeldOutExam:
    """Score all pairs of the first images of each held-out class, in fp32. Every exam of a run takes the same pairs.

    most_images: limits the images of each class, of which there are at least 2; None: MOST_IMAGES
    """

    def __init__(
        self, held_out: ImageSet, network: Network, device: torch.device, most_images: int | None = None
    ) -> None:
        self.packed = held_out.framed(network.view).to(device)
        hands = max(2, (MOST_IMAGES if most_images is None else most_images) // len(held_out.class_names))
        place_N = torch.arange(len(held_out)) - held_out.first_C[held_out.class_N]
        self.rows = (place_N < hands).nonzero().flatten().to(device)
        class_M = held_out.class_N.to(device)[self.rows]
        self.pair = torch.triu_indices(len(self.rows), len(self.rows), 1, device=device)
        self.similar = (class_M[self.pair[0]] == class_M[self.pair[1]]).cpu().numpy()

    def take(self, network: TwinNetwork) -> HeldOutResult | None:
        """Return a network's result, or None if a score is not finite. Leaves the network in the mode it was in."""
        training, at_once = network.training, images_at_once(EMBED_AT_ONCE, self.packed.shape[-1])
        network.eval()
        with torch.inference_mode():
            parts = [network.embed(self.packed.gather(rows)) for rows in torch.split(self.rows, at_once)]
            prepared_MD = network.prepare(torch.cat(parts))
            scores = network.score_all(prepared_MD, prepared_MD)[self.pair[0], self.pair[1]].cpu().double()
        network.train(training)
        if not scores.isfinite().all():
            return None
        values_B, similar_B, dissimilar_B = count_scores(scores.numpy(), self.similar)
        curve = roc_curve(similar_B, dissimilar_B)
        calibration = fit_calibration(values_B, similar_B, dissimilar_B)
        threshold = UNDECIDED
        if calibration is not None:
            threshold = best_threshold(sigmoid(calibrated(values_B, calibration)), similar_B, dissimilar_B)
        return HeldOutResult(eer=equal_error_rate(*curve), threshold=threshold, calibration=calibration)
