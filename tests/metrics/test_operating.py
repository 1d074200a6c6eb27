"""Thresholds for a target, their rates and intervals, against plain loops over all thresholds and pairs."""

import itertools
import math

import numpy as np
import pytest

from omnitwin.metrics.calibration import best_threshold, calibrated, fit_calibration, sigmoid
from omnitwin.metrics.intervals import wilson_interval
from omnitwin.metrics.operating import (
    MOST_GROUPS,
    counts_by_class,
    fit_for,
    outcomes_of,
    pairs_needed,
    smallest_far,
    threshold_for,
)
from omnitwin.metrics.roc import count_scores

TARGETS = [("far", 0.01), ("far", 0.1), ("far", 0.3), ("precision", 0.6), ("precision", 0.9), ("precision", 0.99)]


def scores(seed, similar=60, dissimilar=400, apart=1.5, digits=2):
    """Probabilities of both kinds of pair, with ties."""
    random = np.random.default_rng(seed)
    logits = np.concatenate([random.normal(apart, 1, similar), random.normal(-apart, 1, dissimilar)])
    return np.round(1 / (1 + np.exp(-logits)), digits), np.arange(similar + dissimilar) < similar


def far_and_frr(probability, similar, threshold):
    return (probability[~similar] >= threshold).mean(), (probability[similar] < threshold).mean()


def reaches(kind, value, far, frr):
    """The target's own words, without the code's arithmetic."""
    if kind == "far":
        return far <= value + 1e-12
    return frr < 1 and (1 - frr) / (1 - frr + far) >= value - 1e-12


@pytest.mark.parametrize(("kind", "value"), TARGETS)
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_reaches_the_target_with_a_lower_frr(kind, value, seed):
    probability, similar = scores(seed)
    threshold = threshold_for(kind, value, *count_scores(probability, similar))
    far, frr = far_and_frr(probability, similar, threshold)
    assert reaches(kind, value, far, frr)
    for other in [*np.unique(probability), 2.0]:
        other_far, other_frr = far_and_frr(probability, similar, other)
        if reaches(kind, value, other_far, other_frr):
            assert (frr, far) <= (other_frr, other_far)


def test_the_balanced_target_is_the_best_threshold_bit_for_bit():
    for seed in range(5):
        counted = count_scores(*scores(seed, digits=8))
        assert threshold_for("balanced", None, *counted) == best_threshold(*counted)


def test_the_threshold_lies_midway_between_the_pairs_it_separates():
    counted = count_scores(np.array([0.1, 0.2, 0.6, 0.8]), np.array([False, False, True, True]))
    assert threshold_for("far", 0.01, *counted) == pytest.approx(0.4)


def test_a_target_that_no_threshold_reaches_has_none():
    """The two highest scores are of dissimilar pairs: accepting any similar one accepts them, too."""
    counted = count_scores(np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False]))
    assert threshold_for("far", 0.4, *counted) is None
    assert threshold_for("precision", 0.6, *counted) is None
    assert threshold_for("balanced", None, *counted) is not None


def test_a_fit_is_the_calibration_and_then_the_threshold_of_its_probabilities():
    logits, similar = scores(0)
    counted = count_scores(logits, similar)
    fit = fit_for("far", 0.05, *counted)
    assert fit.calibration == fit_calibration(*counted)
    probability = sigmoid(calibrated(counted[0], fit.calibration))
    assert (fit.threshold, fit.reached) == (threshold_for("far", 0.05, probability, *counted[1:]), True)
    assert fit_for("balanced", None, -counted[0][::-1], counted[1][::-1], counted[2][::-1]) is None  # upside down


def test_a_fit_that_reaches_no_target_has_no_threshold_or_falls_back_to_the_balanced_one():
    """Ten dissimilar pairs score higher than all similar ones: accepting any accepts 10 of 41, too."""
    values = np.array([0.0, 1.0, 2.0, 3.0])
    similar, dissimilar = np.array([0, 10, 10, 0]), np.array([30, 1, 0, 10])
    fit = fit_for("far", 0.1, values, similar, dissimilar)
    assert (fit.threshold, fit.reached) == (None, False)
    fallen = fit_for("far", 0.1, values, similar, dissimilar, fall_back=True)
    balanced = best_threshold(sigmoid(calibrated(values, fit.calibration)), similar, dissimilar)
    assert (fallen.threshold, fallen.reached) == (balanced, False)


def test_a_threshold_that_would_have_to_be_one_is_refused():
    """All three probabilities are within a millionth of 1, where no threshold lies."""
    counted = count_scores(np.array([1 - 3e-9, 1 - 2e-9, 1 - 1e-9]), np.array([False, False, True]))
    assert threshold_for("far", 0.1, *counted) is None


def test_the_rule_of_three_is_the_share_of_which_none_of_n_is_seen_in_one_case_of_twenty():
    for n in (300, 1000, 50_000):
        assert (1 - smallest_far(n)) ** n == pytest.approx(0.05, rel=0.03)
        assert pairs_needed("far", smallest_far(n)) == n
    assert pairs_needed("far", 0.01) == 300
    assert pairs_needed("balanced", None) == 1


