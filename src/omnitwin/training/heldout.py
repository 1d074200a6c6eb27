"""The held-out exam during training: on classes kept out of it, fit threshold and calibration, and choose `best`.

M images of the exam, N pairs of them, B distinct scores, C classes
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from omnitwin.config import Target
from omnitwin.data.imageset import ImageSet, check_pairable
from omnitwin.data.showing import check_shown
from omnitwin.errors import BadInput
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.calibration import calibrated, sigmoid
from omnitwin.metrics.crossing import cross_validated, folds_of
from omnitwin.metrics.operating import fit_for, method_of, outcomes_of, threshold_for
from omnitwin.metrics.roc import count_scores, equal_error_rate, roc_curve, weigh_scores
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import Network, Recipe
from omnitwin.reports.nouns import nouns_of
from omnitwin.reports.operating import BY_ITSELF, BY_OTHERS, HELD_OUT, OperatingPoint
from omnitwin.system.portions import images_at_once

MOST_IMAGES = 800  # in an exam
MOST_CLASSES = 1_000  # in an exam: 2 million pairs, which take a second
EMBED_AT_ONCE = 128  # images
FEW_FOLDS, CROSSED_FROM = 5, 10  # folds of classes: an exam should take little time; classes from which it has folds
UNDECIDED = 0.5  # threshold if no calibration can be fitted
HOLD_OUT = "Add --holdout, such as 5; to a folder of your own images, add classes."


@dataclass(frozen=True, kw_only=True)
class HeldOutResult:
    """The result of a held-out exam."""

    eer: float  # equal error rate, from 0 to 1
    threshold: float  # a probability, after calibration
    calibration: dict[str, float] | None  # None: similar pairs do not score above others yet
    operating: OperatingPoint | None = None  # of the threshold; its target is `balanced` if none reaches the exam's


def aim(exam: "HeldOutExam | None", target: Target) -> None:
    """Let an exam choose thresholds for a target. Raises BadInput if there is no exam, or it can't show the target."""
    if exam is not None:
        exam.aim_at(target)
    elif target != Target():
        raise BadInput(f"--target {target} needs classes that are kept out of training", HOLD_OUT)


def some_classes(images: ImageSet, most: int = MOST_CLASSES) -> ImageSet:
    """Return the classes that an exam takes: all, or of more than `most` some with similar pairs, evenly spaced."""
    if len(images.class_names) <= most:
        return images
    several = (images.count_C > 1).nonzero().flatten()
    examined_C = torch.zeros_like(images.count_C, dtype=torch.bool)
    examined_C[several[torch.linspace(0, len(several) - 1, most).round().long()]] = True
    return images.of_classes(examined_C)


def check_patience(recipe: Recipe, held_out: ImageSet | None) -> None:
    """Raise BadInput for a recipe that counts exams, if none can be taken."""
    if recipe.patience and held_out is None:
        raise BadInput(
            "--patience counts exams on classes that are kept out of training, and none are",
            HOLD_OUT,
        )


def is_out_of_patience(recipe: Recipe, exam_every: int, done: int, best: int) -> bool:
    """Return whether as many exams as the recipe's patience have found no better network.

    exam_every: iterations between two exams; done: iterations so far; best: that of the best network, 0 without one

    This depends on iterations alone, so a run that was interrupted stops where it would have stopped.
    """
    return 0 < recipe.patience * exam_every <= done - best


def can_stop_early(recipe: Recipe, exam_every: int) -> bool:
    """Return whether a run has so many exams that its patience can end before it does."""
    return recipe.patience > 0 and (1 + recipe.patience) * exam_every < recipe.iterations


