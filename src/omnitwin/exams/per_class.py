"""The classes that all pairs show to be the hardest, from the counts that are there already (exams.tally).

C classes, K coarse bins
"""

import numpy as np

from omnitwin.metrics.arrays import Array
from omnitwin.reports.exams import ClassErrors

MOST = 20  # classes in a report


def worst_classes(
    names: tuple[str, ...], similar_CK: Array, dissimilar_CCK: Array, cut: int, most: int = MOST
) -> tuple[ClassErrors, ...]:
    """Return the errors of the classes with the highest error, worst first; of equal ones the first by name.

    cut: the coarse bin from which pairs are called similar
    """
    similar_C, rejected_C = similar_CK.sum(1), similar_CK[:, :cut].sum(1)
    dissimilar_C, accepted_C = _with_others(dissimilar_CCK), _with_others(dissimilar_CCK[:, :, cut:])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares_2C = np.stack([rejected_C / similar_C, accepted_C / dissimilar_C])
    error_C = np.nanmean(shares_2C, axis=0)  # a class of one image has no similar pairs, but dissimilar ones
    order = sorted(range(len(names)), key=lambda number: (-error_C[number], names[number]))
    return tuple(
        ClassErrors(
            name=names[number],
            error=float(error_C[number]),
            similar=int(similar_C[number]),
            rejected=int(rejected_C[number]),
            dissimilar=int(dissimilar_C[number]),
            accepted=int(accepted_C[number]),
        )
        for number in order[:most]
    )


def _with_others(pairs_CCK: Array) -> Array:
    """Return each class's pairs with all others, (C,). A pair is counted under the lower class only."""
    pairs_C: Array = pairs_CCK.sum((1, 2)) + pairs_CCK.sum((0, 2))
    return pairs_C
