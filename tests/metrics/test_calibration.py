"""Calibration against simulations whose answer is known, algebra, a general optimiser and loops over pairs."""

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats
from sklearn.metrics import brier_score_loss

from omnitwin.metrics.calibration import (
    best_threshold,
    brier_score,
    calibrated,
    expected_calibration_error,
    fit_calibration,
    reliability,
    sigmoid,
)
from omnitwin.metrics.roc import count_scores

BINS = 15  # Guo et al. 2017
HUGE = np.finfo(np.float64).max


def counts(*bins):
    return tuple(np.array(count_B, dtype=np.float64) for count_B in bins)


def random_pairs(seed):
    """Probability and answer of each of up to a few hundred pairs, both kinds being there, and their counts."""
    random = np.random.default_rng(seed)
    similar, dissimilar = int(random.integers(1, 50)), int(random.integers(1, 300))
    similar_N = np.arange(similar + dissimilar) < similar
    logits_N = random.normal(size=len(similar_N)) + 2 * similar_N - 1
    probability_N = np.clip(np.round(special.expit(logits_N), 2), 0.005, 0.995)
    return probability_N, similar_N, count_scores(probability_N, similar_N)


def normal_means(temperature, bias, sd=2.0):
    """Means of similar and dissimilar logits, both normal of this sd, for which temperature and bias are right.

    At prior 1:1 the log odds of being similar are then (m1 - m0) / sd^2 * logit - (m1^2 - m0^2) / (2 sd^2).
    """
    gap = sd**2 / temperature
    middle = -bias * sd**2 / gap
    return middle + gap / 2, middle - gap / 2, sd


@pytest.mark.parametrize("dissimilar_to_one", [1, 100])
@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.0, -1.0), (0.5, 3.0)])
def test_temperature_and_bias_of_simulated_logits_are_found_at_any_balance_of_the_kinds(
    temperature, bias, dissimilar_to_one
):
    random = np.random.default_rng(0)
    of_similar, of_dissimilar, sd = normal_means(temperature, bias)
    similar_N = np.arange(10_000 * (1 + dissimilar_to_one)) < 10_000
    logits_N = random.normal(np.where(similar_N, of_similar, of_dissimilar), sd)
    found = fit_calibration(*count_scores(logits_N, similar_N))
    assert found["temperature"] == pytest.approx(temperature, rel=0.05)
    assert found["bias"] == pytest.approx(bias, abs=0.1)


@pytest.mark.parametrize("dissimilar", [1e9, 1e11])
@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.0, -1.0), (0.5, 3.0), (30.0, 0.2)])
def test_temperature_and_bias_of_endless_logits_are_found_to_a_thousandth(temperature, bias, dissimilar):
    """Counts by the normal density itself, so without chance."""
    of_similar, of_dissimilar, sd = normal_means(temperature, bias)
    logit_B = np.linspace(of_dissimilar - 8 * sd, of_similar + 8 * sd, 2_001)
    similar_B = stats.norm.pdf(logit_B, of_similar, sd) * 1e9
    found = fit_calibration(logit_B, similar_B, stats.norm.pdf(logit_B, of_dissimilar, sd) * dissimilar)
    assert found["temperature"] == pytest.approx(temperature, rel=1e-3)
    assert found["bias"] == pytest.approx(bias, abs=1e-3)


def fitted_by_an_optimiser(logit_B, similar_B, dissimilar_B):
    """Slope and bias of least cross-entropy at prior 1:1 with Platt's targets, by trying: no derivatives."""
    similar, dissimilar = similar_B.sum(), dissimilar_B.sum()
    middle, spread = logit_B.mean(), logit_B.std()

    def loss(parameters):
        margin_B = parameters[0] * (logit_B - middle) / spread + parameters[1]
        for_similar_B, for_dissimilar_B = np.logaddexp(0, -margin_B), np.logaddexp(0, margin_B)
        sure, unsure = (similar + 1) / (similar + 2), 1 / (dissimilar + 2)
        return (
            similar_B @ (sure * for_similar_B + (1 - sure) * for_dissimilar_B) / similar
            + dissimilar_B @ (unsure * for_similar_B + (1 - unsure) * for_dissimilar_B) / dissimilar
        )

    best = optimize.minimize(
        loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 5_000}
    ).x
    return best[0] / spread, best[1] - best[0] * middle / spread


