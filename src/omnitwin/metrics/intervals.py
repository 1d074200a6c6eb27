"""95 % intervals: Wilson's for independent trials and for clustered ones, and percentiles of a bootstrap."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

Interval = tuple[float, float]
Floats = np.ndarray[Any, np.dtype[np.float64]]

OUTSIDE = 0.05  # chance that a 95 % interval misses the truth, half of it on each side
NO_NARROWER = "no narrower than Wilson's interval"
LEAST = 3  # groups: two classes make one kind of dissimilar pair, which no replicate varies
FEW = 4  # groups: of fewer, the percentiles of a bootstrap end at its least and its greatest replicate
NORMAL_975 = NormalDist().inv_cdf(1 - OUTSIDE / 2)


def wilson_interval(right: float, n: float, quantile: float = NORMAL_975) -> tuple[float, float]:
    """Return the 95 % interval, in [0, 1], of the probability behind `right` successes in n independent trials, n > 0.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference". It holds near 0 and 1, too.
    """
    share, weight = right / n, quantile**2 / n
    middle = (share + weight / 2) / (1 + weight)
    half = quantile / (1 + weight) * math.sqrt(share * (1 - share) / n + weight / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def no_narrower(interval: Interval, share: float, n: float) -> Interval:
    """Return an interval of a share of n things, widened to hold Wilson's, of independent ones."""
    low, high = wilson_interval(share * n, n)
    return min(interval[0], low), max(interval[1], high)


def clustered_wilson_interval(right_G: Floats, n_G: Floats) -> tuple[float, float]:
    """Return Wilson's interval for trials that come in G groups, such as the trials of each alphabet.

    The variance between groups (that of a ratio of sums) says how many independent trials the n are worth, at most n.
    Student's t with G - 1 degrees of freedom replaces the normal. Korn and Graubard 1998, "Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data". If all trials went one way or
    lie in one group, the groups have no variance to measure, and the n count as independent.
    """
    right, n, groups = float(right_G.sum()), float(n_G.sum()), int((n_G > 0).sum())
    share = right / n
    if groups < 2 or share in (0.0, 1.0):
        return wilson_interval(right, n)
    variance = groups / (groups - 1) * float(((right_G - share * n_G) ** 2).sum()) / n**2
    worth = min(n, share * (1 - share) / variance) if variance else n
    return wilson_interval(share * worth, worth, student_975(groups - 1))


def bootstrap_interval(replicates_R: Floats, value: float, centre: float, groups: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of a value (in [0, 1]) from R replicates.

    centre: the value as the replicates compute it, which can be coarser than value itself
    groups: number of groups (such as classes) that were resampled

    At 0 and 1 every replicate repeats the value, and percentiles would claim that no other is possible. There the
    interval is no narrower than unanimous_interval of the groups.

    With few groups plain percentiles are too narrow, so the levels are widened to those that Student's t reaches
    (Hesterberg 2015, "What teachers should know about the bootstrap", sec. 4.3). Below FEW groups no level suffices, as
    no replicate lies beyond the groups' own values: there the interval of Student's t from the spread of the replicates
    is spanned, too.
    """
    if groups < LEAST:
        return 0.0, 1.0
    outside = NormalDist().cdf(-math.sqrt(groups / (groups - 1)) * student_975(groups - 1))
    low, high = np.quantile(replicates_R, [outside, 1 - outside])
    if groups < FEW:
        half = student_975(groups - 1) * math.sqrt(groups / (groups - 1)) * float(np.std(replicates_R))
        low, high = min(low, centre - half), max(high, centre + half)
    low, high = _share(low - centre + value), _share(high - centre + value)
    if is_unanimous(value):
        least, most = unanimous_interval(value, groups)
        return min(low, least), max(high, most)
    return low, high


def is_unanimous(value: float) -> bool:
    """Return whether all trials behind a rate went one way: it is 0 or 1."""
    return value in (0.0, 1.0)


def unanimous_interval(value: float, groups: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval for a rate of 0 or 1, with each of the groups (such as classes) as one trial.

    For n groups that are all right it is n / (n + 3.84) to 1, for n that are all wrong the mirror image: about what the
    rule of three says (Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?": 3 / n, at 95 %
    on one side). A trial is a group, not an image or a pair, because those of a group are right and wrong together, and
    nothing shows how much if none differs. For a rate within classes it is never too narrow: the rate of new groups is
    at least the share of groups that are right throughout, and this share is what the interval is of. A FAR is of pairs
    of classes, of which there are more, but they are no more trials than the classes: one class that looks like all
    others spoils every pair that it is in. Wilson's was chosen because the other exams use it, and it is the same at 0
    and at 1.

    >>> unanimous_interval(1.0, 10)  # doctest: +ELLIPSIS
    (0.722..., 1.0)
    """
    return wilson_interval(value * groups, groups)


def student_975(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t for 1 or more degrees of freedom, to 0.1 % from 3 on.

    Exact for 1 and 2; else the expansion of Fisher and Cornish 1960 (four of its terms: Abramowitz and Stegun, 26.7.5).
    """
    if freedom == 1:
        return math.tan(math.pi * (0.5 - OUTSIDE / 2))
    if freedom == 2:
        return (1 - OUTSIDE) * math.sqrt(2 / (1 - (1 - OUTSIDE) ** 2))
    z = NORMAL_975
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
        (27 * z**11 + 339 * z**9 + 930 * z**7 - 1782 * z**5 - 765 * z**3 + 17955 * z) / 368640,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))


def _share(value: float) -> float:
    return min(1.0, max(0.0, float(value)))
