"""Curves and figures against scikit-learn, brute force and scorers whose figures are known by algebra."""

from collections import Counter

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn import metrics as reference

from omnitwin.metrics.roc import (
    FARS,
    auc,
    average_precision,
    balanced_accuracy,
    count_scores,
    curve_figures,
    equal_error_rate,
    roc_curve,
    tar_at_far,
)

FAR_GRID = (0.0, 1e-4, 1e-3, 0.01, 0.0137, 0.1, 0.2, 0.25, 0.5, 0.77, 1.0)
NO_SHARE_OF_A_FEW = (0.0137, 0.123, 0.456)  # no FAR of up to 400 dissimilar pairs, so roundings cannot move a figure
TAR_NAMES = [f"tar_at_far_1e-{power}" for power in (2, 3, 4)]
FEW_AND_MANY = [(1, 1), (3, 5), (10, 1000)]  # similar and dissimilar pairs


def random_scores(seed):
    """Scores of a few to some 40 levels, so with many ties, and answers: from balanced to 1 in 400."""
    random = np.random.default_rng(seed)
    similar, dissimilar = int(random.choice([1, 2, 10, 60])), int(random.choice([1, 5, 60, 400]))
    similar_N = np.arange(similar + dissimilar) < similar
    scores_N = random.normal(size=len(similar_N)) + random.choice([-0.5, 0, 1, 3]) * similar_N
    levels = random.choice([2, 5, 40])
    return np.round((scores_N + 4) / 10 * levels) / levels, similar_N


SCORE_SETS = [random_scores(seed) for seed in range(150)]
COUNT_SETS = [count_scores(*scored)[1:] for scored in SCORE_SETS]


def reference_curve(scores_N, similar_N):
    far_T, tar_T, _ = reference.roc_curve(similar_N, scores_N, drop_intermediate=False)
    return far_T, tar_T


def curve_of(scores_N, similar_N):
    return roc_curve(*count_scores(scores_N, similar_N)[1:])


def figures_of(scores_N, similar_N):
    return curve_figures(*count_scores(scores_N, similar_N)[1:])


def answers(similar, dissimilar):
    return np.arange(similar + dissimilar) < similar


def counts(*bins):
    return tuple(np.array(count_B, dtype=np.float64) for count_B in bins)


def with_empty_bins(count_B):
    """The same counts with two bins of nothing before all others and one after each."""
    return np.concatenate([[0, 0], np.stack([count_B, count_B * 0], axis=1).ravel()])


def test_the_score_sets_hold_ties_within_and_between_the_kinds_and_every_balance():
    shares = [similar_N.mean() for _, similar_N in SCORE_SETS]
    assert min(shares) < 0.01
    assert max(shares) > 0.9
    assert np.mean([min(similar_B.max(), dissimilar_B.max()) > 1 for similar_B, dissimilar_B in COUNT_SETS]) > 0.4
    assert 0.5 < np.mean([np.any(similar_B * dissimilar_B > 0) for similar_B, dissimilar_B in COUNT_SETS]) < 1


def test_scores_are_counted_by_value():
    for scores_N, similar_N in SCORE_SETS:
        values_B, similar_B, dissimilar_B = count_scores(scores_N, similar_N)
        assert values_B.tolist() == sorted(set(scores_N.tolist()))
        for kind, count_B in ((True, similar_B), (False, dissimilar_B)):
            counter = Counter(scores_N[similar_N == kind].tolist())
            assert count_B.tolist() == [counter[value] for value in values_B.tolist()]


def test_the_curve_is_that_of_scikit_learn():
    for scored in SCORE_SETS:
        np.testing.assert_allclose(curve_of(*scored), reference_curve(*scored), atol=1e-12)


def test_the_area_is_that_of_scikit_learn():
    for scores_N, similar_N in SCORE_SETS:
        assert auc(*curve_of(scores_N, similar_N)) == pytest.approx(reference.roc_auc_score(similar_N, scores_N))


