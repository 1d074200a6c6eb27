"""What the exams of all pairs show besides their figures: curves, calibration, the hardest pairs.

B score values, T thresholds
"""

from dataclasses import replace

import numpy as np

from omnitwin.data.imageset import ImageSet
from omnitwin.data.pictures import scored_pair
from omnitwin.exams.scorer import Scorer
from omnitwin.exams.tally import Tally
from omnitwin.metrics import calibration as calibrating
from omnitwin.metrics.roc import Array, roc_curve
from omnitwin.reports.exams import CalibrationReport, Curves, ExamReport, Reliability
from omnitwin.reports.pictures import ScoredPair

ROC_POINTS = 400
SCORE_BINS = 80
PRIOR = "1:1 (similar and dissimilar pairs weigh the same in all)"


def with_details(report: ExamReport, tally: Tally, scorer: Scorer, original: ImageSet, threshold: float) -> ExamReport:
    return replace(
        report,
        curves=_curves(tally),
        calibration=_calibration(tally, scorer),
        hardest=_hardest(tally, original, threshold),
    )


def _hardest(tally: Tally, original: ImageSet, threshold: float) -> tuple[ScoredPair, ...]:
    """The pairs at the far ends of the scores that are wrong at the threshold, dissimilar ones first."""
    pairs = []
    for similar, candidates in ((False, tally.highest), (True, tally.lowest)):
        for score, left, right in candidates:
            probability = float(calibrating.sigmoid(np.array(score)))
            predicted = probability >= threshold
            if predicted != similar:
                pairs.append(scored_pair(original, left, right, similar, predicted, probability))
    return tuple(pairs)


def _curves(tally: Tally) -> Curves:
    far_T, tar_T = roc_curve(tally.similar_B, tally.dissimilar_B)
    wanted = np.concatenate([np.geomspace(1e-6, 1, ROC_POINTS // 2), 1 - np.geomspace(1e-4, 1, ROC_POINTS // 4)])
    kept = np.concatenate(
        [
            [0, len(far_T) - 1],
            np.searchsorted(far_T, wanted),
            np.searchsorted(tar_T, np.linspace(0, 1, ROC_POINTS // 4)),
        ]
    )
    kept = np.unique(np.minimum(kept, len(far_T) - 1))
    low, high = tally.values_B[0], tally.values_B[-1]
    edges = np.linspace(low, high if high > low else low + 1, SCORE_BINS + 1)
    similar, dissimilar = (
        np.histogram(tally.values_B, edges, weights=counts)[0] / counts.sum()
        for counts in (tally.similar_B, tally.dissimilar_B)
    )
    return Curves(
        far=tuple(far_T[kept].tolist()),
        tar=tuple(tar_T[kept].tolist()),
        edges=tuple(edges.tolist()),
        similar=tuple(similar.tolist()),
        dissimilar=tuple(dissimilar.tolist()),
    )


def _calibration(tally: Tally, scorer: Scorer) -> CalibrationReport | None:
    """How far probabilities are from what they say; None for a baseline, whose scores are no logits by themselves."""
    if not scorer.probabilistic:
        return None
    fitted = scorer.calibration
    raw_B = tally.values_B if fitted is None else (tally.values_B - fitted["bias"]) * fitted["temperature"]
    return CalibrationReport(
        prior=PRIOR,
        temperature=fitted["temperature"] if fitted else None,
        bias=fitted["bias"] if fitted else None,
        before=_reliability(raw_B, tally),
        after=_reliability(tally.values_B, tally) if fitted else None,
    )


def _reliability(logit_B: Array, tally: Tally) -> Reliability:
    counted = (calibrating.sigmoid(logit_B), tally.similar_B, tally.dissimilar_B)
    mean, share, weight = calibrating.reliability(*counted)
    return Reliability(
        mean=tuple(mean.tolist()),
        share=tuple(share.tolist()),
        weight=tuple(weight.tolist()),
        expected_calibration_error=calibrating.expected_calibration_error(*counted),
        brier_score=calibrating.brier_score(*counted),
    )
