"""Operating points: the threshold that a target asks for, its error rates, and what so many pairs can show.

    B distinct probabilities in ascending order, C classes, R replicates; similar_B and dissimilar_B count the pairs

A pair is accepted from the threshold on. FAR is the share of dissimilar pairs accepted, FRR that of similar pairs
rejected. Precision is the share of similar pairs among the accepted ones if both kinds are as many: the prior is 1:1.
"""

import math
from dataclasses import dataclass

import numpy as np

from omnitwin.metrics.arrays import Array
from omnitwin.metrics.calibration import best_threshold, calibrated, fit_calibration, sigmoid
from omnitwin.metrics.intervals import NO_NARROWER, Interval, bootstrap_interval, no_narrower
from omnitwin.metrics.resampling import REPLICATES, class_replicates

THREE = 3.0  # -ln 0.05: if none of n is wrong, the true share is below 3 / n (Hanley and Lippman-Hand 1983), at 95 %
MOST_GROUPS = 500  # of classes that are resampled: their pairs take 4 MB
ROUNDING = 1e-9  # of a number of pairs


def smallest_far(dissimilar: float) -> float:
    """Return the smallest FAR that so many dissimilar pairs can show: the rule of three."""
    return min(1.0, THREE / dissimilar)


def pairs_needed(kind: str, value: float | None) -> int:
    """Return how many dissimilar pairs a target needs so that they can show it, by the rule of three."""
    if value is None:
        return 1
    far = value if kind == "far" else (1 - value) / value  # of a precision: if every similar pair is accepted
    return math.ceil(THREE / far - ROUNDING)


def threshold_for(
    kind: str, value: float | None, probability_B: Array, similar_B: Array, dissimilar_B: Array
) -> float | None:
    """Return the threshold for a target, or None if none reaches it and accepts a similar pair.

    kind, value: `balanced`: calibration.best_threshold; `far`: FAR is at most value; `precision`: precision is at least
        value. Of the thresholds that reach the target, it is the one with the lowest FRR, of equal ones with the lowest
        FAR, midway between two probabilities.
    """
    if kind == "balanced":
        return best_threshold(probability_B, similar_B, dissimilar_B)
    assert value is not None
    similar, dissimilar = similar_B.sum(), dissimilar_B.sum()
    right_B, wrong_B = (np.cumsum(count_B[::-1])[::-1] for count_B in (similar_B, dissimilar_B))
    reached_B = (right_B > 0) & _reaches(kind, value, right_B, similar, wrong_B, dissimilar)
    if not reached_B.any():
        return None
    most = right_B[reached_B].max()
    first = int(np.flatnonzero(reached_B & (right_B == most))[-1])
    below = probability_B[first - 1] if first > 0 else 0.0
    threshold = float(min(max((below + probability_B[first]) / 2, 1e-6), 1 - 1e-6))
    accepted_B = probability_B >= threshold  # not those from `first` on if the threshold had to stay away from 0 or 1
    right, wrong = similar_B[accepted_B].sum(), dissimilar_B[accepted_B].sum()
    return threshold if right > 0 and _reaches(kind, value, right, similar, wrong, dissimilar) else None


