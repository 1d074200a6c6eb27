"""Figures of merit against the literature and brute force."""

import math

import pytest

from omnitwin.metrics.intervals import wilson_interval


def test_the_wilson_interval_solves_the_equation_that_defines_it():
    """Its ends are the p for which the observed share lies exactly z standard errors away (Wilson 1927)."""
    for right, n in [(1, 10), (375, 750), (669, 750), (749, 750)]:
        for p in wilson_interval(right, n):
            assert abs(right / n - p) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / n), rel=1e-5)


def test_the_wilson_interval_of_none_and_of_all_stays_within_0_and_1():
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(20, 20)[1] == 1.0
    assert wilson_interval(0, 20)[1] == pytest.approx(1 - wilson_interval(20, 20)[0])


def test_the_wilson_interval_holds_the_true_share_in_95_of_100_experiments():
    n, p = 50, 0.9
    covered = sum(
        math.comb(n, right) * p**right * (1 - p) ** (n - right)
        for right in range(n + 1)
        if wilson_interval(right, n)[0] <= p <= wilson_interval(right, n)[1]
    )
    assert 0.93 < covered < 0.98
