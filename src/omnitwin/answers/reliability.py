"""How well probabilities agree with what is so, as a report says it."""

from omnitwin.metrics import calibration
from omnitwin.metrics.arrays import Array
from omnitwin.reports.exams import Reliability


def reliability_of(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> Reliability:
    """Return the reliability of probabilities, each with its numbers of similar and of dissimilar pairs.

    Both kinds of pairs weigh the same in all (metrics.calibration).
    """
    counted = (probability_B, similar_B, dissimilar_B)
    mean, share, weight = calibration.reliability(*counted)
    return Reliability(
        mean=tuple(mean.tolist()),
        share=tuple(share.tolist()),
        weight=tuple(weight.tolist()),
        expected_calibration_error=calibration.expected_calibration_error(*counted),
        brier_score=calibration.brier_score(*counted),
    )
