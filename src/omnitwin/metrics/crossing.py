"""Cross-validation over classes: judge each pair by a calibration and a threshold that neither of its classes chose.

    N pairs, C classes, F folds of classes, V score values

For each two folds, calibration and threshold are fitted on the pairs of all other folds, and judge the pairs between
these two. So every pair is judged exactly once, and the same images can choose and measure.
"""

from dataclasses import dataclass

import numpy as np

from omnitwin.metrics.arrays import Array
from omnitwin.metrics.calibration import calibrated, sigmoid
from omnitwin.metrics.operating import fit_for

FOLDS = 10  # at most: a fit leaves out a fifth of the classes at most
MOST_VALUES = 2048  # scores that a fit counts; more are put together by rank
REJECT_ALL = 2.0  # a threshold above every probability, of folds whose fit fails


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """The judgement of N pairs, each by a fit without its classes.

    probability_N: 0.5 if the fit failed
    accepted_N: 1 for accepted, 0 for rejected; 0 if no threshold reached the target
    """

    probability_N: Array
    accepted_N: Array


def folds_of(paired_C: Array, order_C: Array, most: int = FOLDS) -> Array:
    """Return the fold of each class: in turn by the given order, so that each fold has as many classes with pairs.

    paired_C: whether a class has similar pairs; there must be 3 or more such classes
    most: folds; the time grows with its square
    """
    folds = min(most, int(paired_C.sum()))
    fold_C = np.zeros(len(paired_C), dtype=np.int64)
    for kind in (True, False):
        members = order_C[paired_C[order_C] == kind]
        fold_C[members] = np.arange(len(members)) % folds
    return fold_C


def cross_validated(
    kind: str,
    value: float | None,
    logit_N: Array,
    similar_N: Array,
    left_N: Array,
    right_N: Array,
    fold_C: Array,
    weight_N: Array | None = None,
) -> Judged:
    """Judge N pairs for a target (metrics.operating), given the classes of their images and the folds of classes.

    weight_N: of the pairs in the fits; None: 1 each
    """
    folds = int(fold_C.max()) + 1
    first_N, second_N = fold_C[left_N], fold_C[right_N]
    cell_N = np.minimum(first_N, second_N) * folds + np.maximum(first_N, second_N)
    values_V, place_N = _values(logit_N)
    size = len(values_V)
    similar_FFV, dissimilar_FFV = (
        np.bincount(
            cell_N[kept_N] * size + place_N[kept_N],
            weights=None if weight_N is None else weight_N[kept_N],
            minlength=folds * folds * size,
        ).reshape(folds, folds, size)
        for kept_N in (similar_N, ~similar_N)
    )
    order_N = np.argsort(cell_N.astype(np.int16), kind="stable")  # 16 bits are sorted by radix, 10 times faster
    starts = np.searchsorted(cell_N[order_N], np.arange(folds * folds + 1))
    probability_N, accepted_N = np.full(len(logit_N), 0.5), np.zeros(len(logit_N), dtype=np.int64)
    for cell in range(folds * folds):
        rows = order_N[starts[cell] : starts[cell + 1]]
        others = [fold for fold in range(folds) if fold not in divmod(cell, folds)]
        if not len(rows) or not others:
            continue
        inside = np.ix_(others, others)
        fitted = _fit(kind, value, values_V, similar_FFV[inside].sum((0, 1)), dissimilar_FFV[inside].sum((0, 1)))
        if fitted is not None:
            calibration, threshold = fitted
            probability_N[rows] = sigmoid(calibrated(logit_N[rows], calibration))
            accepted_N[rows] = probability_N[rows] >= threshold
    return Judged(probability_N=probability_N, accepted_N=accepted_N)


def _fit(
    kind: str, value: float | None, values_V: Array, similar_V: Array, dissimilar_V: Array
) -> tuple[dict[str, float], float] | None:
    """Return calibration and threshold, or None if there is none. REJECT_ALL if no threshold reaches the target."""
    there_V = similar_V + dissimilar_V > 0
    values_V, similar_V, dissimilar_V = values_V[there_V], similar_V[there_V], dissimilar_V[there_V]
    if not similar_V.any() or not dissimilar_V.any():
        return None
    fit = fit_for(kind, value, values_V, similar_V, dissimilar_V)
    if fit is None:
        return None
    return fit.calibration, REJECT_ALL if fit.threshold is None else fit.threshold


def _values(logit_N: Array) -> tuple[Array, Array]:
    """Return at most MOST_VALUES score values in ascending order, and the place of each pair's among them."""
    values_V, place_N = np.unique(logit_N, return_inverse=True)
    if len(values_V) <= MOST_VALUES:
        return values_V, place_N
    group_V = np.arange(len(values_V)) * MOST_VALUES // len(values_V)
    means = np.bincount(group_V, weights=values_V) / np.bincount(group_V)
    return means, group_V[place_N]
