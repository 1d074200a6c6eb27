"""Figures of merit, from plain numbers. Imports nothing of ours."""

import math

NORMAL_975 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution: 2.5 % on each side


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval (in [0, 1]) for the probability behind right successes in n independent trials, n above 0.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference"; it holds near 0 and 1 too.
    """
    share, weight = right / n, NORMAL_975**2 / n
    middle = (share + weight / 2) / (1 + weight)
    half = NORMAL_975 / (1 + weight) * math.sqrt(share * (1 - share) / n + weight / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)
