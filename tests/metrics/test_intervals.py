"""Intervals against the equations that define them, scipy's quantiles, and experiments whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from omnitwin.metrics.intervals import (
    bootstrap_interval,
    clustered_wilson_interval,
    student_975,
    unanimous_interval,
    wilson_interval,
)

EVENLY = np.linspace(0, 1, 100_001)  # replicates of which the quantile at any level is the level itself


def random_clusters(seed):
    """Right ones and trials of a few clusters of unequal size, neither all right nor all wrong."""
    random = np.random.default_rng(seed)
    n_G = random.integers(1, 30, random.integers(2, 25)).astype(np.float64)
    right_G = random.binomial(n_G.astype(int), random.beta(2, 1, len(n_G))).astype(np.float64)
    right_G[0], n_G[0], right_G[1], n_G[1] = 1, 2, 1, 2
    return right_G, n_G


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


@pytest.mark.parametrize("freedom", [1, 2])
def test_the_quantile_of_student_is_exact_for_one_and_two_degrees_of_freedom(freedom):
    assert student_975(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-12)


def test_the_quantile_of_student_is_that_of_scipy_to_a_thousandth():
    for freedom in range(3, 201):
        assert student_975(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_the_clustered_interval_ends_t_standard_errors_from_the_share(seed):
    """The trials are worth p (1 - p) / v, v being the variance of a ratio of sums (Korn and Graubard 1998)."""
    right_G, n_G = random_clusters(seed)
    groups, n, share = len(n_G), sum(n_G), sum(right_G) / sum(n_G)
    squares = sum((right - share * trials) ** 2 for right, trials in zip(right_G, n_G, strict=True))
    variance = squares / n**2 * groups / (groups - 1)
    worth = min(n, share * (1 - share) / variance)
    t = stats.t.ppf(0.975, groups - 1)
    for p in clustered_wilson_interval(right_G, n_G):
        assert abs(share - p) == pytest.approx(t * math.sqrt(p * (1 - p) / worth), rel=2e-3)


@pytest.mark.parametrize(("right", "n"), [(1, 2), (1, 10), (9, 10), (160, 200)])
def test_clusters_of_one_trial_each_give_wilsons_interval_of_n_less_one_trials_with_students_quantile(right, n):
    """Then v = n / (n - 1) * n p (1 - p) / n^2 = p (1 - p) / (n - 1): the trials are worth n - 1."""
    single_G = np.array([1.0] * right + [0.0] * (n - right))
    expected = wilson_interval(right * (n - 1) / n, n - 1, stats.t.ppf(0.975, n - 1))
    assert clustered_wilson_interval(single_G, np.ones(n)) == pytest.approx(expected, rel=1e-3)


def test_many_clusters_of_one_trial_each_count_as_independent_trials():
    single_G = np.array([1.0] * 9_000 + [0.0] * 1_000)
    expected = wilson_interval(9_000, 10_000)
    assert clustered_wilson_interval(single_G, np.ones(10_000)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("trials", [2, 20])
def test_clusters_whose_trials_all_agree_count_as_one_trial_each(trials):
    agreeing_G = np.array([1.0] * 14 + [0.0] * 6)
    many = clustered_wilson_interval(agreeing_G * trials, np.full(20, float(trials)))
    assert many == pytest.approx(clustered_wilson_interval(agreeing_G, np.ones(20)))
    alone = wilson_interval(14 * trials, 20 * trials)
    assert many[0] < alone[0]
    assert alone[1] < many[1]


@pytest.mark.parametrize("right_G", [[8, 8, 8, 8, 8], [8, 8, 9, 8, 7]])
def test_clusters_more_alike_than_chance_would_have_them_count_no_more_trials_than_there_are(right_G):
    expected = wilson_interval(40, 50, stats.t.ppf(0.975, 4))
    assert clustered_wilson_interval(np.array(right_G, dtype=float), np.full(5, 10.0)) == pytest.approx(
        expected, rel=1e-3
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_clustered_interval_contains_that_of_as_many_independent_trials(seed):
    right_G, n_G = random_clusters(seed)
    low, high = clustered_wilson_interval(right_G, n_G)
    inner_low, inner_high = wilson_interval(right_G.sum(), n_G.sum())
    assert 0 <= low < inner_low < inner_high < high <= 1


@pytest.mark.parametrize("share", [0, 1])
def test_clusters_all_wrong_or_all_right_count_as_independent_trials(share):
    n_G = np.array([4.0, 7.0, 9.0])
    assert clustered_wilson_interval(n_G * share, n_G) == wilson_interval(20 * share, 20)


def test_a_single_cluster_counts_as_independent_trials():
    assert clustered_wilson_interval(np.array([15.0]), np.array([20.0])) == wilson_interval(15, 20)


@pytest.mark.parametrize("groups", [3, 5, 20, 200])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_every_replicate_is_0_or_1_the_interval_is_wilsons_with_a_trial_for_each_group(value, groups):
    """Wilson's equation |x - p| = z sqrt(p (1 - p) / n) at x = 0 gives p = z^2 / (n + z^2); at 1 its mirror image."""
    farthest = 1.959964**2 / (groups + 1.959964**2)
    expected = (0.0, farthest) if value == 0 else (1 - farthest, 1.0)
    assert bootstrap_interval(np.full(1000, value), value, value, groups) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("groups", [0, 1, 2])
def test_of_fewer_than_three_groups_a_bootstrap_says_nothing(groups):
    """Of two classes every replicate that has dissimilar pairs has the same ones."""
    assert bootstrap_interval(np.full(1000, 0.5), 0.5, 0.5, groups) == (0.0, 1.0)


