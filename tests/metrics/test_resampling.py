"""Replicates against explicit lists of drawn classes, and intervals in experiments whose truth is known.

C classes, G groups, K score bins, R replicates
"""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from omnitwin.metrics.intervals import bootstrap_interval, wilson_interval
from omnitwin.metrics.resampling import class_replicates, group_replicates
from omnitwin.metrics.roc import auc, balanced_accuracy, count_scores, equal_error_rate, roc_curve

SIGMAS = 4  # how far a mean may lie from what fair draws give
FIGURES = ("balanced_accuracy", "auc", "eer")
REPLICATES = 300  # for each interval of a simulation

DIMENSIONS = 4  # of the space in which characters lie
DRAWINGS = 5  # of each character
ACCEPTED = 1.4  # distance up to which a pair is accepted
POPULATION = 500_000  # pairs of each kind that tell the truth

ALPHABETS = 20
APART, OF_SIMILAR, OF_DISSIMILAR = 2.0, 0.5, 0.3  # mean gap of the scores, and how much alphabets differ in theirs


def random_counts(seed, classes=5, bins=3, highest=9):
    """Similar counts by class, and dissimilar ones by two classes c < d."""
    random = np.random.default_rng(seed)
    similar_CK = random.integers(0, highest, (classes, bins))
    dissimilar_CCK = random.integers(0, highest, (classes, classes, bins))
    dissimilar_CCK[np.tril_indices(classes)] = 0
    return similar_CK, dissimilar_CCK


def draws_of_classes(classes, seed, count):
    """How often each class is drawn, (R, C): its similar pairs, where each class has one in a bin of its own."""
    return class_replicates(np.eye(classes), np.zeros((classes, classes, 1)), seed, count)[0]


def by_brute_force(drawn_C, similar_CK, dissimilar_CCK):
    """Counts of the drawn classes, written out one after the other and then compared two by two."""
    drawn = [number for number, times in enumerate(drawn_C.astype(int)) for _ in range(times)]
    similar_K = sum(similar_CK[number] for number in drawn)
    dissimilar_K = np.zeros_like(similar_K)
    for one, other in combinations(drawn, 2):
        if one != other:
            dissimilar_K = dissimilar_K + dissimilar_CCK[min(one, other), max(one, other)]
    return similar_K, dissimilar_K


@pytest.mark.parametrize("seed", range(5))
def test_class_replicates_count_the_pairs_of_the_drawn_classes(seed):
    similar_CK, dissimilar_CCK = random_counts(seed)
    drawn_RC = draws_of_classes(5, seed, 40)
    similar_RK, dissimilar_RK = class_replicates(similar_CK, dissimilar_CCK, seed, 40)
    assert similar_RK.shape == dissimilar_RK.shape == (40, 3)
    for drawn_C, similar_K, dissimilar_K in zip(drawn_RC, similar_RK, dissimilar_RK, strict=True):
        expected_similar_K, expected_dissimilar_K = by_brute_force(drawn_C, similar_CK, dissimilar_CCK)
        assert similar_K.tolist() == expected_similar_K.tolist()
        assert dissimilar_K.tolist() == expected_dissimilar_K.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_group_replicates_count_the_pairs_of_the_drawn_groups(seed):
    count_GK = np.random.default_rng(seed).integers(0, 1_000_000_000, (6, 3))
    drawn_RG = group_replicates(np.eye(6), seed, 40)
    for drawn_G, count_K in zip(drawn_RG, group_replicates(count_GK, seed, 40), strict=True):
        drawn = [number for number, times in enumerate(drawn_G.astype(int)) for _ in range(times)]
        assert count_K.tolist() == sum(count_GK[number] for number in drawn).tolist()


def test_similar_and_dissimilar_pairs_of_alphabets_are_those_of_the_same_drawn_alphabets():
    """Two calls, one for each kind of pair, with one seed."""
    count_GK = np.random.default_rng(0).integers(1, 100, (6, 3))
    assert np.array_equal(2 * group_replicates(count_GK, 3, 40), group_replicates(2 * count_GK, 3, 40))


@pytest.mark.parametrize("draws", [draws_of_classes, lambda groups, *rest: group_replicates(np.eye(groups), *rest)])
def test_as_many_are_drawn_as_there_are_each_with_the_same_chance(draws):
    """A class's number of draws is binomial (C, 1 / C): mean 1, variance 1 - 1 / C."""
    drawn_RC = draws(7, 0, 20_000).astype(np.float64)
    assert np.array_equal(drawn_RC, np.round(drawn_RC))
    assert np.array_equal(drawn_RC.sum(1), np.full(20_000, 7))
    assert abs(drawn_RC.mean(0) - 1).max() < SIGMAS * math.sqrt((1 - 1 / 7) / 20_000)
    assert drawn_RC.var(0) == pytest.approx(np.full(7, 1 - 1 / 7), rel=0.05)


