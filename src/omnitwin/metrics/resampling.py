"""Bootstrap replicates of score counts, with characters (or alphabets) as what is drawn anew, not pairs.

    C classes, G groups, K score bins, R replicates

Pairs share images and characters, so pairs drawn anew as if independent would give intervals far too narrow.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

REPLICATES = 1000


def class_replicates(
    similar_CK: Array, dissimilar_CCK: Array, seed: int, count: int = REPLICATES
) -> tuple[Array, Array]:
    """Similar and dissimilar counts (R, K) when C classes are drawn from the C with replacement.

    A class drawn m times counts its similar pairs m times, and a pair of classes drawn m and n times its dissimilar
    pairs m * n times. Two draws of one class give no pair: it would be similar, and of one image with itself.
    """
    drawn_RC = _draws(similar_CK.shape[0], count, seed)
    parts = (dissimilar_CCK[:, :, number].astype(np.float32) for number in range(dissimilar_CCK.shape[2]))
    dissimilar_RK = np.stack([np.einsum("rc,rc->r", drawn_RC @ part_CC, drawn_RC) for part_CC in parts], axis=1)
    return drawn_RC @ similar_CK.astype(np.float32), dissimilar_RK


def group_replicates(count_GK: Array, seed: int, count: int = REPLICATES) -> Array:
    """Counts (R, K) when G groups are drawn from the G with replacement, each with all its pairs."""
    replicates: Array = _draws(len(count_GK), count, seed).astype(np.float64) @ count_GK
    return replicates


def _draws(groups: int, count: int, seed: int) -> Array:
    random = np.random.default_rng([abs(seed), groups])
    return random.multinomial(groups, np.full(groups, 1 / groups), size=count).astype(np.float32)