@pytest.mark.parametrize("groups", [20, 100, 1000])
def test_the_interval_of_groups_that_all_agree_holds_what_the_rule_of_three_allows(groups):
    """Hanley and Lippman-Hand 1983: none of n wrong, and the share may be 3 / n (95 % on one side: 3.84 on both)."""
    assert 3 / groups <= unanimous_interval(0.0, groups)[1] / (1 - unanimous_interval(0.0, groups)[1]) <= 4 / groups


def test_a_bootstrap_that_is_wider_at_0_or_1_stays_as_wide():
    """The value of the whole comes from finer bins than the replicates, which may still differ."""
    wide = bootstrap_interval(np.linspace(0, 0.9, 1001), 0.0, 0.0, 50)
    assert wide[0] == 0.0
    assert wide[1] > 0.8 > unanimous_interval(0.0, 50)[1]


@pytest.mark.parametrize("value", [1e-6, 0.5, 1 - 1e-6])
def test_between_0_and_1_the_interval_is_the_bootstraps_alone(value):
    assert bootstrap_interval(np.full(1000, value), value, value, 10) == pytest.approx((value, value), abs=1e-12)


def test_clusters_without_trials_change_nothing():
    with_empty = clustered_wilson_interval(np.array([3.0, 0, 5, 9, 0]), np.array([5.0, 0, 9, 9, 0]))
    assert with_empty == clustered_wilson_interval(np.array([3.0, 5, 9]), np.array([5.0, 9, 9]))


@pytest.mark.parametrize("groups", [2, 3, 4, 5, 10, 20, 50, 1000])
def test_percentiles_widen_for_few_groups_as_hesterbergs_formula_says(groups):
    """Each side leaves out cdf(-sqrt(n / (n - 1)) t) of the replicates (Hesterberg 2015, sec. 4.3)."""
    outside = stats.norm.cdf(-math.sqrt(groups / (groups - 1)) * stats.t.ppf(0.975, groups - 1))
    assert outside < 0.025
    expected = (outside, 1 - outside)
    assert bootstrap_interval(EVENLY, 0.5, 0.5, groups) == pytest.approx(expected, abs=1e-5)


def test_percentiles_of_very_many_groups_leave_out_5_in_100():
    assert bootstrap_interval(EVENLY, 0.5, 0.5, 1_000_000) == pytest.approx((0.025, 0.975), abs=1e-5)


def test_replicates_of_a_coarser_value_are_shifted_to_the_value():
    replicates_R = 0.4 + 0.2 * EVENLY
    low, high = bootstrap_interval(replicates_R, 0.5, 0.5, 30)
    assert bootstrap_interval(replicates_R, 0.53, 0.51, 30) == pytest.approx((low + 0.02, high + 0.02))
    assert bootstrap_interval(replicates_R, 0.51, 0.53, 30) == pytest.approx((low - 0.02, high - 0.02))


def test_a_shifted_interval_stays_within_0_and_1():
    assert bootstrap_interval(EVENLY, 0.9, 0.5, 30)[1] == 1.0
    assert bootstrap_interval(EVENLY, 0.1, 0.5, 30)[0] == 0.0


def test_replicates_of_one_group_say_nothing():
    assert bootstrap_interval(0.4 + 0.2 * EVENLY, 0.5, 0.5, 1) == (0.0, 1.0)


def coverage_with_cluster_effects(sizes_G, share, likeness, repetitions):
    """How often the clustered interval and the plain one hold the true share.

    Each cluster has a share of its own, drawn from the beta distribution that makes two trials of one cluster
    correlate by `likeness`.
    """
    random = np.random.default_rng(len(sizes_G))
    strength = 1 / likeness - 1
    shape = (repetitions, len(sizes_G))
    right_RG = random.binomial(sizes_G, random.beta(share * strength, (1 - share) * strength, shape)).astype(float)
    n_G = np.array(sizes_G, dtype=float)
    clustered = [clustered_wilson_interval(right_G, n_G) for right_G in right_RG]
    plain = [wilson_interval(right_G.sum(), n_G.sum()) for right_G in right_RG]
    return tuple(np.mean([low <= share <= high for low, high in intervals]) for intervals in (clustered, plain))


@pytest.mark.parametrize("repetitions", [4_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "sizes_G",
    [[20] * 20, [40] * 10, [10] * 5 + [30] * 15],
    ids=["20-official-runs", "10-alphabets", "20-of-unequal-size"],
)
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_the_clustered_interval_holds_the_true_share_in_95_of_100_experiments_and_the_plain_one_does_not(
    sizes_G, share, repetitions
):
    clustered, plain = coverage_with_cluster_effects(sizes_G, share, 0.15, repetitions)
    assert 0.90 < clustered < 0.98
    assert plain < 0.85


@pytest.mark.parametrize("groups", [2, 3])
def test_the_interval_of_a_mean_of_few_groups_is_at_least_students(groups):
    """The replicates of a mean of G values are means of G draws; Student's interval of it is in every textbook."""
    random = np.random.default_rng(groups)
    value_G = random.uniform(0.45, 0.55, groups)
    replicates_R = value_G[random.integers(groups, size=(20_000, groups))].mean(1)
    low, high = bootstrap_interval(replicates_R, value_G.mean(), value_G.mean(), groups)
    half = stats.t.ppf(0.975, groups - 1) * value_G.std(ddof=1) / math.sqrt(groups)
    assert low <= max(0, value_G.mean() - 0.98 * half)
    assert high >= min(1, value_G.mean() + 0.98 * half)