def test_a_precision_needs_the_pairs_of_the_far_at_which_all_similar_pairs_give_it():
    for precision in (0.9, 0.95, 0.999):
        far = 3 / pairs_needed("precision", precision)
        assert 1 / (1 + far) == pytest.approx(precision, rel=1e-2)


def classes_of_pairs(classes, images):
    """The classes of all pairs of images, class by class."""
    of_image = np.repeat(np.arange(classes), images)
    left, right = (of_image[side] for side in np.triu_indices(len(of_image), 1))
    return left, right


def test_outcomes_count_every_pair_once_under_its_classes():
    left, right = classes_of_pairs(5, 3)
    accepted = np.random.default_rng(0).integers(0, 2, len(left))
    outcomes = outcomes_of(accepted, left == right, left, right, 5)
    for a, b in itertools.combinations_with_replacement(range(5), 2):
        here = (np.minimum(left, right) == a) & (np.maximum(left, right) == b)
        wanted = [int((accepted[here] == state).sum()) for state in (0, 1)]
        counted = outcomes.similar_C2[a] if a == b else outcomes.dissimilar_CC2[a, b] + outcomes.dissimilar_CC2[b, a]
        assert counted.tolist() == wanted
    assert outcomes.far == accepted[left != right].mean()
    assert outcomes.frr == 1 - accepted[left == right].mean()


def test_intervals_are_those_of_a_bootstrap_written_as_loops():
    left, right = classes_of_pairs(12, 4)
    random = np.random.default_rng(1)
    hard = random.random(12) * 0.3  # classes differ, so that resampling them shows
    accepted = np.where(left == right, random.random(len(left)) > hard[left], random.random(len(left)) < hard[right])
    rates = outcomes_of(accepted.astype(int), left == right, left, right, 12).rates()
    fars, frrs = [], []
    for _ in range(400):
        times = np.bincount(random.integers(0, 12, 12), minlength=12)
        weight = np.where(left == right, times[left], times[left] * times[right])
        fars.append(np.average(accepted[left != right], weights=weight[left != right]))
        frrs.append(1 - np.average(accepted[left == right], weights=weight[left == right]))
    for name, drawn in (("far", fars), ("frr", frrs)):
        value, (low, high) = rates[name]
        assert low < value < high
        spread = (high - low) / (np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025))
        assert 0.9 < spread < 1.5  # Student's t widens the levels a little


def test_rates_without_an_error_have_wilsons_interval_of_the_classes():
    left, right = classes_of_pairs(10, 2)
    rates = outcomes_of((left == right).astype(int), left == right, left, right, 10).rates()
    for name, value in (("far", 0), ("frr", 0), ("balanced_accuracy", 1), ("precision", 1)):
        assert rates[name][0] == value
        assert rates[name][1] == pytest.approx(wilson_interval(10 * value, 10), abs=1e-12)


def test_a_class_of_one_image_does_not_count_for_a_rejection_rate_without_an_error():
    left, right = classes_of_pairs(10, 2)
    kept = (left < 5) | (left != right)  # five classes have no similar pair left
    left, right = left[kept], right[kept]
    rates = outcomes_of((left == right).astype(int), left == right, left, right, 10).rates()
    assert rates["frr"][1] == pytest.approx(wilson_interval(0, 5), abs=1e-12)
    assert rates["far"][1] == pytest.approx(wilson_interval(0, 10), abs=1e-12)


@pytest.mark.parametrize("classes", [10, 20, 30])
def test_a_far_of_0_leaves_room_for_one_class_in_twenty_that_looks_like_all_others(classes):
    """The chance to see none of them among these classes is large, and then every pair of classes is told apart."""
    left, right = classes_of_pairs(classes, 2)
    rates = outcomes_of((left == right).astype(int), left == right, left, right, classes).rates()
    assert 0.95**classes > 0.2
    assert rates["far"][1][1] > 1 - 0.95**2  # the FAR of all pairs that there could be


def test_of_nothing_accepted_the_precision_is_not_known():
    left, right = classes_of_pairs(10, 2)
    rates = outcomes_of(np.zeros(len(left), dtype=int), left == right, left, right, 10).rates()
    assert rates["precision"] == (0.0, (0.0, 1.0))
    assert (rates["far"][0], rates["frr"][0]) == (0.0, 1.0)


def test_precision_is_the_share_of_similar_pairs_among_the_accepted_if_both_kinds_are_as_many():
    left, right = classes_of_pairs(10, 2)
    accepted = (left == right) | ((left == 0) & (right == 1))  # 4 of the 180 dissimilar pairs
    rates = outcomes_of(accepted.astype(int), left == right, left, right, 10).rates()
    assert rates["precision"][0] == pytest.approx(1 / (1 + 4 / 180))


def test_many_classes_are_resampled_in_groups_that_keep_all_pairs_but_those_within_one():
    classes = 2 * MOST_GROUPS
    left = np.arange(classes - 1)
    right = left + 1
    similar, dissimilar = counts_by_class(np.zeros(classes - 1), 1, left == right, left, right, classes)
    assert similar.shape == (MOST_GROUPS, 1)
    assert dissimilar.sum() == classes - 1
    assert math.prod(dissimilar.shape) == MOST_GROUPS**2
