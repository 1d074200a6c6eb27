"""Figures of the ROC of classes' pairs: one way to bin scores, and intervals that are never too sure."""

import numpy as np
import pytest

from omnitwin.metrics.curves import SIMILAR_EDGES, TAIL_EDGES, curve_rates, score_edges
from omnitwin.metrics.intervals import no_narrower, wilson_interval
from omnitwin.metrics.roc import count_scores, curve_figures


def pairs(gap, classes=12, images=3, seed=0):
    """Normal scores of all pairs of some images; similar pairs score higher by the gap."""
    kind = np.repeat(np.arange(classes), images)
    left, right = np.triu_indices(len(kind), 1)
    similar = kind[left] == kind[right]
    logits = np.random.default_rng(seed).normal(size=len(left)) + gap * similar
    return logits, similar, kind[left], kind[right], classes


def test_values_count_each_score_though_intervals_count_bins():
    known = pairs(2.0)
    found = curve_rates(*known)
    assert {name: value for name, (value, _) in found.items()} == pytest.approx(
        curve_figures(*count_scores(*known[:2])[1:])
    )
    for name, (value, (low, high)) in found.items():
        assert low <= value <= high, name


def test_pairs_without_an_error_leave_an_equal_error_rate_in_doubt():
    """36 similar pairs, none of them wrong: Wilson's interval of 0 of 36 ends at 9.6 %."""
    value, (low, high) = curve_rates(*pairs(30.0))["eer"]
    assert (value, low) == (0, 0)
    assert high >= wilson_interval(0, 36)[1] == pytest.approx(0.0964, abs=1e-3)


def test_edges_rise_hold_the_fixed_ones_and_are_fewer_if_few_are_wanted():
    random = np.random.default_rng(0)
    similar, dissimilar = random.normal(2, 1, 500), random.normal(0, 1, 5000)
    edges = score_edges(similar, dissimilar, (0.25,))
    assert (np.diff(edges) > 0).all()
    assert 0.25 in edges
    assert len(edges) == SIMILAR_EDGES + TAIL_EDGES + 1
    assert len(score_edges(similar, dissimilar, thin=0.25)) == (SIMILAR_EDGES + TAIL_EDGES) / 4


def test_an_interval_is_widened_to_hold_wilsons_and_never_narrowed():
    low, high = wilson_interval(2, 20)
    assert no_narrower((0.1, 0.1), 0.1, 20) == (low, high)
    assert no_narrower((0.0, 0.9), 0.1, 20) == (0.0, 0.9)