def test_the_area_is_the_chance_that_a_similar_pair_scores_above_a_dissimilar_one_a_tie_being_half():
    for scores_N, similar_N in SCORE_SETS:
        ahead = scores_N[similar_N][:, None] - scores_N[~similar_N]
        assert auc(*curve_of(scores_N, similar_N)) == pytest.approx(((ahead > 0) + (ahead == 0) / 2).mean())


def test_average_precision_is_that_of_scikit_learn():
    for (scores_N, similar_N), counted in zip(SCORE_SETS, COUNT_SETS, strict=True):
        expected = reference.average_precision_score(similar_N, scores_N)
        assert average_precision(*counted) == pytest.approx(expected)


def test_tar_at_far_lies_on_the_straight_lines_of_scikit_learns_curve():
    for scored in SCORE_SETS:
        far_T, tar_T = reference_curve(*scored)
        for far in FAR_GRID:
            reached = tar_T[far_T <= far].max()  # the best of the thresholds that share a FAR
            expected = max(reached, np.interp(far, far_T, tar_T))
            assert tar_at_far(*curve_of(*scored), far) == pytest.approx(expected)


def test_the_equal_error_rate_is_where_scikit_learns_curve_crosses_the_line_of_equal_errors():
    for scored in SCORE_SETS:
        far_T, tar_T = reference_curve(*scored)
        steps_T = np.arange(len(far_T))

        def gap(at, steps_T=steps_T, far_T=far_T, tar_T=tar_T):
            return np.interp(at, steps_T, far_T) - (1 - np.interp(at, steps_T, tar_T))

        expected = np.interp(brentq(gap, 0, steps_T[-1], xtol=1e-13), steps_T, far_T)
        assert equal_error_rate(*curve_of(*scored)) == pytest.approx(expected, abs=1e-9)


def test_scores_turned_round_turn_the_area_and_the_equal_error_rate_round():
    for scores_N, similar_N in SCORE_SETS:
        figures, turned = figures_of(scores_N, similar_N), figures_of(-scores_N, similar_N)
        assert turned["auc"] == pytest.approx(1 - figures["auc"])
        assert turned["eer"] == pytest.approx(1 - figures["eer"])


@pytest.mark.parametrize(("similar", "dissimilar"), FEW_AND_MANY)
def test_a_scorer_that_says_the_same_of_every_pair_tosses_a_coin(similar, dissimilar):
    scored = np.full(similar + dissimilar, 0.7), answers(similar, dissimilar)
    figures = figures_of(*scored)
    assert figures["auc"] == pytest.approx(0.5)
    assert figures["eer"] == pytest.approx(0.5)
    assert [figures[name] for name in TAR_NAMES] == pytest.approx([0.01, 0.001, 0.0001])
    assert figures["average_precision"] == pytest.approx(similar / (similar + dissimilar))
    assert [tar_at_far(*curve_of(*scored), far) for far in FAR_GRID] == pytest.approx(FAR_GRID)


@pytest.mark.parametrize("spread", [0.0, 0.5], ids=["two-scores", "distinct-scores"])
@pytest.mark.parametrize(("similar", "dissimilar"), FEW_AND_MANY)
def test_an_oracle_makes_no_error(similar, dissimilar, spread):
    similar_N = answers(similar, dissimilar)
    figures = figures_of(similar_N + np.linspace(0, spread, len(similar_N)), similar_N)
    assert (figures["auc"], figures["eer"], figures["average_precision"]) == (1.0, 0.0, 1.0)
    assert [figures[name] for name in TAR_NAMES] == [1.0] * 3


