"""Judge the scores of several networks together, each on pairs of classes that it never saw.

    judgement = judged([score_fold(weights, test, config) for weights, test in folds], "products")
    judgement.threshold, judgement.exam.measure("eer").value

M images of a fold's test, N pairs, C classes
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from omnitwin.answers.verifier import TORCH, open_verifier
from omnitwin.config import Target, TrainConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.exams import measures
from omnitwin.exams.exam import bootstrap_method
from omnitwin.exams.scorer import seated
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.crossing import cross_validated
from omnitwin.metrics.curves import curve_rates
from omnitwin.metrics.intervals import NO_NARROWER
from omnitwin.metrics.operating import fit_for, method_of, outcomes_of
from omnitwin.metrics.roc import count_scores
from omnitwin.reports.exams import ExamReport, Measure
from omnitwin.reports.operating import BY_OTHER_FOLDS, HELD_OUT, OperatingPoint
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.training.heldout import UNDECIDED, some_classes

MOST_IMAGES = 1000  # of a fold that are compared with each other: half a million pairs
MOST_CLASSES = MOST_IMAGES // 2  # of a fold: two images of each make a similar pair
KINDS = (
    measures.EER,
    measures.AUC,
    measures.TAR_2,
    measures.TAR_3,
    measures.AVERAGE_PRECISION,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """Pairs of test images of one fold, or of several, with the class of each side as a number below `classes`."""

    logit_N: Array
    left_N: Array
    right_N: Array
    classes: int

    @property
    def similar_N(self) -> Array:
        similar: Array = self.left_N == self.right_N
        return similar


def compared(test: ImageSet) -> ImageSet:
    """Return the classes of a fold's test that are compared with each other: all, or some of very many."""
    return some_classes(test, MOST_CLASSES)


def most_of_each(test: ImageSet) -> int:
    """Return how many images of each of these classes are compared."""
    return max(2, MOST_IMAGES // len(test.class_names))


def score_fold(weights: Path, test: ImageSet, config: TrainConfig, reporter: Reporter = SILENT) -> Scored:
    """Return the scores of all pairs of a fold's test images, without the calibration that its checkpoint has.

    Of very many images, the first ones of each class are compared; of more than MOST_CLASSES classes, some with two
    images or more, evenly spaced, which is noted. The others have no number.
    """
    many, test = len(test.class_names), compared(test)
    if len(test.class_names) < many:
        reporter.note(
            f"{len(test.class_names):,} of {many:,} test classes are compared: all pairs would fill the memory."
        )
    verifier = open_verifier(str(weights), config.device, engine=TORCH, encoder=config.encoder)
    scorer = seated(replace(verifier, calibration=None), test, reporter=reporter)
    prepared_M = scorer.prepared()
    each = most_of_each(test)
    class_M = scorer.packed.class_N.cpu()
    kept_M = (np.arange(len(class_M)) - scorer.packed.first_C.cpu()[class_M].numpy()) < each
    rows = np.flatnonzero(kept_M)
    left, right = np.triu_indices(len(rows), 1)
    scores_MM = scorer.score_all(prepared_M[rows], prepared_M[rows]).double().cpu().numpy()
    kinds = class_M.numpy()[rows]
    return Scored(
        logit_N=scores_MM[left, right], left_N=kinds[left], right_N=kinds[right], classes=len(test.class_names)
    )


def pooled(folds: Sequence[Scored]) -> Scored:
    """Return the pairs of all folds. A class keeps its number, behind those of earlier folds."""
    starts = np.cumsum([0, *(fold.classes for fold in folds)])
    return Scored(
        logit_N=np.concatenate([fold.logit_N for fold in folds]),
        left_N=np.concatenate([fold.left_N + start for fold, start in zip(folds, starts, strict=False)]),
        right_N=np.concatenate([fold.right_N + start for fold, start in zip(folds, starts, strict=False)]),
        classes=int(starts[-1]),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Judgement:
    """What the pairs of all folds say: how to judge pairs, and how often that is wrong.

    calibration, operating: None if similar pairs do not score above dissimilar ones
    """

    calibration: dict[str, float] | None
    threshold: float
    operating: OperatingPoint | None
    exam: ExamReport


def judged(folds: Sequence[Scored], data: str, target: Target | None = None, seed: int = 0) -> Judgement:
    """Return the threshold for a target, the calibration and the figures that the pairs of all folds give together.

    The errors at the threshold are those of other thresholds: each pair is judged by the one that the other folds
    choose. data: name of the images
    """
    target = target or Target()
    scored = pooled(folds)
    fit = fit_for(target.kind, target.value, *count_scores(scored.logit_N, scored.similar_N), fall_back=True)
    operating, rates = None, {}
    if fit is not None:
        target = target if fit.reached else Target()
        accepted_N = cross_validated(
            target.kind,
            target.value,
            scored.logit_N,
            scored.similar_N,
            scored.left_N,
            scored.right_N,
            np.repeat(np.arange(len(folds)), [fold.classes for fold in folds]),
        ).accepted_N
        outcomes = outcomes_of(accepted_N, scored.similar_N, scored.left_N, scored.right_N, scored.classes)
        rates = outcomes.rates(seed)
        operating = OperatingPoint.of_rates(
            rates,
            similar=int(scored.similar_N.sum()),
            dissimilar=int((~scored.similar_N).sum()),
            data=data,
            target=str(target),
            classes=scored.classes,
            chosen_on=HELD_OUT,
            method=f"{BY_OTHER_FOLDS}; {method_of(scored.classes, seed)}",
        )
    threshold = fit.threshold if fit is not None and fit.threshold is not None else UNDECIDED
    exam = _exam(scored, rates, len(folds), threshold, seed)
    calibration = fit.calibration if fit is not None else None
    return Judgement(calibration=calibration, threshold=threshold, operating=operating, exam=exam)


def _exam(
    scored: Scored,
    rates: Mapping[str, tuple[float, tuple[float, float]]],
    folds: int,
    threshold: float,
    seed: int,
) -> ExamReport:
    """Return the figures of all pairs as an exam, with intervals by resampling classes."""
    n, similar = len(scored.logit_N), int(scored.similar_N.sum())
    counts = {measures.FAR: n - similar, measures.FRR: similar}
    at_threshold = [
        kind.measure(*rates[kind.name], counts.get(kind, n), f"{BY_OTHER_FOLDS}; {method_of(scored.classes, seed)}")
        for kind in (measures.BALANCED, measures.FAR, measures.FRR)
        if kind.name in rates
    ]
    return ExamReport(
        exam="folds",
        description=f"every pair of a fold's test classes, {similar:,} of them similar, by the network of this fold; "
        f"{folds} folds together",
        n=n,
        unit="pairs",
        threshold=threshold,
        measures=(*at_threshold, *_of_curve(scored, seed)),
    )


def _of_curve(scored: Scored, seed: int) -> list[Measure]:
    """Return the figures of the ROC."""
    rates = curve_rates(scored.logit_N, scored.similar_N, scored.left_N, scored.right_N, scored.classes, seed)
    found, dissimilar = [], int((~scored.similar_N).sum())
    for kind in KINDS:
        value, interval = rates[kind.name]
        method = bootstrap_method(f"{scored.classes:,} classes", seed, value)
        method = f"{method}, {NO_NARROWER} of the pairs" if kind is measures.EER else method
        found.append(kind.of(dissimilar).measure(value, interval, len(scored.logit_N), method))
    return found