def test_two_draws_of_one_class_give_no_pair():
    dissimilar_CCK = np.zeros((2, 2, 1))
    dissimilar_CCK[0, 1] = 6
    drawn_RC = draws_of_classes(2, 0, 50)
    once_each_R = drawn_RC.max(1) == 1
    assert 0 < once_each_R.sum() < 50
    dissimilar_RK = class_replicates(np.ones((2, 1)), dissimilar_CCK, 0, 50)[1]
    assert dissimilar_RK[:, 0].tolist() == (6 * once_each_R).tolist()


def test_replicates_have_on_average_all_similar_pairs_and_all_but_1_in_c_of_the_dissimilar_ones():
    """With m and n draws of two of the C classes, E(m) = 1 and E(m n) = C (C - 1) / C^2 = 1 - 1 / C."""
    similar_CK, dissimilar_CCK = random_counts(0, classes=8)
    similar_RK, dissimilar_RK = class_replicates(similar_CK, dissimilar_CCK, 0, 20_000)
    for count_RK, expected_K in (
        (similar_RK, similar_CK.sum(0)),
        (dissimilar_RK, dissimilar_CCK.sum((0, 1)) * (1 - 1 / 8)),
    ):
        allowed_K = SIGMAS * count_RK.std(0) / math.sqrt(20_000)
        assert (abs(count_RK.mean(0) - expected_K) < allowed_K).all()
        assert (allowed_K < 0.02 * expected_K).all()


def test_counts_beyond_what_float32_holds_keep_six_digits():
    similar_CK, dissimilar_CCK = random_counts(0, highest=100_000_000)
    similar_RK, dissimilar_RK = class_replicates(similar_CK, dissimilar_CCK, 0, 20)
    for number, drawn_C in enumerate(draws_of_classes(5, 0, 20)):
        expected = by_brute_force(drawn_C, similar_CK, dissimilar_CCK)
        np.testing.assert_allclose((similar_RK[number], dissimilar_RK[number]), expected, rtol=1e-6)


def test_one_seed_gives_the_same_replicates_and_another_seed_others():
    counts = random_counts(0)
    for make in (lambda seed: class_replicates(*counts, seed, 30), lambda seed: group_replicates(counts[0], seed, 30)):
        assert np.array_equal(make(7), make(7))
        assert not np.array_equal(make(7), make(8))


def figures_of(similar_K, dissimilar_K, first):
    curve = roc_curve(similar_K, dissimilar_K)
    return np.array([balanced_accuracy(similar_K, dissimilar_K, first), auc(*curve), equal_error_rate(*curve)])


def intervals_of(replicates, value, centre, first, groups):
    figure_RF = np.array([figures_of(*counted, first) for counted in zip(*replicates, strict=True)])
    return [bootstrap_interval(*of_figure, groups) for of_figure in zip(figure_RF.T, value, centre, strict=True)]


def random_characters(random, count):
    """Centre (count, DIMENSIONS) and spread (count, 1) of characters: some lie close, some are drawn untidily."""
    return random.normal(size=(count, DIMENSIONS)), 0.35 * random.lognormal(0, 0.4, (count, 1))


def random_drawings(random, centre, spread):
    return centre + spread * random.normal(size=centre.shape)


def scores_between(left, right):
    return -np.linalg.norm(left - right, axis=1)


@pytest.fixture(scope="module")
def population():
    """Scores of similar and dissimilar pairs of characters without end, no character twice."""
    random = np.random.default_rng(0)
    one, other = random_characters(random, POPULATION), random_characters(random, POPULATION)
    left = random_drawings(random, *one)
    again, elsewhere = random_drawings(random, *one), random_drawings(random, *other)
    return scores_between(left, again), scores_between(left, elsewhere)


def experiment(random, classes, edges):
    """Figures and their intervals of all pairs of some characters, made as all-pairs makes them, and a naive interval.

    The naive one takes all pairs for independent: Wilson's for both shares, put together for their mean (Newcombe
    1998, "Interval estimation for the difference between independent proportions", method 10).
    """
    centre, spread = random_characters(random, classes)
    drawings = np.concatenate([random_drawings(random, centre, spread) for _ in range(DRAWINGS)])
    left_P, right_P = np.triu_indices(len(drawings), 1)
    scores_P = scores_between(drawings[left_P], drawings[right_P])
    class_P = np.sort(np.stack([left_P, right_P]) % classes, axis=0)
    similar_P = class_P[0] == class_P[1]
    similar_CK, dissimilar_CCK = np.zeros((classes, len(edges) + 1)), np.zeros((classes, classes, len(edges) + 1))
    bin_P = np.searchsorted(edges, scores_P, side="right")
    np.add.at(similar_CK, (class_P[0][similar_P], bin_P[similar_P]), 1)
    np.add.at(dissimilar_CCK, (*class_P[:, ~similar_P], bin_P[~similar_P]), 1)
    values_B, *counted = count_scores(scores_P, similar_P)
    value = figures_of(*counted, int(np.searchsorted(values_B, -ACCEPTED)))
    first = int(np.searchsorted(edges, -ACCEPTED)) + 1
    rough = figures_of(similar_CK.sum(0), dissimilar_CCK.sum((0, 1)), first)
    replicates = class_replicates(similar_CK, dissimilar_CCK, int(random.integers(1 << 30)), REPLICATES)
    shares = []
    for right_P in (scores_P[similar_P] >= -ACCEPTED, scores_P[~similar_P] < -ACCEPTED):
        shares.append((right_P.mean(), *wilson_interval(right_P.sum(), len(right_P))))
    below, above = (math.hypot(*(share[0] - share[side] for share in shares)) / 2 for side in (1, 2))
    naive = value[0] - below, value[0] + above
    return intervals_of(replicates, value, rough, first, classes), naive


