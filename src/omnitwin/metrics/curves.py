"""Figures of the ROC of pairs, with intervals that resample classes: where the bins of scores lie, and what they say.

    N pairs, C classes, K bins, R replicates

A replicate needs counts by class, and so few bins. They lie close where the curve is read: at the scores of similar
pairs, and in the tail of the dissimilar ones.
"""

from collections.abc import Sequence

import numpy as np

from omnitwin.metrics.arrays import Array
from omnitwin.metrics.intervals import Interval, bootstrap_interval, no_narrower
from omnitwin.metrics.operating import counts_by_class
from omnitwin.metrics.resampling import class_replicates
from omnitwin.metrics.roc import count_scores, curve_figures

SIMILAR_EDGES, TAIL_EDGES = 32, 56  # quantiles of the similar pairs' scores; FARs evenly spaced in log
LOWEST_FAR = 1e-6


def score_edges(similar: Array, dissimilar: Array, fixed: Sequence[float] = (), thin: float = 1.0) -> Array:
    """Return ascending edges of bins where the scores of some similar and dissimilar pairs lie, and the fixed ones.

    thin: the share of SIMILAR_EDGES and TAIL_EDGES that is wanted
    """
    similar_levels = np.linspace(0, 1, max(2, int(SIMILAR_EDGES * thin)) + 2)[1:-1]
    tail_levels = 1 - np.geomspace(LOWEST_FAR, 1, max(2, int(TAIL_EDGES * thin)))
    edges = [np.quantile(dissimilar, tail_levels), np.asarray(fixed, np.float64)]
    if len(similar):
        edges.append(np.quantile(similar, similar_levels))
    return np.unique(np.concatenate(edges))


def curve_rates(
    logit_N: Array, similar_N: Array, left_N: Array, right_N: Array, classes: int, seed: int = 0
) -> dict[str, tuple[float, Interval]]:
    """Return the figures of roc.curve_figures with 95 % intervals, given the classes of N pairs as numbers.

    The figures count each score, the replicates bins of them. The interval of the equal error rate is no narrower than
    Wilson's of the similar pairs: where nothing is wrong, no replicate is. An interval is (0, 1) if it is not known.
    """
    similar, dissimilar = logit_N[similar_N], logit_N[~similar_N]
    edges = score_edges(similar, dissimilar)
    bins = len(edges) + 1
    bin_N = np.searchsorted(edges, logit_N, side="right")
    values = curve_figures(*count_scores(logit_N, similar_N)[1:])
    rough = curve_figures(*(np.bincount(bin_N[kind], minlength=bins) for kind in (similar_N, ~similar_N)))
    counts = counts_by_class(bin_N, bins, similar_N, left_N, right_N, classes)
    drawn = [
        curve_figures(similar_K, dissimilar_K)
        for similar_K, dissimilar_K in zip(*class_replicates(*counts, seed), strict=True)
        if similar_K.any() and dissimilar_K.any()
    ]
    groups = int(counts[0].any(1).sum())  # with similar pairs
    found: dict[str, tuple[float, Interval]] = {}
    for name, value in values.items():
        drawn_R = np.array([figures[name] for figures in drawn])
        interval = bootstrap_interval(drawn_R, value, rough[name], groups) if drawn else (0.0, 1.0)
        found[name] = (value, no_narrower(interval, value, len(similar)) if name == "eer" else interval)
    return found
