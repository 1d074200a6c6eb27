"""How well groups agree with classes: the adjusted Rand index, with an interval by resampling classes.

    rand, interval = agreement(class_N, group_N)

Hubert and Arabie 1985, "Comparing partitions". Of all pairs of images, count those that are of one class (similar) or
not, and in one group (accepted) or not:
    a  similar, accepted      b  similar, rejected
    c  dissimilar, accepted   d  dissimilar, rejected
    index = 2 (a d - b c) / ((a + b) (b + d) + (a + c) (c + d))
It is 1 for equal partitions, and about 0 for groups at random (Steinley 2004, "Properties of the Hubert-Arabie adjusted
Rand index", gives this form).

N images, C classes, G groups, R replicates
"""

import numpy as np

from omnitwin.metrics.arrays import Array
from omnitwin.metrics.intervals import Interval, bootstrap_interval
from omnitwin.metrics.resampling import REPLICATES, class_replicates

MOST_CLASSES = 500  # that are resampled; more are put together by number
GROUPS_AT_ONCE = 4096  # of a table by classes: 500 of them take 8 MB


def agreement(class_N: Array, group_N: Array, seed: int = 0) -> tuple[float, Interval | None]:
    """Return the adjusted Rand index of groups, and its 95 % interval for other classes of the same kind.

    class_N, group_N: numbers of 0 or above, in any order

    The interval is None with fewer than three classes. Two draws of a class make no pair, as class_replicates says.
    """
    classes, class_N = np.unique(class_N, return_inverse=True)
    _, group_N = np.unique(group_N, return_inverse=True)
    similar_C2, dissimilar_CC2 = _pairs_by_class(class_N, group_N, len(classes))
    value = float(_index(*_all_pairs(class_N, group_N)))
    if len(classes) < 3:
        return value, None
    similar_R2, dissimilar_R2 = (part.astype(np.float64) for part in class_replicates(similar_C2, dissimilar_CC2, seed))
    index_R = _index(similar_R2[:, 1], similar_R2[:, 0], dissimilar_R2[:, 1], dissimilar_R2[:, 0])
    # an index lies between -1 and 1, and the interval is made for shares
    low, high = bootstrap_interval((index_R + 1) / 2, (value + 1) / 2, (value + 1) / 2, len(similar_C2))
    return value, (2 * low - 1, 2 * high - 1)


def method_of_agreement(classes: int, seed: int = 0) -> str:
    """Say how the interval of `agreement` is made."""
    if classes < 3:
        return "no interval: fewer than three classes"
    groups = "" if classes <= MOST_CLASSES else f" in {MOST_CLASSES} groups"
    return f"percentile bootstrap, {classes:,} classes{groups} resampled, {REPLICATES:,} replicates, seed {seed}"


def _index(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the index of counts of pairs; 1 where both partitions are all one group or all single images."""
    expected = (a + b) * (b + d) + (a + c) * (c + d)
    with np.errstate(invalid="ignore", divide="ignore"):
        index: Array = np.where(expected == 0, 1.0, 2 * (a * d - b * c) / expected)
    return index


def _all_pairs(class_N: Array, group_N: Array) -> tuple[Array, Array, Array, Array]:
    """Return the four counts of all pairs."""
    together = class_N.astype(np.int64) * (int(group_N.max(initial=0)) + 1) + group_N
    similar, accepted, both = (_within(np.unique(part, return_counts=True)[1]) for part in (class_N, group_N, together))
    every = _within(np.array([len(class_N)]))
    counts = (both, similar - both, accepted - both, every - similar - accepted + both)
    a, b, c, d = (np.array(count, np.float64) for count in counts)
    return a, b, c, d


def _within(size_G: Array) -> int:
    """Return the number of pairs within groups."""
    return int((size_G.astype(np.int64) * (size_G - 1) // 2).sum())


def _pairs_by_class(class_N: Array, group_N: Array, classes: int) -> tuple[Array, Array]:
    """Return similar pairs (C, 2) and dissimilar ones (C, C, 2): rejected and accepted."""
    kept = min(classes, MOST_CLASSES)
    cells, count = np.unique(np.stack([class_N, group_N]), axis=1, return_counts=True)
    size_C = np.bincount(class_N, minlength=classes).astype(np.int64)
    accepted_C = np.bincount(cells[0], weights=count * (count - 1) // 2, minlength=classes)
    similar_C = size_C * (size_C - 1) // 2
    place_C = np.arange(classes) % kept
    similar_K2 = np.stack(
        [np.bincount(place_C, weights=each_C, minlength=kept) for each_C in (similar_C - accepted_C, accepted_C)],
        axis=1,
    )
    accepted_KK = np.zeros((kept, kept))
    groups = int(group_N.max(initial=-1)) + 1
    for start in range(0, groups, GROUPS_AT_ONCE):
        here = (cells[1] >= start) & (cells[1] < start + GROUPS_AT_ONCE)
        table_KG = np.zeros((kept, min(GROUPS_AT_ONCE, groups - start)))
        np.add.at(table_KG, (place_C[cells[0][here]], cells[1][here] - start), count[here])
        accepted_KK += table_KG @ table_KG.T
    size_K = np.bincount(place_C, weights=size_C, minlength=kept)
    dissimilar_KK2 = np.stack([size_K[:, None] * size_K - accepted_KK, accepted_KK], axis=2) / 2  # each pair once
    dissimilar_KK2[np.arange(kept), np.arange(kept)] = 0
    return similar_K2, dissimilar_KK2
