"""The adjusted Rand index: that of the formula by brute force over pairs, and of scikit-learn."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from omnitwin.metrics import agreement as measuring
from omnitwin.metrics.agreement import agreement


def by_pairs(classes, groups):
    """Hubert and Arabie's index, (index - expected) / (maximum - expected), with all pairs looked at one by one."""
    pairs = list(combinations(range(len(classes)), 2))
    similar = [classes[a] == classes[b] for a, b in pairs]
    together = [groups[a] == groups[b] for a, b in pairs]
    both = sum(one and other for one, other in zip(similar, together, strict=True))
    expected = sum(similar) * sum(together) / len(pairs)
    most = (sum(similar) + sum(together)) / 2
    return (both - expected) / (most - expected)


def partitions(seed, images=60, classes=7, groups=9):
    random = np.random.default_rng(seed)
    class_N = random.integers(classes, size=images)
    group_N = np.where(random.random(images) < 0.6, class_N, random.integers(groups, size=images))
    return class_N, group_N


@pytest.mark.parametrize("seed", range(5))
def test_the_index_is_that_of_the_formula_by_brute_force_over_pairs(seed):
    class_N, group_N = partitions(seed)
    value, _ = agreement(class_N, group_N)
    assert value == pytest.approx(by_pairs(class_N.tolist(), group_N.tolist()), abs=1e-12)
    assert value == pytest.approx(adjusted_rand_score(class_N, group_N), abs=1e-12)


def test_equal_partitions_have_1_whatever_their_numbers_and_random_ones_about_0():
    class_N, _ = partitions(0)
    assert agreement(class_N, 7 * class_N[::1] + 100)[0] == 1.0
    random = np.random.default_rng(1)
    values = [agreement(random.integers(6, size=80), random.integers(6, size=80))[0] for _ in range(40)]
    assert abs(np.mean(values)) < 0.02


@pytest.mark.parametrize(("classes", "groups"), [([0, 0, 0, 0], [3, 3, 3, 3]), ([0, 1, 2, 3], [5, 6, 7, 8])])
def test_all_in_one_and_all_alone_agree_with_themselves(classes, groups):
    assert agreement(np.array(classes), np.array(groups))[0] == 1.0


def test_the_interval_holds_the_value_and_widens_with_fewer_classes():
    widths = []
    for classes in (5, 20, 80):
        class_N = np.repeat(np.arange(classes), 10)
        random = np.random.default_rng(2)
        group_N = np.where(random.random(len(class_N)) < 0.7, class_N, random.integers(classes, size=len(class_N)))
        value, (low, high) = agreement(class_N, group_N)
        assert -1 <= low < value < high <= 1
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]


def test_the_interval_covers_the_index_of_new_classes_about_as_often_as_it_says():
    """Classes differ in how well they are grouped; the truth is the index of very many of them."""
    random = np.random.default_rng(3)

    def draw(classes):
        class_N = np.repeat(np.arange(classes), 8)
        right_C = random.beta(4, 2, size=classes)
        right_N = random.random(len(class_N)) < right_C[class_N]
        return class_N, np.where(right_N, class_N, classes + np.arange(len(class_N)))  # the others are alone

    truth = agreement(*draw(1500))[0]
    intervals = [agreement(*draw(25), seed=number)[1] for number in range(60)]
    assert sum(low <= truth <= high for low, high in intervals) >= 52  # 57 of 60 are 95 %


def test_a_perfect_index_of_few_classes_has_an_interval_that_says_how_few():
    value, (low, high) = agreement(np.repeat(np.arange(4), 5), np.repeat(np.arange(4), 5))
    assert (value, high) == (1.0, 1.0)
    assert low < 0.2


def test_two_classes_have_no_interval():
    assert agreement(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])) == (1.0, None)


def test_more_classes_than_are_resampled_are_put_together_and_change_the_value_by_nothing(monkeypatch):
    class_N, group_N = partitions(4, images=200, classes=40)
    whole, (low, high) = agreement(class_N, group_N)
    monkeypatch.setattr(measuring, "MOST_CLASSES", 10)
    monkeypatch.setattr(measuring, "GROUPS_AT_ONCE", 3)
    value, (lower, higher) = agreement(class_N, group_N)
    assert value == whole
    assert (lower, higher) != (low, high)
    assert lower < value < higher
