"""Cross-validation over classes: nobody is judged by a fit that saw its class."""

import numpy as np
import pytest

from omnitwin.metrics.calibration import calibrated, fit_calibration, sigmoid
from omnitwin.metrics.crossing import MOST_VALUES, cross_validated, folds_of
from omnitwin.metrics.operating import threshold_for
from omnitwin.metrics.roc import count_scores


def pairs(classes=12, images=3, seed=0, apart=2.0):
    """Logits of all pairs, whether they are similar, and the classes of their images."""
    random = np.random.default_rng(seed)
    of_image = np.repeat(np.arange(classes), images)
    left, right = (of_image[side] for side in np.triu_indices(len(of_image), 1))
    similar = left == right
    return np.where(similar, apart, -apart) + random.normal(0, 1.5, len(left)), similar, left, right


@pytest.mark.parametrize(("kind", "value"), [("balanced", None), ("far", 0.1), ("precision", 0.8)])
def test_each_pair_is_judged_by_the_fit_of_the_other_folds_as_a_loop_makes_it(kind, value):
    logit, similar, left, right = pairs()
    fold = np.arange(12) % 4
    judged = cross_validated(kind, value, logit, similar, left, right, fold)
    for n in range(len(logit)):
        outside = ~np.isin(fold[left], fold[[left[n], right[n]]]) & ~np.isin(fold[right], fold[[left[n], right[n]]])
        counted = count_scores(logit[outside], similar[outside])
        calibration = fit_calibration(*counted)
        probability = sigmoid(calibrated(logit[n], calibration))
        threshold = threshold_for(kind, value, sigmoid(calibrated(counted[0], calibration)), *counted[1:])
        assert judged.probability_N[n] == pytest.approx(float(probability), abs=1e-12)
        assert judged.accepted_N[n] == (probability >= threshold)


def test_a_class_has_no_say_in_its_own_judgement():
    """Scores of class 0 are moved; pairs without it, in other folds, may change, but its own fits may not."""
    logit, similar, left, right = pairs()
    fold = folds_of(np.ones(12, dtype=bool), np.arange(12))
    mine = (left == 0) & (right == 0)
    before = cross_validated("balanced", None, logit, similar, left, right, fold)
    moved = np.where((left == 0) ^ (right == 0), logit + 5, logit)
    after = cross_validated("balanced", None, moved, similar, left, right, fold)
    assert np.array_equal(before.probability_N[mine], after.probability_N[mine])


def test_classes_with_pairs_are_spread_evenly_over_the_folds():
    paired = np.arange(40) % 3 == 0  # 14 of 40
    fold = folds_of(paired, np.random.default_rng(0).permutation(40))
    counts = np.bincount(fold[paired])
    assert len(counts) == 10
    assert counts.max() - counts.min() <= 1
    assert np.bincount(fold[~paired]).max() - np.bincount(fold[~paired]).min() <= 1


def test_scores_without_any_order_are_rejected_and_say_nothing():
    logit, similar, left, right = pairs()
    judged = cross_validated("far", 0.1, np.zeros(len(logit)), similar, left, right, np.arange(12) % 4)
    assert not judged.accepted_N.any()
    assert (judged.probability_N == 0.5).all()


def test_a_fit_on_scores_put_together_by_rank_is_nearly_that_of_all():
    logit, similar, left, right = pairs(classes=60, images=3)
    assert len(np.unique(logit)) > 3 * MOST_VALUES
    judged = cross_validated("balanced", None, logit, similar, left, right, np.arange(60) % 3)
    there = (np.arange(60) % 3 == 2)[left] & (np.arange(60) % 3 == 2)[right]
    within = (left % 3 == 0) & (right % 3 == 0)
    outside = ((left % 3) != 0) & ((right % 3) != 0)
    assert there.any()
    exact = fit_calibration(*count_scores(logit[outside], similar[outside]))
    assert judged.probability_N[within] == pytest.approx(sigmoid(calibrated(logit[within], exact)), abs=2e-3)


def population(random, classes, images):
    """All pairs of images of classes drawn at random: some classes lie nearer to others, some hands are less steady."""
    centres = random.normal(0, 1, (classes, 12)) * random.uniform(0.6, 1.4, (classes, 1))
    spread = 0.55 * np.repeat(random.uniform(0.5, 1.5, (classes, 1)), images, axis=0)
    points = np.repeat(centres, images, axis=0) + random.normal(0, 1, (classes * images, 12)) * spread
    first, second = np.triu_indices(len(points), 1)
    left, right = (np.repeat(np.arange(classes), images)[side] for side in (first, second))
    return 3 - ((points[first] - points[second]) ** 2).sum(1) / 4, left == right, left, right


def test_the_rates_told_are_those_of_new_classes_and_those_of_the_fit_itself_are_too_low():
    """Mean of 30 populations of ten classes of two, each beside 100 new classes that the same threshold judges."""
    random, told, new, itself = np.random.default_rng(1), [], [], []
    for _ in range(30):
        logit, similar, left, right = population(random, 10, 2)
        counted = count_scores(logit, similar)
        calibration = fit_calibration(*counted)
        threshold = threshold_for("balanced", None, sigmoid(calibrated(counted[0], calibration)), *counted[1:])
        fold = folds_of(np.ones(10, dtype=bool), np.arange(10))
        accepted = cross_validated("balanced", None, logit, similar, left, right, fold).accepted_N == 1
        told.append((accepted != similar)[similar].mean())
        itself.append((sigmoid(calibrated(logit[similar], calibration)) < threshold).mean())
        others, same, _, _ = population(random, 100, 2)
        new.append((sigmoid(calibrated(others[same], calibration)) < threshold).mean())
    assert np.mean(told) == pytest.approx(np.mean(new), abs=0.05)
    assert np.mean(itself) < np.mean(new) - 0.05