class HeldOutExam:
    """Score all pairs of the first images of each held-out class, in fp32. Every exam of a run takes the same pairs.

    most_images: limits the images of each class, of which 2 are taken at least, or its only one; None: MOST_IMAGES

    Raises BadInput if the classes have no similar pair, or no dissimilar one.
    """

    def __init__(
        self, held_out: ImageSet, network: Network, device: torch.device, most_images: int | None = None
    ) -> None:
        check_pairable(held_out)
        held_out = some_classes(held_out)
        self.classes = int((held_out.count_C > 1).sum())  # with similar pairs
        self.packed = held_out.framed(network.view).to(device)
        hands = max(2, (MOST_IMAGES if most_images is None else most_images) // len(held_out.class_names))
        place_N = torch.arange(len(held_out)) - held_out.first_C[held_out.class_N]
        self.rows = (place_N < hands).nonzero().flatten().to(device)
        class_M = held_out.class_N.to(device)[self.rows]
        self.pair = torch.triu_indices(len(self.rows), len(self.rows), 1, device=device)
        self.similar = (class_M[self.pair[0]] == class_M[self.pair[1]]).cpu().numpy()
        self.class_M, self.name, self.target = class_M, held_out.name, Target()
        self.near_N: Array | None = None  # pairs of one group; None: of no use
        if self.packed.group_C is not None:
            group_M = self.packed.group_C.to(device)[class_M]
            near_N = (group_M[self.pair[0]] == group_M[self.pair[1]]).cpu().numpy()
            self.near_N = near_N if (near_N & ~self.similar).any() else None

    def aim_at(self, target: Target) -> None:
        """Choose thresholds for this target. Raises BadInput if the exam has too few dissimilar pairs to show it."""
        hint = "Hold out more classes (--holdout; of your own images, add some), or choose another --target."
        near = ~self.similar if self.near_N is None else ~self.similar & self.near_N
        check_shown(target, int((near if target.kind == "far" else ~self.similar).sum()), "the held-out classes", hint)
        self.target = target

    def weights(self, kind: str) -> Array | None:
        """Return the weight of each pair (N,) in the choice of a threshold, or None for 1 each.

        A user compares what is easily confused. So half of the weight of the dissimilar pairs is on those of one group
        (an alphabet); for a FAR all of it, as that FAR is told. Without groups all pairs weigh the same.
        """
        if self.near_N is None:
            return None
        apart_N = ~self.similar
        near_N, far_N = apart_N & self.near_N, apart_N & ~self.near_N
        share = 1.0 if kind == "far" or not far_N.any() else 0.5
        weight_N = self.similar.astype(np.float64)
        for kept_N, part in ((near_N, share), (far_N, 1 - share)):
            if part:
                weight_N[kept_N] = part * apart_N.sum() / kept_N.sum()
        return weight_N

    def take(self, network: TwinNetwork) -> HeldOutResult | None:
        """Return a network's result, or None if a score is not finite. Leaves the network in the mode it was in."""
        training = network.training
        network.eval()
        with torch.inference_mode():
            parts = [network.embed(part) for part in self.inputs(network)]
            prepared_MD = network.prepare(torch.cat(parts))
            scores = network.score_all(prepared_MD, prepared_MD)[self.pair[0], self.pair[1]].cpu().double()
        network.train(training)
        if not scores.isfinite().all():
            return None
        _, similar_B, dissimilar_B = count_scores(scores.numpy(), self.similar)
        curve = roc_curve(similar_B, dissimilar_B)
        balanced, kind, value = Target(), self.target.kind, self.target.value
        fit = fit_for(balanced.kind, None, *weigh_scores(scores.numpy(), self.similar, self.weights(balanced.kind)))
        if fit is None or fit.threshold is None:
            return HeldOutResult(eer=equal_error_rate(*curve), threshold=UNDECIDED, calibration=None)
        logit_B, *counts = weigh_scores(scores.numpy(), self.similar, self.weights(kind))
        threshold = threshold_for(kind, value, sigmoid(calibrated(logit_B, fit.calibration)), *counts)
        target = balanced if threshold is None else self.target
        threshold = fit.threshold if threshold is None else threshold
        return HeldOutResult(
            eer=equal_error_rate(*curve),
            threshold=threshold,
            calibration=fit.calibration,
            operating=self._operating(target, threshold, fit.calibration, scores.numpy()),
        )

    def inputs(self, network: TwinNetwork) -> Iterator[torch.Tensor]:
        """Yield the exam's images in parts."""
        for rows in torch.split(self.rows, images_at_once(EMBED_AT_ONCE, max(self.packed.shape[1:]))):
            yield self.packed.gather(rows)

    def _operating(
        self, target: Target, threshold: float, calibration: dict[str, float], logit_N: Array
    ) -> OperatingPoint:
        """Return the operating point of a threshold: cross-validated if there are enough classes for that."""
        class_M, pair_2N = self.class_M.cpu().numpy(), self.pair.cpu().numpy()
        left_N, right_N = class_M[pair_2N[0]], class_M[pair_2N[1]]
        classes = len(self.packed.class_names)
        paired_C = np.bincount(class_M, minlength=classes) > 1
        crossed = int(paired_C.sum()) >= CROSSED_FROM
        if crossed:
            order_C = np.random.default_rng(0).permutation(classes)
            accepted_N = cross_validated(
                target.kind,
                target.value,
                logit_N,
                self.similar,
                left_N,
                right_N,
                folds_of(paired_C, order_C, FEW_FOLDS),
                self.weights(target.kind),
            ).accepted_N
        else:
            accepted_N = (sigmoid(calibrated(logit_N, calibration)) >= threshold).astype(np.int64)
        near_N = np.ones(len(left_N), bool) if self.near_N is None else self.near_N
        told = (accepted_N[near_N], self.similar[near_N], left_N[near_N], right_N[near_N])
        outcomes = outcomes_of(*told, classes)
        return OperatingPoint.of_rates(
            outcomes.rates(),
            similar=int(self.similar.sum()),
            dissimilar=int((~self.similar & near_N).sum()),
            within="" if self.near_N is None else nouns_of(self.name).group,
            data=self.name,
            target=str(target),
            classes=classes,
            chosen_on=HELD_OUT,
            method=f"{BY_OTHERS if crossed else BY_ITSELF}; {method_of(classes)}",
        )