@pytest.fixture(
    scope="module",
    params=[
        (40, 300),
        pytest.param((14, 3_000), marks=pytest.mark.slow),
        pytest.param((40, 3_000), marks=pytest.mark.slow),
    ],
    ids=lambda param: f"{param[0]}-characters-{param[1]}-times",
)
def character_coverage(request, population):
    """How often the intervals of the three figures hold the truth, by name, and how often the naive one does."""
    classes, repetitions = request.param
    similar_N, dissimilar_N = population
    values_B, *counted = count_scores(np.concatenate(population), np.arange(2 * POPULATION) < POPULATION)
    truth = figures_of(*counted, int(np.searchsorted(values_B, -ACCEPTED)))
    edges = np.unique(
        np.concatenate(
            [
                np.quantile(similar_N, np.linspace(0, 1, 22)[1:-1]),
                np.quantile(dissimilar_N, 1 - np.geomspace(1e-4, 1, 22)),
                [-ACCEPTED],
            ]
        )
    )
    held, naively_held = np.zeros(len(FIGURES)), 0
    for number in range(repetitions):
        intervals, (low, high) = experiment(np.random.default_rng([classes, number]), classes, edges)
        held += [low <= true <= high for (low, high), true in zip(intervals, truth, strict=True)]
        naively_held += low <= truth[0] <= high
    return dict(zip(FIGURES, held / repetitions, strict=True)), naively_held / repetitions


@pytest.mark.parametrize("figure", FIGURES)
def test_intervals_by_resampling_characters_hold_the_truth_in_95_of_100_experiments(character_coverage, figure):
    assert 0.90 < character_coverage[0][figure] < 0.98


def test_an_interval_that_takes_pairs_for_independent_holds_the_truth_far_less_often(character_coverage):
    """Pairs share images and characters: that is why characters are resampled, not pairs."""
    assert character_coverage[1] < 0.75


def alphabet_coverage(repetitions):
    """How often the intervals by resampling alphabets hold the truth, by figure.

    Scores are normal within an alphabet, and so are the means of alphabets. So the scores of all alphabets there could
    be are normal too, and the truth follows from the normal distribution.
    """
    random = np.random.default_rng(0)
    edges = np.linspace(-4, 7, 133)
    cut = APART / 2
    first = int(np.searchsorted(edges, cut)) + 1
    sd_similar, sd_dissimilar = math.hypot(1, OF_SIMILAR), math.hypot(1, OF_DISSIMILAR)
    tails = stats.norm.cdf(cut / sd_similar), stats.norm.cdf(cut / sd_dissimilar)
    truth = (
        sum(tails) / 2,
        stats.norm.cdf(APART / math.hypot(sd_similar, sd_dissimilar)),
        stats.norm.cdf(-APART / (sd_similar + sd_dissimilar)),
    )
    held = np.zeros(len(FIGURES))
    for number in range(repetitions):
        characters_A = random.integers(20, 48, ALPHABETS)
        counted = []
        for pairs_A, mean, differing in (
            (characters_A * 190, APART, OF_SIMILAR),
            (characters_A * (characters_A - 1) * 200, 0, OF_DISSIMILAR),
        ):
            below_AE = stats.norm.cdf(edges - random.normal(mean, differing, (ALPHABETS, 1)))
            chance_AK = np.diff(below_AE, axis=1, prepend=0, append=1)
            counted.append(random.multinomial(pairs_A, chance_AK))
        value = figures_of(*(count_AK.sum(0) for count_AK in counted), first)
        replicates = [group_replicates(count_AK, number, REPLICATES) for count_AK in counted]
        intervals = intervals_of(replicates, value, value, first, ALPHABETS)
        held += [low <= true <= high for (low, high), true in zip(intervals, truth, strict=True)]
    return held / repetitions


@pytest.mark.parametrize("repetitions", [300, pytest.param(3_000, marks=pytest.mark.slow)])
def test_intervals_by_resampling_20_alphabets_hold_the_truth_in_95_of_100_experiments(repetitions):
    for covered in alphabet_coverage(repetitions):
        assert 0.90 < covered < 0.98
