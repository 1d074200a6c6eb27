"""Each exam is fair: who knows nothing scores chance, who knows all is perfect, and every figure is that of two loops.

S similar, D dissimilar pairs
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sitters import (
    Sitter,
    constant,
    dyadic_network,
    noise,
    oracle,
    same_picture,
    sit,
    taken,
    uneven_set,
    vague,
    verifier_of,
)
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from omnitwin.config import EvalConfig
from omnitwin.data import synthetic
from omnitwin.data.official import OfficialRuns
from omnitwin.exams.all_pairs import all_pairs
from omnitwin.exams.catalogue import EXAMS as CATALOGUE
from omnitwin.exams.exam import Sitting
from omnitwin.exams.scorer import Scorer
from omnitwin.exams.tally import MOST_COARSE
from omnitwin.metrics.intervals import wilson_interval
from omnitwin.recipes import SMALL
from omnitwin.training.trainer import build_network

ALPHABETS, CHARACTERS, DRAWERS = 3, 5, 6
S = ALPHABETS * CHARACTERS * DRAWERS * (DRAWERS - 1) // 2  # 225 similar pairs
D_WITHIN = ALPHABETS * math.comb(CHARACTERS, 2) * DRAWERS**2  # 1,080 dissimilar ones within an alphabet
D = math.comb(ALPHABETS * CHARACTERS, 2) * DRAWERS**2  # 3,780 in all
RUNS = 30  # of 5 trials, 5 ways
CONFIG = EvalConfig(batches=8, batch_size=500, way=4, episodes=1500)
EVENLY = 0.5  # threshold
SIGMAS = 5
EXAMS = ("pairs", "all-pairs", "same-group", "one-shot", "official")
CURVES = {"all-pairs": (S, D), "same-group": (S, D_WITHIN)}


@pytest.fixture(scope="module")
def packed():
    return synthetic.draw_set("test", alphabets=ALPHABETS, characters=CHARACTERS, drawers=DRAWERS, size=28)


def runs_by_hand():
    """Runs of all 5 characters of an alphabet, in an order of their own; supports by one drawer, queries by another."""
    generator = torch.Generator().manual_seed(5)
    queries, supports, answers = [], [], []
    for run in range(RUNS):
        first = run % ALPHABETS * CHARACTERS
        one, other = torch.randperm(DRAWERS, generator=generator)[:2]
        ways, asked = (first + torch.randperm(CHARACTERS, generator=generator) for _ in range(2))
        supports.append(ways * DRAWERS + one)
        queries.append(asked * DRAWERS + other)
        answers.append(torch.stack([(ways == character).nonzero()[0, 0] for character in asked]))
    return OfficialRuns(torch.stack(queries), torch.stack(supports), torch.stack(answers))


def take(exam, scorer, packed, config=CONFIG, threshold=EVENLY):
    scorer.verifier = replace(scorer.verifier, threshold=threshold)
    return taken(CATALOGUE[exam], scorer, packed, config, runs_by_hand() if exam == "official" else None)


def scorer_of(network, packed, threshold=EVENLY, rows_at_once=512, **fields):
    return Scorer(
        verifier=verifier_of(network, threshold=threshold, **fields), packed=packed, rows_at_once=rows_at_once
    )


def values(report):
    return {measure.name: measure.value for measure in report.measures}


@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0])
def test_a_constant_scorer_is_right_on_half_of_the_random_pairs(packed, value):
    report = take("pairs", sit(packed, constant(value)), packed)
    assert abs(report.measure("accuracy").value - 0.5) < SIGMAS * 0.5 / math.sqrt(report.n)


@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("exam", CURVES)
def test_a_constant_scorer_lies_on_the_diagonal(packed, exam, value):
    similar, dissimilar = CURVES[exam]
    found = values(take(exam, sit(packed, constant(value)), packed, threshold=0.3))
    share = similar / (similar + dissimilar)
    chance = {"balanced_accuracy": 0.5, "balanced_accuracy_at_0.5": 0.5, "auc": 0.5, "eer": 0.5}
    chance |= {"far": 0.0, "frr": 1.0} if value < 0 else {"far": 1.0, "frr": 0.0}
    chance |= {"tar_at_far_1e-2": 1e-2, "tar_at_far_1e-3": 1e-3, "tar_at_far_1e-4": 1e-4, "average_precision": share}
    assert found == pytest.approx(chance, abs=1e-12)


@pytest.mark.parametrize("shot", [1, 3])
def test_a_constant_scorer_never_wins_an_episode_as_a_tie_is_wrong(packed, shot):
    scorer = sit(packed, constant(0.3))
    assert values(take("one-shot", scorer, packed, replace(CONFIG, shot=shot))) == {"accuracy": 0.0}


def test_a_constant_scorer_never_wins_an_official_trial_as_a_tie_is_wrong(packed):
    assert values(take("official", sit(packed, constant(0.3)), packed)) == {"error": 1.0}


def test_a_tie_with_the_right_way_is_wrong_and_ties_among_wrong_ways_do_no_harm(packed):
    """Scores tell only whether the class number is the query's, or (tied) one of two."""
    tied = sit(packed, lambda left, right: (packed.class_N[left] // 2 == packed.class_N[right] // 2) * 1.0)
    report = take("official", tied, packed)
    runs = runs_by_hand()
    kinds = packed.class_N[runs.support_RW] // 2
    hits = (kinds[:, None] == packed.class_N[runs.query_RT][:, :, None] // 2).sum(2)
    assert report.measure("error").value == pytest.approx(float((hits > 1).double().mean()))
    assert 0 < report.measure("error").value < 1


def test_a_random_scorer_is_near_chance_in_every_exam(packed):
    for seed, exam in enumerate(EXAMS):
        report = take(exam, sit(packed, noise(seed)), packed)
        if exam in CURVES:
            similar, dissimilar = CURVES[exam]
            # of a mean of two shares, and of the Mann-Whitney statistic
            share, rank = (
                math.sqrt((1 / similar + 1 / dissimilar) / 16),
                math.sqrt((similar + dissimilar + 1) / (12 * similar * dissimilar)),
            )
            chance = {name: (0.5, share) for name in ("balanced_accuracy", "balanced_accuracy_at_0.5", "eer")}
            chance["auc"] = (0.5, rank)
            chance["tar_at_far_1e-2"] = (0.01, math.sqrt(0.01 * 0.99 * (1 / similar + 1 / dissimilar)))
        else:
            name, p = {"pairs": ("accuracy", 1 / 2), "one-shot": ("accuracy", 1 / 4), "official": ("error", 4 / 5)}[
                exam
            ]
            chance = {name: (p, math.sqrt(p * (1 - p) / report.n))}
        for name, (expected, error) in chance.items():
            assert abs(report.measure(name).value - expected) < SIGMAS * error, (exam, name)


@pytest.mark.parametrize("exam", EXAMS)
def test_an_oracle_is_perfect(packed, exam):
    report = take(exam, sit(packed, oracle(packed)), packed)
    for measure in report.measures:
        perfect = 0.0 if measure.name in ("error", "eer", "far", "frr") else 1.0
        assert measure.value == perfect, measure.name
        assert measure.interval[0] <= perfect <= measure.interval[1]
    assert report.hardest == ()


def test_all_pairs_tell_both_errors_at_the_networks_own_threshold(packed):
    report = take("all-pairs", sit(packed, vague(packed)), packed)
    far, frr = report.measure("far"), report.measure("frr")
    assert report.measure("balanced_accuracy").value == pytest.approx(1 - (far.value + frr.value) / 2)
    assert (far.n, frr.n) == (D, S)
    for measure in (far, frr):
        assert measure.value * measure.n == pytest.approx(round(measure.value * measure.n))  # a number of pairs
        assert "the threshold" in measure.label
        assert 0 <= measure.interval[0] < measure.value < measure.interval[1] <= 1


@pytest.mark.parametrize("shot", [1, 2])
def test_an_oracle_is_perfect_with_any_number_of_shots_from_any_alphabet(packed, shot):
    config = replace(CONFIG, way=15, shot=shot, scope="any", episodes=100)
    assert take("one-shot", sit(packed, oracle(packed)), packed, config).measure("accuracy").value == 1.0


def test_who_is_always_wrong_scores_nothing(packed):
    wrong = oracle(packed)
    for exam in EXAMS:
        for measure in take(exam, sit(packed, lambda left, right: -wrong(left, right)), packed).measures:
            expected = 1.0 if measure.name in ("error", "eer", "far", "frr") else 0.0
            if measure.name == "average_precision":  # all dissimilar pairs come first: S similar ones among S + D
                similar, dissimilar = CURVES[exam]
                expected = similar / (similar + dissimilar)
            assert measure.value == pytest.approx(expected), (exam, measure.name)


def test_who_knows_only_equal_pictures_scores_chance_on_pairs(packed):
    """No positive pair holds one image twice, so this gives nothing away."""
    report = take("pairs", sit(packed, same_picture), packed, replace(CONFIG, show=4000))
    assert not any(pair.predicted for pair in report.shown)
    assert report.measure("accuracy").value == sum(not pair.similar for pair in report.shown) / 4000
    assert abs(report.measure("accuracy").value - 0.5) < SIGMAS * 0.5 / math.sqrt(4000)


@pytest.mark.parametrize("exam", EXAMS[1:])
def test_who_knows_only_equal_pictures_does_as_a_constant_in_every_other_exam(packed, exam):
    """No exam asks about an image and itself."""
    found, expected = (values(take(exam, sit(packed, answer), packed)) for answer in (same_picture, constant(-1.0)))
    assert found == expected


def test_a_score_at_the_threshold_counts_as_similar(packed):
    report = take("pairs", sit(packed, constant(0.0)), packed, replace(CONFIG, show=100))
    assert all(pair.predicted and pair.score == 0.5 for pair in report.shown)


def test_a_probability_is_told_after_calibration(packed):
    scorer = sit(packed, constant(3.0), calibration={"temperature": 2.0, "bias": -2.0})
    report = take("pairs", scorer, packed, replace(CONFIG, show=10))
    assert [pair.score for pair in report.shown] == pytest.approx([1 / (1 + math.exp(0.5))] * 10)
    assert not any(pair.predicted for pair in report.shown)


@pytest.mark.parametrize("exam", EXAMS)
def test_every_figure_comes_with_what_it_was_counted_over_and_an_interval_around_it(packed, exam):
    report = take(exam, sit(packed, vague(packed)), packed)
    unit, n = {
        "pairs": ("pairs", 4000),
        "all-pairs": ("pairs", S + D),
        "same-group": ("pairs", S + D_WITHIN),
        "one-shot": ("episodes", 1500),
        "official": ("trials", RUNS * 5),
    }[exam]
    assert (report.unit, report.n) == (unit, n)
    similar = {"all-pairs": S, "same-group": S}.get(exam, 0)
    for measure in report.measures:
        assert measure.n == {"far": n - similar, "frr": similar}.get(measure.name, n)
        assert 0 <= measure.interval[0] <= measure.value <= measure.interval[1] <= 1
        assert measure.interval[0] < measure.interval[1]
        assert measure.method


@pytest.mark.parametrize(
    ("exam", "kind", "count"),
    [
        ("pairs", "batch", 8),
        ("all-pairs", "", 0),
        ("same-group", "alphabet", 3),
        ("one-shot", "alphabet", 3),
        ("official", "run", RUNS),
    ],
)
def test_the_groups_of_an_exam_add_up_to_it(packed, exam, kind, count):
    report = take(exam, sit(packed, vague(packed)), packed)
    assert (report.grouped_by, len(report.groups)) == (kind, count)
    if count:
        assert sum(group.measures[0].n for group in report.groups) == report.n
        whole = report.measure(report.groups[0].measures[0].name).value
        if exam != "same-group":  # shares add up; of alphabets of one size, so do balanced accuracies
            assert sum(group.measures[0].value * group.measures[0].n for group in report.groups) == pytest.approx(
                whole * report.n
            )
        else:
            assert sum(group.measures[0].value for group in report.groups) / count == pytest.approx(whole)


def test_official_groups_are_named_after_their_run_and_its_alphabet(packed):
    report = take("official", sit(packed, oracle(packed)), packed)
    assert [group.name for group in report.groups[:4]] == [
        "run 01, Synthetic 01",
        "run 02, Synthetic 02",
        "run 03, Synthetic 03",
        "run 04, Synthetic 01",
    ]


def test_an_official_error_is_the_share_of_trials_lost_run_by_run(packed):
    """Who knows one alphabet only loses all trials of the two others, where all ways tie."""
    knows = oracle(packed)
    mine = packed.group_C[packed.class_N] == 0
    scorer = sit(packed, lambda left, right: torch.where(mine[left] & mine[right], knows(left, right), 0.0))
    report = take("official", scorer, packed)
    assert report.measure("error").value == pytest.approx(2 / 3)
    assert [group.measures[0].value for group in report.groups] == [0.0, 1.0, 1.0] * 10


def test_several_shots_are_scored_by_their_mean(packed):
    """Scores add up to 1 over the shots of the right way and to less elsewhere, though single ones are higher there."""
    class_N, source_N = packed.class_N, packed.source_N

    def answer(left, right):
        own = class_N[left] == class_N[right]
        peak = (source_N[right] == 1) & ~own  # the first drawer's supports mislead: 2.5 once is less than 3 x 1
        return own * 1.0 + peak * 2.5

    report = take("one-shot", sit(packed, answer), packed, replace(CONFIG, shot=3))
    assert report.measure("accuracy").value == 1.0
    single = take("one-shot", sit(packed, answer), packed, replace(CONFIG, shot=1))
    # lost where the one support drawer is number 1: one time in 6
    assert abs(single.measure("accuracy").value - 5 / 6) < SIGMAS * math.sqrt(5 / 36 / 1500)


@pytest.mark.parametrize(
    ("scope", "way", "groups"),
    [("alphabet", 5, "3 alphabets"), ("any", 5, "15 characters"), ("any", 15, "15 characters")],
)
def test_trials_count_as_clustered_in_what_they_are_drawn_from(packed, scope, way, groups):
    report = take("one-shot", sit(packed, vague(packed)), packed, replace(CONFIG, scope=scope, way=way))
    assert report.measure("accuracy").method == f"Wilson, variance between {groups}"


def test_an_alphabets_episodes_hang_together_by_character_and_a_seeds_as_in_the_whole(packed):
    """Who knows every other character well, and nothing of the rest, is less sure of an alphabet than trials tell."""
    mine = packed.class_N % 2 == 0
    knows = oracle(packed)
    scorer = sit(packed, lambda left, right: torch.where(mine[left] & mine[right], knows(left, right), 0.0))
    for group in take("one-shot", scorer, packed).groups:
        (measure,) = group.measures
        naive = wilson_interval(round(measure.value * measure.n), measure.n)
        assert measure.method == "Wilson, variance between characters"
        assert measure.interval[1] - measure.interval[0] > 3 * (naive[1] - naive[0])
    seeds = take("one-shot", scorer, packed, replace(CONFIG, seeds=2)).groups
    assert {group.measures[0].method for group in seeds} == {"Wilson, variance between alphabets"}


def test_pairs_says_so_where_it_takes_a_calibrated_probability(packed):
    assert "calibrated" not in take("pairs", sit(packed, vague(packed)), packed).description
    calibrated = sit(packed, vague(packed), calibration={"temperature": 1.0, "bias": 100.0})
    report = take("pairs", calibrated, packed)
    assert "similar from a calibrated probability of 0.5 on" in report.description
    assert report.measure("accuracy").value == pytest.approx(0.5, abs=0.05)  # all called similar


def test_images_are_embedded_once_for_all_exams(packed):
    scorer = sit(packed, noise(1))
    for exam in (*EXAMS, *EXAMS):
        take(exam, scorer, packed)
    assert scorer.embedded == len(packed)
    assert sorted(scorer.model.embedded) == list(range(len(packed)))


def test_only_images_that_an_exam_asks_for_are_embedded(packed):
    scorer = sit(packed, noise(1))
    report = take("pairs", scorer, packed, replace(CONFIG, batches=1, batch_size=5, show=5))
    labels = {label for pair in report.shown for label in (pair.left_label, pair.right_label)}
    assert {packed.label(row) for row in scorer.model.embedded} == labels
    assert scorer.embedded == len(scorer.model.embedded) == len(labels)


# ---- the exams of all pairs against two loops ----

UNEVEN = ((1, 2, 3, 7), (4, 5, 10))  # images of the characters of two alphabets, 32 in all
SINGLES = ((1, 8, 1), (1, 1, 20))


def sigmoid(score):
    return 1 / (1 + np.exp(-score))


def two_loops(network, packed, rows):
    """Score and kind of each pair of rows, one by one."""
    embeddings = network.embed(packed.gather(torch.arange(len(packed))))
    scores, similar = [], []
    with torch.inference_mode():
        for place, left in enumerate(rows):
            for right in rows[place + 1 :]:
                scores.append(float(network.score(embeddings[left : left + 1], embeddings[right : right + 1])))
                similar.append(bool(packed.class_N[left] == packed.class_N[right]))
    return np.array(scores), np.array(similar, dtype=bool)


def crossing(far, tar):
    """Where FAR equals 1 - TAR on the straight lines between the points of a ROC."""
    gap = far - (1 - tar)
    place = np.argmax(gap >= 0)
    part = -gap[place - 1] / (gap[place] - gap[place - 1])
    return far[place - 1] + part * (far[place] - far[place - 1])


def figures(scores, similar, threshold=0.0):
    """Every figure of an exam, by counting, and by scikit-learn where there is a curve."""
    far, tar, _ = roc_curve(similar, scores, drop_intermediate=False)
    found = {
        name: ((scores[similar] >= at).mean() + (scores[~similar] < at).mean()) / 2
        for name, at in (("balanced_accuracy", threshold), ("balanced_accuracy_at_0.5", 0.0))
    }
    return found | {
        "far": (scores[~similar] >= threshold).mean(),
        "frr": (scores[similar] < threshold).mean(),
        "auc": roc_auc_score(similar, scores),
        "eer": crossing(far, tar),
        **{f"tar_at_far_{text}": np.interp(float(text), far, tar) for text in ("1e-2", "1e-3", "1e-4")},
        "average_precision": average_precision_score(similar, scores),
    }


def test_classes_of_one_image_count_in_dissimilar_pairs_within_an_alphabet_and_one_alone_in_none():
    packed = uneven_set(((1, 5, 1), (1,), (1, 1, 1), (4, 1)))
    network = dyadic_network(packed)
    parts = [two_loops(network, packed, rows_of(packed, alphabet)) for alphabet in range(4)]
    scores, similar = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    report = take("same-group", scorer_of(network, packed), packed, threshold=sigmoid(0.5))
    assert report.n == len(scores) == 21 + 0 + 3 + 10
    assert values(report) == pytest.approx(figures(scores, similar, 0.5), abs=1e-12)
    assert [group.name for group in report.groups] == ["Alphabet 1", "Alphabet 4"]
    assert "3 groups resampled" in report.measures[0].method


def test_an_interval_is_as_wide_as_the_number_of_classes_with_similar_pairs_deserves():
    """One class with similar pairs says nothing about others, however many classes make dissimilar ones."""
    packed = uneven_set(((4, *[1] * 12),))
    report = take("all-pairs", scorer_of(dyadic_network(packed), packed), packed)
    assert report.measure("eer").interval == (0.0, 1.0)


def rows_of(packed, alphabet):
    return (packed.group_C[packed.class_N] == alphabet).nonzero()[:, 0].tolist()


@pytest.mark.parametrize("block", [1, 13, 512])
@pytest.mark.parametrize("alphabets", [UNEVEN, ((8, 8), (8, 8)), SINGLES], ids=["uneven", "even", "singles"])
def test_all_pairs_have_the_figures_of_two_loops_to_the_last_pair(alphabets, block):
    packed = uneven_set(alphabets)
    network = dyadic_network(packed)
    scores, similar = two_loops(network, packed, range(32))
    at = np.sort(scores)[300]  # a score that at least one pair has
    report = take("all-pairs", scorer_of(network, packed, rows_at_once=block), packed, threshold=sigmoid(at))
    assert 0 in scores
    assert report.n == len(scores) == 32 * 31 // 2
    assert f" {similar.sum()} of them similar" in report.description
    assert values(report) == pytest.approx(figures(scores, similar, at), abs=1e-12)


def test_pairs_of_one_alphabet_have_the_figures_of_two_loops_each_and_together():
    packed = uneven_set(UNEVEN)
    network = dyadic_network(packed)
    parts = [two_loops(network, packed, rows_of(packed, alphabet)) for alphabet in (0, 1)]
    scores, similar = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    report = take("same-group", scorer_of(network, packed), packed, threshold=sigmoid(0.5))
    assert report.n == len(scores) == 13 * 12 // 2 + 19 * 18 // 2
    assert f" {similar.sum()} of them similar" in report.description
    assert values(report) == pytest.approx(figures(scores, similar, 0.5), abs=1e-12)
    assert [group.name for group in report.groups] == ["Alphabet 1", "Alphabet 2"]
    for group, part in zip(report.groups, parts, strict=True):
        wanted = figures(*part, 0.5)
        for measure in group.measures:
            assert measure.value == pytest.approx(wanted[measure.name], abs=1e-12)
            count = {"far": int((~part[1]).sum()), "frr": int(part[1].sum())}
            assert measure.n == count.get(measure.name, len(part[0]))


def test_an_alphabet_of_one_character_adds_its_similar_pairs_and_has_no_figures_of_its_own():
    packed = uneven_set(((3, 2), (6,), (5, 7, 9)))
    network = dyadic_network(packed)
    parts = [two_loops(network, packed, rows_of(packed, alphabet)) for alphabet in range(3)]
    scores, similar = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    report = take("same-group", scorer_of(network, packed), packed, threshold=sigmoid(0.5))
    assert [group.name for group in report.groups] == ["Alphabet 1", "Alphabet 3"]
    assert report.n == 10 + 15 + 210
    assert values(report) == pytest.approx(figures(scores, similar, 0.5), abs=1e-12)


def test_figures_of_a_network_differ_from_two_loops_by_no_more_than_the_width_of_a_bin(packed):
    """Scores moved by 1 in 1,024 towards (or from) the right answer bound the figures that bins of 1 in 2,048 give."""
    network = build_network(SMALL).eval()
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(3))
    scores, similar = two_loops(network, packed, range(len(packed)))
    order = np.sort(scores)
    gap = int(len(order) * 0.6) + np.argmax(np.diff(order[int(len(order) * 0.6) :][:200]))
    threshold = (order[gap] + order[gap + 1]) / 2  # far from every score, as rounding may not matter
    with torch.no_grad():
        network.head.bias -= threshold
    scores -= threshold
    report = take("all-pairs", scorer_of(network, packed), packed)
    found, step = values(report), np.abs(scores) / 1024 * np.where(similar, 1, -1)
    worst, best = figures(scores - step, similar), figures(scores + step, similar)
    assert (
        found["balanced_accuracy"] == found["balanced_accuracy_at_0.5"] == figures(scores, similar)["balanced_accuracy"]
    )
    for name in ("auc", "tar_at_far_1e-2", "tar_at_far_1e-3", "tar_at_far_1e-4"):
        assert worst[name] <= found[name] <= best[name], name
        assert best[name] - worst[name] < 0.01, name
    assert best["eer"] <= found["eer"] <= worst["eer"] < best["eer"] + 0.01
    assert found["average_precision"] == pytest.approx(figures(scores, similar)["average_precision"], abs=0.005)


def test_fewer_coarse_bins_move_no_figure(packed):
    sitting = Sitting(scorer=sit(packed, vague(packed), threshold=0.6), images=packed, config=CONFIG)
    reports = [all_pairs(sitting, most_coarse=cells) for cells in (MOST_COARSE, 15 * 15 * 4)]
    assert values(reports[0]) == values(reports[1])
    assert reports[0].measures != reports[1].measures  # intervals do move


@pytest.mark.parametrize("exam", CURVES)
def test_the_hardest_pairs_shown_are_the_surest_of_the_wrong_ones(packed, exam):
    answer = vague(packed)
    report = take(exam, sit(packed, answer), packed, threshold=0.6)
    limit = math.log(0.6 / 0.4)
    alphabet_N = packed.group_C[packed.class_N]
    lures, misses = [], []
    for left in range(90):
        for right in range(left + 1, 90):
            score, same = float(answer(left, right)), bool(packed.class_N[left] == packed.class_N[right])
            if exam == "all-pairs" or alphabet_N[left] == alphabet_N[right]:
                if same and score < limit:
                    misses.append((score, left, right))
                if not same and score >= limit:
                    lures.append((-score, left, right))
    wanted = [*sorted(lures)[:6], *sorted(misses)[:6]]
    assert [(pair.left_label, pair.right_label) for pair in report.hardest] == [
        (packed.label(left), packed.label(right)) for _, left, right in wanted
    ]
    assert [pair.similar for pair in report.hardest] == [False] * 6 + [True] * 6
    assert all(pair.predicted != pair.similar for pair in report.hardest)
    scores = np.array([-score for score, *_ in wanted[:6]] + [score for score, *_ in wanted[6:]])
    assert [pair.score for pair in report.hardest] == pytest.approx(sigmoid(scores), rel=1e-5)


def test_the_curve_rises_from_nothing_to_all_through_points_of_the_roc():
    packed = uneven_set(UNEVEN)
    network = dyadic_network(packed)
    scores, similar = two_loops(network, packed, range(32))
    curves = take("all-pairs", scorer_of(network, packed), packed, threshold=sigmoid(0.5)).curves
    points = list(zip(curves.far, curves.tar, strict=True))
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert points == sorted(points)
    wanted = np.stack(roc_curve(similar, scores, drop_intermediate=False)[:2], 1)
    assert all(np.abs(wanted - point).sum(1).min() < 1e-12 for point in points)


def test_score_histograms_hold_every_pair():
    packed = uneven_set(UNEVEN)
    network = dyadic_network(packed)
    scores, similar = two_loops(network, packed, range(32))
    curves = take("all-pairs", scorer_of(network, packed), packed, threshold=sigmoid(0.5)).curves
    assert sum(curves.similar) == pytest.approx(1)
    assert sum(curves.dissimilar) == pytest.approx(1)
    middles = (np.array(curves.edges[:-1]) + np.array(curves.edges[1:])) / 2
    width = curves.edges[1] - curves.edges[0]
    assert abs(middles @ np.array(curves.similar) - scores[similar].mean()) < width
    assert abs(middles @ np.array(curves.dissimilar) - scores[~similar].mean()) < width


def test_reliability_is_told_before_and_after_calibration_and_of_a_baseline_not_at_all():
    packed = uneven_set(UNEVEN)
    network = dyadic_network(packed)
    scores, similar = two_loops(network, packed, range(32))
    calibration = {"temperature": 0.25, "bias": -1.5}

    def brier(logits):
        p = sigmoid(logits)
        return ((1 - p[similar]) ** 2).mean() / 2 + (p[~similar] ** 2).mean() / 2

    scorer = scorer_of(network, packed, calibration=calibration)
    told = take("all-pairs", scorer, packed, threshold=sigmoid(0.5)).calibration
    assert (told.temperature, told.bias) == (0.25, -1.5)
    assert told.before.brier_score == pytest.approx(brier(scores), abs=1e-3)
    assert told.after.brier_score == pytest.approx(brier(4 * scores - 1.5), abs=1e-3)
    assert abs(told.before.brier_score - told.after.brier_score) > 0.01
    told = take("all-pairs", scorer_of(network, packed), packed, threshold=sigmoid(0.5)).calibration
    assert told.after is None
    assert told.before.brier_score == pytest.approx(brier(scores), abs=1e-3)
    assert sum(told.before.weight) == pytest.approx(1)
    baseline = scorer_of(network, packed, calibration=calibration, probabilistic=False)
    assert take("all-pairs", baseline, packed, threshold=sigmoid(0.5)).calibration is None


def test_the_figures_of_all_pairs_do_not_depend_on_the_seed_and_their_intervals_do(packed):
    one, other = (take("all-pairs", sit(packed, vague(packed)), packed, replace(CONFIG, seed=seed)) for seed in (1, 2))
    assert values(one) == values(other)
    assert one.measures != other.measures
    assert one.seeds == other.seeds == ()


def test_the_official_exam_lists_published_errors_from_the_papers(packed):
    """Lake et al. 2015, fig. 6: people 4.5 %, BPL 3.3 %, convnet 13.5 %, Siamese 8.0 %; Lake's demo 38.8 %."""
    published = {one.name: one.error for one in take("official", sit(packed, oracle(packed)), packed).published}
    assert published["humans"] == 0.045
    assert published["BPL"] == 0.033
    assert published["simple convnet"] == 0.135
    assert published["deep Siamese network"] == 0.08
    assert published["modified Hausdorff distance"] == 0.388


def test_a_sitter_takes_each_image_for_its_row(packed):
    """The fakes of these tests do what they say."""
    model = Sitter(packed, same_picture)
    rows = torch.tensor([3, 0, 89])
    assert model.embed(packed.gather(rows))[:, 0].tolist() == rows.tolist()


@pytest.mark.parametrize("block", [1, 13, 512])
@pytest.mark.parametrize("alphabets", [UNEVEN, SINGLES, ((1,) * 30, (2,))], ids=["uneven", "singles", "one pair"])
def test_the_errors_of_each_class_are_those_of_two_loops_worst_first(alphabets, block):
    packed = uneven_set(alphabets)
    network = dyadic_network(packed)
    scores, _ = two_loops(network, packed, range(32))
    at = float(np.median(scores))  # a score that some pair has: it is accepted
    found = take("all-pairs", scorer_of(network, packed, rows_at_once=block), packed, threshold=sigmoid(at))
    counts = {name: [0, 0, 0, 0] for name in packed.class_names}
    kinds = [packed.class_names[kind] for kind in packed.class_N.tolist()]
    pairs = ((left, right) for left in range(32) for right in range(left + 1, 32))
    for score, (left, right) in zip(scores, pairs, strict=True):
        if kinds[left] == kinds[right]:
            counts[kinds[left]][0] += 1
            counts[kinds[left]][1] += score < at
        else:
            for name in (kinds[left], kinds[right]):
                counts[name][2] += 1
                counts[name][3] += score >= at
    shares = {name: [wrong / n for n, wrong in (four[:2], four[2:]) if n] for name, four in counts.items()}
    errors = {name: sum(parts) / len(parts) for name, parts in shares.items()}
    order = sorted(errors, key=lambda name: (-errors[name], name))
    assert [each.name for each in found.worst] == order[:20]
    assert found.classes == len(order)
    for each in found.worst:
        assert [each.similar, each.rejected, each.dissimilar, each.accepted] == counts[each.name]
        assert each.error == pytest.approx(errors[each.name], abs=1e-12)


@pytest.mark.parametrize("exam", ["all-pairs", "same-group", "one-shot"])
def test_a_set_that_is_not_of_writing_has_classes_groups_and_sources(packed, exam):
    """Omniglot and the synthetic set have characters, alphabets and drawers."""
    words = ("alphabet", "character", "drawer")
    config = replace(CONFIG, episodes=20)
    own = take(exam, sit(packed, vague(packed)), replace(packed, name="stamps/test"), config)
    told = [own.exam, own.description, own.grouped_by, *(measure.method for measure in own.measures)]
    assert not [text for text in told if any(word in text for word in words)]
    written = take(exam, sit(packed, vague(packed)), packed, config)
    again = replace(written, grouped_by=own.grouped_by)
    for word, instead in zip(words, ("group", "classe", "source"), strict=True):
        again = replace(again, exam=again.exam.replace(word, instead))
        again = replace(again, description=again.description.replace(word, instead))
        again = replace(again, measures=_with_methods(again.measures, word, instead))
        again = replace(again, groups=tuple(_group_with(group, word, instead) for group in again.groups))
    assert replace(own, hardest=()) == replace(again, hardest=())


def _with_methods(measures, word, instead):
    return tuple(replace(measure, method=measure.method.replace(word, instead)) for measure in measures)


def _group_with(group, word, instead):
    return replace(group, measures=_with_methods(group.measures, word, instead))
