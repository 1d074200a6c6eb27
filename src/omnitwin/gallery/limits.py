"""From which probability a pair of a gallery counts as the same, and how many pairs of different things reach it.

limit = limit_for(verifier, min_probability=0.9)
pairs_above(gallery.embedding_ND, line=line_of(verifier), limit=limit.logit)
"""

import math
import shlex
from dataclasses import dataclass

from omnitwin.answers.verifier import Verifier
from omnitwin.config import parse_target
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.metrics.operating import pairs_needed
from omnitwin.reports.gallery_groups import FalsePairs
from omnitwin.reports.operating import OperatingPoint


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit of pairs, as a probability and as a logit before calibration.

    operating: the verifier's operating point if the limit is its threshold; None: another limit, or not known
    stricter: the operating point of a threshold below the limit; None: not known
    """

    probability: float
    logit: float
    operating: OperatingPoint | None = None
    stricter: OperatingPoint | None = None

    def false_pairs(self, compared: int, reached: int) -> FalsePairs:
        """Return how many of the compared pairs are expected to be accepted wrongly."""
        point = self.operating or self.stricter
        if point is None:
            return FalsePairs(compared=compared, reached=reached)
        return FalsePairs(
            compared=compared,
            reached=reached,
            far=point.far,
            far_interval=point.far_interval,
            at_most=self.operating is None,
        )


def limit_for(verifier: Verifier, min_probability: float | None = None, far: float | None = None) -> Limit:
    """Return the limit for a probability or a FAR; for neither it is the verifier's threshold.

    A FAR has a limit only if the verifier's own threshold is known to keep it. A checkpoint stores no other threshold's
    FAR, and none is guessed: else BadInput says how to measure one.
    """
    if far is not None:
        _check_known(verifier, far)
    point = verifier.operating
    if min_probability is None or min_probability == verifier.threshold:
        return Limit(probability=verifier.threshold, logit=_logit(verifier, verifier.threshold), operating=point)
    stricter = point if min_probability > verifier.threshold else None
    return Limit(probability=min_probability, logit=_logit(verifier, min_probability), stricter=stricter)


def _logit(verifier: Verifier, probability: float) -> float:
    """Return the score, before calibration, that has a probability."""
    logit = math.log(probability / (1 - probability))
    if verifier.calibration is not None:
        logit = (logit - verifier.calibration["bias"]) * verifier.calibration["temperature"]
    if not math.isfinite(logit):
        raise BadCheckpoint(f"{verifier.name} has no score of probability {probability:g}: its calibration is too flat")
    return logit


def _check_known(verifier: Verifier, far: float) -> None:
    """Raise BadInput unless the verifier's threshold is known to accept at most this share of dissimilar pairs."""
    point = verifier.operating
    if point is not None:
        target = parse_target(point.target)
        chosen_for = target.value if target.kind == "far" and target.value is not None else 1.0
        if min(point.far, chosen_for) <= far:
            return
    known = "its FAR is not known"
    if point is not None:
        known = f"its FAR is {point.far:.2g}, and no other threshold's is known"
    name = "the bundled weights" if verifier.bundled else verifier.name
    words = ["omnitwin", "calibrate", "--data", "LABELLED-FOLDER"]
    words += [] if verifier.bundled else ["--checkpoint", verifier.name]
    command = shlex.join([*words, "--target", f"far={far:g}"])
    raise BadInput(
        f"no threshold of {name} is known for a FAR of {far:g}: {known}",
        f"Measure one on {pairs_needed('far', far):,} dissimilar pairs or more: {command}",
    )
