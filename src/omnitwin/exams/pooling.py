"""Judge the scores of several networks together, each on pairs of classes that it never saw.

    judgement = judged([score_fold(weights, test, config) for weights, test in folds], "products")
    judgement.threshold, judgement.exam.measure("eer").value

M images of a fold's test, N pairs, C classes, B distinct scores, K bins, R replicates
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
from omnitwin.metrics.calibration import best_threshold, calibrated, fit_calibration, sigmoid
from omnitwin.metrics.crossing import cross_validated
from omnitwin.metrics.intervals import bootstrap_interval
from omnitwin.metrics.operating import counts_by_class, method_of, outcomes_of, threshold_for
from omnitwin.metrics.resampling import class_replicates
from omnitwin.metrics.roc import count_scores, curve_figures
from omnitwin.reports.exams import ExamReport, Measure
from omnitwin.reports.operating import HELD_OUT, OperatingPoint
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.training.heldout import UNDECIDED

MOST_IMAGES = 1000  # of a fold that are compared with each other: half a million pairs
SIMILAR_EDGES, TAIL_EDGES = 32, 56  # of bins for intervals: quantiles of similar scores; FARs evenly spaced in log
KINDS = (
    measures.EER,
    measures.AUC,
    measures.TAR_2,
    measures.TAR_3,
    measures.AVERAGE_PRECISION,
)
BY_OTHER_FOLDS = "each pair by a threshold that the other folds chose"


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


def score_fold(weights: Path, test: ImageSet, config: TrainConfig, reporter: Reporter = SILENT) -> Scored:
    """Return the scores of all pairs of a fold's test images, without the calibration that its checkpoint has.

    Of very many images, the first ones of each class are compared.
    """
    verifier = open_verifier(str(weights), config.device, engine=TORCH, encoder=config.encoder)
    scorer = seated(replace(verifier, calibration=None), test, reporter=reporter)
    prepared_M = scorer.prepared()
    each = max(2, MOST_IMAGES // len(test.class_names))
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
    counted = count_scores(scored.logit_N, scored.similar_N)
    calibration = fit_calibration(*counted)
    operating, rates, threshold = None, {}, UNDECIDED
    if calibration is not None:
        as_probabilities = (sigmoid(calibrated(counted[0], calibration)), *counted[1:])
        found = threshold_for(target.kind, target.value, *as_probabilities)
        target = target if found is not None else Target()
        threshold = best_threshold(*as_probabilities) if found is None else found
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
    exam = _exam(scored, counted, rates, len(folds), threshold, seed)
    return Judgement(calibration=calibration, threshold=threshold, operating=operating, exam=exam)


def _exam(
    scored: Scored,
    counted: tuple[Array, Array, Array],
    rates: Mapping[str, tuple[float, tuple[float, float]]],
    folds: int,
    threshold: float,
    seed: int,
) -> ExamReport:
    """Return the figures of all pairs as an exam, with intervals by resampling classes."""
    n, similar = len(scored.logit_N), int(scored.similar_N.sum())
    at_threshold = [
        kind.measure(*rates[kind.name], n, f"{BY_OTHER_FOLDS}; {method_of(scored.classes, seed)}")
        for kind in (measures.BALANCED,)
        if kind.name in rates
    ]
    return ExamReport(
        exam="folds",
        description=f"every pair of a fold's test classes, {similar:,} of them similar, by the network of this fold; "
        f"{folds} folds together",
        n=n,
        unit="pairs",
        threshold=threshold,
        measures=(*at_threshold, *_of_curve(scored, counted[1], counted[2], seed)),
    )


def _of_curve(scored: Scored, similar_B: Array, dissimilar_B: Array, seed: int) -> list[Measure]:
    """Return the figures of the ROC. Their intervals come from counts in bins, those of the whole from each score."""
    values, n = curve_figures(similar_B, dissimilar_B), len(scored.logit_N)
    edges = np.unique(
        np.concatenate(
            [
                np.quantile(scored.logit_N[scored.similar_N], np.linspace(0, 1, SIMILAR_EDGES)),
                np.quantile(scored.logit_N[~scored.similar_N], 1 - np.geomspace(1e-4, 1, TAIL_EDGES)),
            ]
        )
    )
    bin_N = np.searchsorted(edges, scored.logit_N, side="right")
    similar_CK, dissimilar_CCK = counts_by_class(
        bin_N, len(edges) + 1, scored.similar_N, scored.left_N, scored.right_N, scored.classes
    )
    rough = curve_figures(similar_CK.sum(0), dissimilar_CCK.sum((0, 1)))
    drawn = zip(*class_replicates(similar_CK, dissimilar_CCK, seed), strict=True)
    replicates = [curve_figures(similar_K, dissimilar_K) for similar_K, dissimilar_K in drawn if similar_K.any()]
    groups = len(similar_CK)
    found = []
    for kind in KINDS:
        value, drawn_R = values[kind.name], np.array([figures[kind.name] for figures in replicates])
        interval = bootstrap_interval(drawn_R, value, rough[kind.name], groups) if len(drawn_R) else None
        found.append(kind.measure(value, interval, n, bootstrap_method(f"{scored.classes:,} classes", seed, value)))
    return found