def _reaches(kind: str, value: float, right: Array, similar: Array, wrong: Array, dissimilar: Array) -> Array:
    """Return whether accepting so many similar pairs (right) and dissimilar ones (wrong) reaches a target."""
    reached: Array
    if kind == "far":
        reached = wrong <= value * dissimilar + ROUNDING
    else:  # tar / (tar + far) >= value, without a division
        reached = right * dissimilar * (1 - value) >= wrong * similar * value - ROUNDING
    return reached


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A calibration, and the threshold that was chosen on its probabilities.

    threshold: None if no threshold reaches the target
    reached: whether the threshold reaches the target
    """

    calibration: dict[str, float]
    threshold: float | None
    reached: bool


def fit_for(
    kind: str, value: float | None, logit_B: Array, similar_B: Array, dissimilar_B: Array, *, fall_back: bool = False
) -> Fit | None:
    """Fit the calibration, then choose the threshold for a target; None if no calibration can be fitted.

    B distinct logits in ascending order. fall_back: the threshold is the balanced one if none reaches the target
    """
    calibration = fit_calibration(logit_B, similar_B, dissimilar_B)
    if calibration is None:
        return None
    counted = (sigmoid(calibrated(logit_B, calibration)), similar_B, dissimilar_B)
    threshold = threshold_for(kind, value, *counted)
    reached = threshold is not None
    if not reached and fall_back:
        threshold = best_threshold(*counted)
    return Fit(calibration=calibration, threshold=threshold, reached=reached)


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """How the pairs of C classes were judged: rejected and accepted ones.

    similar_C2: similar pairs of each class
    dissimilar_CC2: dissimilar pairs of each two classes, each counted once
    classes: number of classes; more than MOST_GROUPS were put together by number, and dissimilar pairs within such a
        group are left out of the replicates
    similar_2, dissimilar_2: all pairs
    """

    similar_C2: Array
    dissimilar_CC2: Array
    classes: int
    similar_2: Array
    dissimilar_2: Array

    @property
    def far(self) -> float:
        return float(self.dissimilar_2[1] / self.dissimilar_2.sum())

    @property
    def frr(self) -> float:
        return float(self.similar_2[0] / self.similar_2.sum())

    def rates(self, seed: int = 0) -> dict[str, tuple[float, Interval]]:
        """Return `far`, `frr`, `balanced_accuracy` and `precision` with 95 % intervals by resampling classes.

        Pairs share images, so no interval of FAR and FRR is narrower than Wilson's, of independent pairs.
        If none or all of them are wrong, it is no narrower than Wilson's of the classes (intervals.unanimous_interval).
        """
        groups, paired = len(self.similar_C2), int(self.similar_C2.any(1).sum())
        drawn = class_replicates(self.similar_C2, self.dissimilar_CC2, seed)
        kept_R = (drawn[0].sum(1) > 0) & (drawn[1].sum(1) > 0)
        similar_R2, dissimilar_R2 = (part_R2[kept_R].astype(np.float64) for part_R2 in drawn)
        far_R, frr_R = dissimilar_R2[:, 1] / dissimilar_R2.sum(1), similar_R2[:, 0] / similar_R2.sum(1)
        values, replicates = _figures(np.array(self.far), np.array(self.frr)), _figures(far_R, frr_R)
        found = {}
        for name, value in values.items():
            resampled = groups if name == "far" else paired
            interval = bootstrap_interval(replicates[name], float(value), float(value), resampled)
            found[name] = (float(value), interval if len(far_R) else (0.0, 1.0))
        for name, count_2 in (("far", self.dissimilar_2), ("frr", self.similar_2)):
            share, interval = found[name]
            found[name] = (share, no_narrower(interval, share, float(count_2.sum())))
        if self.similar_2[1] + self.dissimilar_2[1] == 0:
            found["precision"] = (0.0, (0.0, 1.0))  # of nothing accepted, it is not known
        return found


def _figures(far: Array, frr: Array) -> dict[str, Array]:
    tar = 1 - frr
    accepted = np.maximum(tar + far, 1e-12)  # of nothing accepted, the precision is 0
    return {"far": far, "frr": frr, "balanced_accuracy": (tar + 1 - far) / 2, "precision": tar / accepted}


def outcomes_of(accepted_N: Array, similar_N: Array, left_N: Array, right_N: Array, classes: int) -> Outcomes:
    """Return how N pairs were judged, given the classes of their images as numbers below `classes`."""
    similar_CK, dissimilar_CCK = counts_by_class(accepted_N, 2, similar_N, left_N, right_N, classes)
    return Outcomes(
        similar_C2=similar_CK,
        dissimilar_CC2=dissimilar_CCK,
        classes=classes,
        similar_2=np.bincount(accepted_N[similar_N], minlength=2),
        dissimilar_2=np.bincount(accepted_N[~similar_N], minlength=2),
    )


def counts_by_class(
    bin_N: Array, bins: int, similar_N: Array, left_N: Array, right_N: Array, classes: int
) -> tuple[Array, Array]:
    """Return the similar pairs of each class by K bins, and the dissimilar pairs of each two classes, (C, C, K).

    More than MOST_GROUPS classes are put together in that many groups. What resampling.class_replicates takes.
    """
    groups = min(classes, MOST_GROUPS)
    left_N, right_N, bin_N = left_N % groups, right_N % groups, bin_N.astype(np.int64)
    similar_CK = np.bincount(left_N[similar_N] * bins + bin_N[similar_N], minlength=groups * bins)
    apart_N = ~similar_N & (left_N != right_N)
    cell_N = (left_N[apart_N] * groups + right_N[apart_N]) * bins + bin_N[apart_N]
    dissimilar_CCK = np.bincount(cell_N, minlength=groups * groups * bins)
    return similar_CK.reshape(groups, bins), dissimilar_CCK.reshape(groups, groups, bins)


def method_of(classes: int, seed: int = 0) -> str:
    """Say how the intervals of Outcomes.rates are made."""
    groups = "" if classes <= MOST_GROUPS else f" in {MOST_GROUPS} groups"
    resampled = f"{classes:,} classes{groups} resampled, {REPLICATES:,} replicates, seed {seed}"
    return f"percentile bootstrap, {resampled}, {NO_NARROWER} of the pairs, at 0 and 100 % of the classes"
