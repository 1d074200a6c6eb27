"""Bootstrap replicates of score counts, which resample characters (or alphabets) and not pairs.

    C classes, G groups, K score bins, R replicates

Pairs share images and characters. Resampling pairs as if they were independent gives intervals far too narrow.
"""

import numpy as np

from omnitwin.metrics.arrays import Array

REPLICATES = 1000


def class_replicates(
    similar_CK: Array, dissimilar_CCK: Array, seed: int, count: int = REPLICATES
) -> tuple[Array, Array]:
    """Return similar and dissimilar counts (R, K) if C classes are drawn from the C with replacement.

    A class drawn m times counts its similar pairs m times. Two classes drawn m and n times count their dissimilar pairs
    m * n times. Two draws of the same class give no pair: it would be similar, and of an image with itself.
    """
    drawn_RC = _draws(similar_CK.shape[0], count, seed)
    parts = (dissimilar_CCK[:, :, number].astype(np.float32) for number in range(dissimilar_CCK.shape[2]))
    dissimilar_RK = np.stack([np.einsum("rc,rc->r", drawn_RC @ part_CC, drawn_RC) for part_CC in parts], axis=1)
    return drawn_RC @ similar_CK.astype(np.float32), dissimilar_RK


def group_replicates(count_GK: Array, seed: int, count: int = REPLICATES) -> Array:
    """Return counts (R, K) if G groups, each with all its pairs, are drawn from the G with replacement."""
    replicates: Array = _draws(len(count_GK), count, seed).astype(np.float64) @ count_GK
    return replicates


def natural(seed: int) -> int:
    """Return a seed of any sign as one that NumPy takes, 0 or above: negative ones count down from 2**128."""
    return seed if seed >= 0 else seed % 2**128


def _draws(groups: int, count: int, seed: int) -> Array:
    random = np.random.default_rng([natural(seed), groups])
    return random.multinomial(groups, np.full(groups, 1 / groups), size=count).astype(np.float32)


def pair_replicates(left_B: Array, right_B: Array, classes: int, seed: int, count: int = REPLICATES) -> Array:
    """Return weights (R, B) of B pairs of images, given their classes, if classes are drawn as in class_replicates."""
    drawn_RC = _draws(classes, count, seed)
    weights: Array = drawn_RC[:, left_B] * np.where(left_B == right_B, 1, drawn_RC[:, right_B])
    return weights


def pair_figures(score_B: Array, similar_B: Array, weight_RB: Array, threshold: float) -> dict[str, Array]:
    """Return balanced accuracy (accepting from the threshold on) and AUC, (R,) each, of B pairs by rows of weights.

    A tie counts one half in the AUC. NaN if a row leaves no pair of a kind.
    """
    order = np.argsort(score_B, kind="stable")
    score_B, similar_B, weight_RB = score_B[order], similar_B[order], weight_RB[:, order].astype(np.float64)
    starts = np.flatnonzero(np.diff(score_B, prepend=-np.inf))
    similar_RV = np.add.reduceat(weight_RB * similar_B, starts, axis=1)
    dissimilar_RV = np.add.reduceat(weight_RB * ~similar_B, starts, axis=1)
    accepted_V = score_B[starts] >= threshold
    below_RV = np.cumsum(dissimilar_RV, axis=1) - dissimilar_RV / 2
    similar_R, dissimilar_R = similar_RV.sum(1), dissimilar_RV.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        accepted_R = similar_RV[:, accepted_V].sum(1) / similar_R
        rejected_R = dissimilar_RV[:, ~accepted_V].sum(1) / dissimilar_R
        auc_R = (similar_RV * below_RV).sum(1) / (similar_R * dissimilar_R)
    return {"balanced_accuracy": (accepted_R + rejected_R) / 2, "auc": auc_R}