@pytest.mark.parametrize("tails", ["normal", "heavy"])
@pytest.mark.parametrize("seed", range(10))
def test_the_fit_is_the_one_that_a_general_optimiser_finds(seed, tails):
    random = np.random.default_rng(seed)
    similar, dissimilar = int(random.integers(3, 60)), int(random.integers(3, 600))
    similar_N = np.arange(similar + dissimilar) < similar
    scale, place = 10 ** random.uniform(-1, 1), random.normal() * 5
    noise_N = random.standard_t(2 if tails == "heavy" else 1_000, len(similar_N))
    counted = count_scores((noise_N + 2 * similar_N + place) * scale, similar_N)
    slope, bias = fitted_by_an_optimiser(*counted)
    found = fit_calibration(*counted)
    assert 1 / found["temperature"] == pytest.approx(slope, rel=1e-4)
    assert found["bias"] == pytest.approx(bias, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("far", [3, 10, 20, 50])
def test_pairs_that_score_far_above_all_others_do_not_keep_the_fit_from_its_end(far):
    counted = counts([-1, 0, 1, far], [1, 2, 4, 1], [4, 2, 1, 1])
    slope, bias = fitted_by_an_optimiser(*counted)
    found = fit_calibration(*counted)
    assert 1 / found["temperature"] == pytest.approx(slope, rel=1e-4)
    assert found["bias"] == pytest.approx(bias, abs=1e-4)


@pytest.mark.parametrize(("similar", "dissimilar"), [(1, 1), (10, 10), (7, 1_000), (100_000, 10_000_000)])
@pytest.mark.parametrize(("low", "high"), [(-1, 1), (-60, 40), (3.0, 3.5), (-1e4, -9e3)])
def test_perfectly_separated_pairs_get_the_probabilities_of_platts_targets(low, high, similar, dissimilar):
    """Two scores and two parameters: the fit meets (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) exactly."""
    counted = counts([low, high], [0, similar], [dissimilar, 0])
    probability_B = special.expit(calibrated(counted[0], fit_calibration(*counted)))
    assert probability_B[0] == pytest.approx(1 / (dissimilar + 2), rel=1e-4)
    assert 1 - probability_B[1] == pytest.approx(1 / (similar + 2), rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_perfectly_separated_scores_get_a_finite_temperature_and_bias(seed):
    random = np.random.default_rng(seed)
    logits_N = np.concatenate([random.normal(40, 5, 20), random.normal(-40, 5, 500)])
    found = fit_calibration(*count_scores(logits_N, np.arange(520) < 20))
    assert 0 < found["temperature"] < np.inf
    assert np.isfinite(found["bias"])


@pytest.mark.parametrize("score", [0.0, 0.1, -7.3, 1e6])
@pytest.mark.parametrize("bins", [1, 3])
def test_a_scorer_that_says_the_same_of_every_pair_is_not_calibrated(score, bins):
    assert fit_calibration(np.full(bins, score), np.full(bins, 3.0), np.full(bins, 7.0)) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_scorer_that_puts_dissimilar_pairs_above_similar_ones_is_not_calibrated(seed):
    random = np.random.default_rng(seed)
    similar_N = np.arange(int(random.integers(100, 500))) < 50
    logits_N = (random.normal(size=len(similar_N)) - similar_N) * 10 ** random.uniform(-1, 1)
    assert fit_calibration(*count_scores(logits_N, similar_N)) is None


@pytest.mark.parametrize("far", [3, 10, 20, 50, 100, 1_000])
def test_a_scorer_turned_round_is_not_calibrated_though_some_pairs_score_far_above_all_others(far):
    assert fit_calibration(*counts([-1, 0, 1, far], [4, 1, 0, 0], [4, 0, 3, 5])) is None


@pytest.mark.parametrize(("temperature", "fits"), [(9e5, True), (1.1e6, False), (1.1e-6, True), (9e-7, False)])
def test_temperatures_above_a_million_and_below_a_millionth_are_beyond_measure(temperature, fits):
    """10 pairs of each kind with a score each: temperature is half the gap over the log odds of 11 to 1."""
    half_gap = temperature * np.log(11)
    found = fit_calibration(*counts([-half_gap, half_gap], [0, 10], [10, 0]))
    assert found == (pytest.approx({"temperature": temperature, "bias": 0}, rel=1e-4, abs=1e-6) if fits else None)


def test_scores_that_are_no_numbers_are_not_calibrated():
    assert fit_calibration(*counts([0, np.nan], [0, 3], [7, 0])) is None


def test_without_a_calibration_a_score_is_left_as_it_is():
    for score in (1.5, np.array([1.0, 2.0]), torch.tensor([1.0, 2.0])):
        assert calibrated(score, None) is score


def test_a_calibrated_score_is_divided_by_the_temperature_and_moved_by_the_bias():
    calibration = {"temperature": 4.0, "bias": -0.5}
    assert calibrated(6.0, calibration) == 1.0
    assert calibrated(np.array([6.0, 2.0]), calibration).tolist() == [1.0, 0.0]
    assert calibrated(torch.tensor([6.0, 2.0]), calibration).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("seed", range(50))
def test_no_threshold_has_a_higher_balanced_accuracy_than_the_best(seed):
    probability_N, similar_N, counted = random_pairs(seed)

    def accuracy(threshold):
        accepted_N = probability_N >= threshold
        return accepted_N[similar_N].mean() + (~accepted_N[~similar_N]).mean()

    highest = max(accuracy(threshold) for threshold in [*counted[0], np.inf])
    assert accuracy(best_threshold(*counted)) == pytest.approx(highest)


def test_the_best_threshold_lies_midway_between_two_scores():
    assert best_threshold(*counts([0.1, 0.3, 0.6, 0.9], [0, 1, 0, 9], [5, 4, 3, 0])) == pytest.approx(0.75)
    assert best_threshold(*counts([0.1, 0.3, 0.6, 0.9], [0, 9, 3, 1], [5, 0, 0, 0])) == pytest.approx(0.2)


def test_the_best_threshold_lies_within_0_and_1_where_nothing_or_all_is_best_accepted():
    for similar_B, dissimilar_B in (([5, 0], [0, 5]), ([0, 5], [5, 0]), ([1, 1], [1, 1])):
        for probability_B in ([0.0, 1.0], [0.0, 1e-300], [1 - 1e-16, 1.0]):
            threshold = best_threshold(*counts(probability_B, similar_B, dissimilar_B))
            assert np.isfinite(np.log(threshold / (1 - threshold)))


def test_rare_pairs_weigh_as_much_as_frequent_ones_in_the_best_threshold():
    """All 3 similar pairs against a third of the dissimilar ones: accepted, though these are a thousand."""
    assert best_threshold(*counts([0.2, 0.8], [0, 3], [2_000, 1_000])) == pytest.approx(0.5)


def bins_by_brute_force(probability_N, similar_N):
    """Mean probability, share of similar pairs and weight of each bin with pairs, pair by pair."""
    weight_N = np.where(similar_N, 0.5 / similar_N.sum(), 0.5 / (~similar_N).sum())
    bins = []
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        there = [
            (weight, probability, similar)
            for weight, probability, similar in zip(weight_N, probability_N, similar_N, strict=True)
            if low <= probability < high or (number == BINS - 1 and probability == 1)
        ]
        if there:
            total = sum(weight for weight, _, _ in there)
            mean = sum(weight * probability for weight, probability, _ in there) / total
            bins.append((mean, sum(weight for weight, _, similar in there if similar) / total, total))
    return bins


@pytest.mark.parametrize("seed", range(30))
def test_each_bin_of_the_reliability_curve_tells_its_mean_its_share_and_its_weight(seed):
    probability_N, similar_N, counted = random_pairs(seed)
    found = np.stack(reliability(*counted), axis=1)
    np.testing.assert_allclose(found, bins_by_brute_force(probability_N, similar_N), atol=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_the_expected_calibration_error_is_the_weighted_mean_gap_of_the_bins(seed):
    probability_N, similar_N, counted = random_pairs(seed)
    gaps = [abs(mean - share) * weight for mean, share, weight in bins_by_brute_force(probability_N, similar_N)]
    assert expected_calibration_error(*counted) == pytest.approx(sum(gaps))


@pytest.mark.parametrize("seed", range(30))
def test_the_brier_score_is_that_of_scikit_learn_with_both_kinds_of_one_weight(seed):
    probability_N, similar_N, counted = random_pairs(seed)
    weight_N = np.where(similar_N, 1 / similar_N.sum(), 1 / (~similar_N).sum())
    expected = brier_score_loss(similar_N, probability_N, sample_weight=weight_N)
    assert brier_score(*counted) == pytest.approx(expected)


def test_probabilities_of_0_and_1_fall_in_the_first_and_the_last_bin():
    mean, share, weight = reliability(*counts([0, 0.06, 0.94, 1], [1, 0, 3, 0], [2, 2, 0, 0]))
    assert mean == pytest.approx([0.06 * 0.25 / 0.625, 0.94])
    assert share == pytest.approx([0.125 / 0.625, 1])
    assert weight == pytest.approx([0.625, 0.375])
    assert reliability(*counts([0.94, 1], [3, 0], [0, 1]))[0] == pytest.approx([0.97])


def test_half_for_every_pair_has_no_calibration_error_and_a_brier_score_of_a_quarter():
    counted = counts([0.5], [3], [1_000])
    assert expected_calibration_error(*counted) == pytest.approx(0, abs=1e-12)
    assert brier_score(*counted) == pytest.approx(0.25)


def test_an_oracle_has_no_calibration_error_and_a_brier_score_of_0_and_turned_round_of_1():
    oracle, turned = counts([0, 1], [0, 3], [9, 0]), counts([0, 1], [3, 0], [0, 9])
    assert (expected_calibration_error(*oracle), brier_score(*oracle)) == (0.0, 0.0)
    assert (expected_calibration_error(*turned), brier_score(*turned)) == (1.0, 1.0)


@pytest.mark.parametrize("dissimilar_to_one", [1, 20])
def test_probabilities_that_come_true_have_a_small_calibration_error_and_exaggerated_ones_a_large_one(
    dissimilar_to_one,
):
    """Uniform probabilities p at prior 1:1: those of similar pairs have density 2 p, of dissimilar ones 2 (1 - p)."""
    random = np.random.default_rng(0)
    similar_N = np.arange(20_000 * (1 + dissimilar_to_one)) < 20_000
    root_N = np.sqrt(random.uniform(size=len(similar_N)))
    probability_N = np.where(similar_N, root_N, 1 - root_N)
    assert expected_calibration_error(*count_scores(probability_N, similar_N)) < 0.015
    exaggerated_N = sigmoid(3 * special.logit(np.clip(probability_N, 1e-12, 1 - 1e-12)))
    assert expected_calibration_error(*count_scores(exaggerated_N, similar_N)) > 0.1


def test_calibration_mends_logits_that_exaggerate():
    random = np.random.default_rng(0)
    similar_N = np.arange(60_000) < 10_000
    of_similar, of_dissimilar, sd = normal_means(4.0, 1.0)
    logit_B, *counted = count_scores(random.normal(np.where(similar_N, of_similar, of_dissimilar), sd), similar_N)
    mended_B = sigmoid(calibrated(logit_B, fit_calibration(logit_B, *counted)))
    assert expected_calibration_error(sigmoid(logit_B), *counted) > 0.1
    assert expected_calibration_error(mended_B, *counted) < 0.02
    assert brier_score(mended_B, *counted) < brier_score(sigmoid(logit_B), *counted)


def test_the_sigmoid_is_that_of_scipy():
    logit_B = np.linspace(-50, 50, 1_001)
    np.testing.assert_allclose(sigmoid(logit_B), special.expit(logit_B), atol=1e-15)


def test_the_sigmoid_of_any_logit_lies_within_0_and_1_without_overflow():
    """Warnings are errors in these tests."""
    assert sigmoid(np.array([-np.inf, -HUGE, -1e4, 0, 1e4, HUGE, np.inf])).tolist() == [0, 0, 0, 0.5, 1, 1, 1]
