"""ROC curves and their figures, from the numbers of similar and dissimilar pairs at each score.

    B score values or bins, in ascending order; similar_B and dissimilar_B count (or weigh) the pairs in each

A pair is accepted from a threshold on. TAR is the share of similar pairs accepted, FAR that of dissimilar ones. Pairs
of one score (or bin) are accepted together. Between two thresholds the ROC is a straight line, as if a coin decided
among tied pairs: a scorer that gives every pair the same score lies on the diagonal.
"""

import numpy as np

from omnitwin.metrics.arrays import Array

FARS = (1e-2, 1e-3, 1e-4)  # at which TAR is reported


def count_scores(scores_N: Array, similar_N: Array) -> tuple[Array, Array, Array]:
    """Return the B distinct scores in ascending order, and the numbers of similar and dissimilar pairs at each."""
    values_B, place_N = np.unique(scores_N, return_inverse=True)
    similar_B = np.bincount(place_N, weights=similar_N, minlength=len(values_B))
    return values_B, similar_B, np.bincount(place_N, minlength=len(values_B)) - similar_B


def weigh_scores(scores_N: Array, similar_N: Array, weight_N: Array | None) -> tuple[Array, Array, Array]:
    """Return what count_scores does, with each pair counted by its weight; scores of no weight are left out."""
    if weight_N is None:
        return count_scores(scores_N, similar_N)
    values_B, place_N = np.unique(scores_N, return_inverse=True)
    both = (
        np.bincount(place_N, weights=weight_N * kind_N, minlength=len(values_B)) for kind_N in (similar_N, ~similar_N)
    )
    similar_B, dissimilar_B = both
    there_B = similar_B + dissimilar_B > 0
    return values_B[there_B], similar_B[there_B], dissimilar_B[there_B]


def roc_curve(similar_B: Array, dissimilar_B: Array) -> tuple[Array, Array]:
    """Return FAR and TAR, (B + 1,) each, from accepting nothing to accepting all. Both kinds of pair must be there."""
    return _from_the_top(dissimilar_B), _from_the_top(similar_B)


def _from_the_top(count_B: Array) -> Array:
    total = np.concatenate([[0.0], np.cumsum(count_B[::-1], dtype=np.float64)])
    shares: Array = total / total[-1]
    return shares


def auc(far_T: Array, tar_T: Array) -> float:
    """Return the area under the ROC: the probability that a similar pair outscores a dissimilar one, ties half."""
    return float(np.trapezoid(tar_T, far_T))


def equal_error_rate(far_T: Array, tar_T: Array) -> float:
    """Return the error at which FAR equals 1 - TAR, on the straight line between the two thresholds around it."""
    gap_T = far_T - (1 - tar_T)  # from -1 to 1, never falling
    after = int(np.argmax(gap_T >= 0))
    before = after - 1
    part = -gap_T[before] / (gap_T[after] - gap_T[before])
    return float(far_T[before] + part * (far_T[after] - far_T[before]))


def tar_at_far(far_T: Array, tar_T: Array, far: float) -> float:
    """Return TAR at a FAR, on the straight line between the two thresholds around it; of equal FARs, the best TAR."""
    last = int(np.searchsorted(far_T, far, side="right")) - 1
    if last == len(far_T) - 1:
        return 1.0
    part = (far - far_T[last]) / (far_T[last + 1] - far_T[last])
    return float(tar_T[last] + part * (tar_T[last + 1] - tar_T[last]))


def average_precision(similar_B: Array, dissimilar_B: Array) -> float:
    """Return the mean, over similar pairs, of the share of similar pairs among all that score as high or higher.

    The prior is that of the counts. As in scikit-learn: a sum over thresholds, without interpolation.
    """
    hits_B = np.cumsum(similar_B[::-1], dtype=np.float64)
    accepted_B = hits_B + np.cumsum(dissimilar_B[::-1], dtype=np.float64)
    precision_B = np.divide(hits_B, accepted_B, out=np.zeros_like(hits_B), where=accepted_B > 0)
    return float((precision_B * similar_B[::-1]).sum() / hits_B[-1])


def curve_figures(similar_B: Array, dissimilar_B: Array) -> dict[str, float]:
    """Return AUC, EER, TAR at each of FARS and average precision, by name."""
    far_T, tar_T = roc_curve(similar_B, dissimilar_B)
    return {
        "auc": auc(far_T, tar_T),
        "eer": equal_error_rate(far_T, tar_T),
        **{f"tar_at_far_{far:.0e}".replace("e-0", "e-"): tar_at_far(far_T, tar_T, far) for far in FARS},
        "average_precision": average_precision(similar_B, dissimilar_B),
    }


def balanced_accuracy(similar_B: Array, dissimilar_B: Array, first: int) -> float:
    """Return the mean of the shares of similar pairs accepted and dissimilar ones rejected, from bin `first` on."""
    return float(similar_B[first:].sum() / similar_B.sum() + dissimilar_B[:first].sum() / dissimilar_B.sum()) / 2