@pytest.mark.parametrize("spread", [0.0, 0.5], ids=["two-scores", "distinct-scores"])
@pytest.mark.parametrize(("similar", "dissimilar"), FEW_AND_MANY)
def test_an_oracle_turned_round_makes_every_error(similar, dissimilar, spread):
    similar_N = answers(similar, dissimilar)
    figures = figures_of(np.linspace(0, spread, len(similar_N)) - similar_N, similar_N)
    assert (figures["auc"], figures["eer"]) == (0.0, 1.0)
    assert [figures[name] for name in TAR_NAMES] == [0.0] * 3


def test_at_a_far_that_several_thresholds_share_tar_is_the_best_of_them():
    curve = roc_curve(*counts([0, 2, 0, 3, 5], [97, 0, 2, 0, 1]))  # in full FAR 0, .01, .01, .03, .03, 1
    assert tar_at_far(*curve, 0.01) == 0.8
    assert tar_at_far(*curve, 0.03) == 1.0


def test_tar_at_far_0_is_the_share_of_similar_pairs_above_every_dissimilar_one():
    assert tar_at_far(*roc_curve(*counts([5, 2, 3], [2, 1, 0])), 0.0) == 0.3


def test_bins_without_pairs_change_no_figure():
    for similar_B, dissimilar_B in COUNT_SETS:
        emptier = with_empty_bins(similar_B), with_empty_bins(dissimilar_B)
        assert curve_figures(*emptier) == pytest.approx(curve_figures(similar_B, dissimilar_B))
        for far in FAR_GRID:
            expected = tar_at_far(*roc_curve(similar_B, dissimilar_B), far)
            assert tar_at_far(*roc_curve(*emptier), far) == pytest.approx(expected)
        for first in range(len(similar_B) + 1):
            expected = balanced_accuracy(similar_B, dissimilar_B, first)
            assert balanced_accuracy(*emptier, 2 + 2 * first) == pytest.approx(expected)


def test_the_scale_of_the_weights_of_either_kind_changes_no_figure_but_average_precision():
    for similar_B, dissimilar_B in COUNT_SETS:
        scaled_counts = similar_B * 0.37, dissimilar_B * 1234.5
        curve, scaled = roc_curve(similar_B, dissimilar_B), roc_curve(*scaled_counts)
        assert auc(*scaled) == pytest.approx(auc(*curve))
        assert equal_error_rate(*scaled) == pytest.approx(equal_error_rate(*curve))
        for far in NO_SHARE_OF_A_FEW:
            assert tar_at_far(*scaled, far) == pytest.approx(tar_at_far(*curve, far))
        for first in range(len(similar_B) + 1):
            expected = balanced_accuracy(similar_B, dissimilar_B, first)
            assert balanced_accuracy(*scaled_counts, first) == pytest.approx(expected)


def test_the_scale_of_all_weights_does_not_change_average_precision():
    for similar_B, dissimilar_B in COUNT_SETS:
        expected = average_precision(similar_B, dissimilar_B)
        assert average_precision(similar_B * 0.37, dissimilar_B * 0.37) == pytest.approx(expected)


def test_balanced_accuracy_is_the_mean_of_both_shares_at_every_cut():
    for scores_N, similar_N in SCORE_SETS:
        values_B, *counted = count_scores(scores_N, similar_N)
        for first, threshold in enumerate([*values_B, np.inf]):
            accepted_N = scores_N >= threshold
            expected = (accepted_N[similar_N].mean() + (~accepted_N[~similar_N]).mean()) / 2
            assert balanced_accuracy(*counted, first) == pytest.approx(expected)


def test_each_figure_is_told_by_its_name():
    assert FARS == (0.01, 0.001, 0.0001)
    for counted in COUNT_SETS:
        curve = roc_curve(*counted)
        assert curve_figures(*counted) == {
            "auc": auc(*curve),
            "eer": equal_error_rate(*curve),
            "tar_at_far_1e-2": tar_at_far(*curve, 0.01),
            "tar_at_far_1e-3": tar_at_far(*curve, 0.001),
            "tar_at_far_1e-4": tar_at_far(*curve, 0.0001),
            "average_precision": average_precision(*counted),
        }
