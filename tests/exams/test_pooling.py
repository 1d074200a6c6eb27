"""The scores of several folds are judged together, each pair by thresholds that other folds chose."""

import numpy as np
import pytest

from omnitwin.config import Target
from omnitwin.exams.pooling import Scored, judged, pooled
from omnitwin.metrics.calibration import best_threshold, calibrated, fit_calibration, sigmoid
from omnitwin.metrics.roc import count_scores


def fold(seed, classes=4, images=4, shift=0.0, gap=2.0):
    """Normal scores of all pairs of some images; similar pairs score higher by the gap."""
    random = np.random.default_rng(seed)
    kind = np.repeat(np.arange(classes), images)
    left, right = np.triu_indices(len(kind), 1)
    similar = kind[left] == kind[right]
    logits = random.normal(size=len(left)) + gap * similar + shift
    return Scored(logit_N=logits, left_N=kind[left], right_N=kind[right], classes=classes)


def eer_of(logits, similar):
    """The slow way: the threshold at which the two errors come closest, midway between them."""
    best = min((abs((logits[~similar] >= at).mean() - (logits[similar] < at).mean()), at) for at in np.unique(logits))[
        1
    ]
    return ((logits[~similar] >= best).mean() + (logits[similar] < best).mean()) / 2


def test_classes_of_different_folds_are_different_and_never_paired():
    folds = [fold(seed, classes) for seed, classes in enumerate((3, 5, 4))]
    together = pooled(folds)
    assert together.classes == 12
    assert len(together.logit_N) == sum(len(each.logit_N) for each in folds)
    bounds = [0, 3, 8, 12]
    of_fold = [np.searchsorted(bounds, side, side="right") for side in (together.left_N, together.right_N)]
    assert (of_fold[0] == of_fold[1]).all()
    assert together.similar_N.sum() == sum(each.similar_N.sum() for each in folds)


def test_the_figures_are_those_of_all_pairs_together():
    folds = [fold(seed) for seed in range(5)]
    together = pooled(folds)
    found = judged(folds, "things")
    eer = found.exam.measure("eer")
    assert eer.value == pytest.approx(eer_of(together.logit_N, together.similar_N), abs=0.01)
    assert eer.n == len(together.logit_N)
    low, high = eer.interval
    assert low < eer.value < high
    assert "20 classes resampled" in eer.method
    counted = count_scores(together.logit_N, together.similar_N)
    assert found.calibration == fit_calibration(*counted)
    assert found.threshold == best_threshold(sigmoid(calibrated(counted[0], found.calibration)), *counted[1:])


def test_the_errors_at_the_threshold_are_those_of_thresholds_that_other_folds_chose():
    folds = [fold(seed, shift=seed / 4) for seed in range(4)]
    wrong = {True: 0, False: 0}
    for index, each in enumerate(folds):
        others = pooled([other for place, other in enumerate(folds) if place != index])
        counted = count_scores(others.logit_N, others.similar_N)
        fitted = fit_calibration(*counted)
        threshold = best_threshold(sigmoid(calibrated(counted[0], fitted)), *counted[1:])
        accepted = sigmoid(calibrated(each.logit_N, fitted)) >= threshold
        for similar in wrong:
            wrong[similar] += int((accepted != similar)[each.similar_N == similar].sum())
    point = judged(folds, "things").operating
    together = pooled(folds)
    assert point.frr == pytest.approx(wrong[True] / together.similar_N.sum())
    assert point.far == pytest.approx(wrong[False] / (~together.similar_N).sum())
    assert (point.classes, point.similar, point.data) == (16, together.similar_N.sum(), "things")
    balanced = judged(folds, "things").exam.measures[0]
    assert balanced.name == "balanced_accuracy"
    for name, count in (("far", point.dissimilar), ("frr", point.similar)):
        measure = judged(folds, "things").exam.measure(name)
        assert (measure.value, measure.interval) == (getattr(point, name), getattr(point, f"{name}_interval"))
        assert (measure.n, "other folds chose" in measure.method) == (count, True)
    assert balanced.value == pytest.approx(1 - (point.far + point.frr) / 2)


def test_folds_whose_networks_score_differently_do_worse_together_than_each_alone():
    together = judged([fold(0), fold(1, shift=3.0)], "things").exam.measure("eer").value
    alone = [judged([each, each], "things").exam.measure("eer").value for each in (fold(0), fold(1, shift=3.0))]
    assert together > max(alone) + 0.05


def test_a_target_is_reached_on_all_folds_together_or_balanced_accuracy_is_chosen():
    folds = [fold(seed, gap=4.0) for seed in range(4)]
    together = pooled(folds)
    found = judged(folds, "things", Target("far", 0.05))
    accepted = sigmoid(calibrated(together.logit_N, found.calibration)) >= found.threshold
    assert accepted[~together.similar_N].mean() <= 0.05
    assert found.operating.target == "far=0.05"
    hopeless = [fold(seed, gap=0.3) for seed in range(4)]
    assert judged(hopeless, "things", Target("precision", 0.9999)).operating.target in ("balanced", "precision=0.9999")


def test_scores_that_say_nothing_give_no_calibration_and_no_operating_point():
    found = judged([fold(seed, gap=-3.0) for seed in range(3)], "things")
    assert (found.calibration, found.operating, found.threshold) == (None, None, 0.5)
    assert found.exam.measure("eer").value > 0.9
    assert found.exam.find("balanced_accuracy") is None
