"""The exam of retrieval against two loops, and what a constant, an oracle and its opposite get."""

import math

import numpy as np
import pytest
import torch
from sitters import constant, oracle, same_picture, sit, taken, uneven_set, vague

from omnitwin.config import EvalConfig
from omnitwin.data import synthetic
from omnitwin.exams.catalogue import EXAMS
from omnitwin.exams.retrieval import _figures

NAMES = ("recall_at_1", "recall_at_5", "map_at_r")
SIGMAS = 5


@pytest.fixture(scope="module")
def packed():
    return synthetic.draw_set("test", alphabets=3, characters=5, drawers=6, size=28)


def take(packed, answer, rows_at_once=512, **config):
    scorer = sit(packed, answer)
    scorer.rows_at_once = rows_at_once
    return taken(EXAMS["retrieval"], scorer, packed, EvalConfig(**config))


def values(report):
    return tuple(report.measure(name).value for name in NAMES)


def by_loops(packed, answer):
    """R@1, R@5 and MAP@R by sorting all other images for each, dissimilar ones first among equals."""
    figures = []
    for query in range(len(packed)):
        others = [row for row in range(len(packed)) if row != query]
        left, right = torch.full((len(others),), query), torch.tensor(others)
        scores = answer(left, right).tolist()
        same = (packed.class_N[right] == packed.class_N[query]).tolist()
        wanted = sum(same)
        if not wanted:
            continue
        ranked = [hit for _, hit in sorted(zip(scores, same, strict=True), key=lambda pair: (-pair[0], pair[1]))]
        precisions = [sum(ranked[:k]) / k for k in range(1, wanted + 1) if ranked[k - 1]]
        figures.append((ranked[0], any(ranked[:5]), sum(precisions) / wanted))
    return tuple(np.mean(figures, axis=0))


@pytest.mark.parametrize("rows_at_once", [7, 512])
def test_every_figure_is_that_of_two_loops(packed, rows_at_once):
    report = take(packed, vague(packed), rows_at_once)
    assert values(report) == pytest.approx(by_loops(packed, vague(packed)))
    assert 0.05 < report.measure("map_at_r").value < 0.95


def test_classes_of_many_sizes_count_by_their_images_and_who_is_alone_asks_nothing():
    images = uneven_set(((1, 2, 3, 7), (4, 5, 10)))
    report = take(images, vague(images))
    assert values(report) == pytest.approx(by_loops(images, vague(images)))
    assert report.n == 31
    assert "1 images are alone in their class" in report.description


def test_ties_are_wrong_also_where_many_score_the_same(packed):
    coarse = oracle(packed)
    tied = lambda left, right: torch.where(packed.class_N[left] // 2 == packed.class_N[right] // 2, 1.0, -1.0)  # noqa: E731
    assert values(take(packed, tied)) == pytest.approx(by_loops(packed, tied))
    assert values(take(packed, tied)) != values(take(packed, coarse))


@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0])
def test_who_always_answers_the_same_finds_nothing(packed, value):
    assert values(take(packed, constant(value))) == (0.0, 0.0, 0.0)


def test_an_oracle_finds_everything_and_its_opposite_nothing(packed):
    right = oracle(packed)
    assert values(take(packed, right)) == (1.0, 1.0, 1.0)
    assert values(take(packed, lambda left, right_: -right(left, right_))) == (0.0, 0.0, 0.0)


def test_no_image_is_its_own_answer(packed):
    assert values(take(packed, same_picture)) == values(take(packed, constant(-1.0)))


def test_intervals_lie_around_their_figures_and_come_from_classes(packed):
    report = take(packed, vague(packed))
    for measure in report.measures:
        low, high = measure.interval
        assert low < measure.value < high
        assert measure.n == len(packed)
        assert "15 classes resampled" in measure.method


@pytest.mark.parametrize("answer", ["right", "wrong"])
def test_where_every_query_or_none_is_found_the_interval_is_wilsons_of_the_classes(packed, answer):
    """n of n classes: n / (n + z^2) to 1 (Wilson 1927). A bootstrap repeats the figure."""
    report = take(packed, oracle(packed) if answer == "right" else constant(0.0))
    least = 15 / (15 + 1.959964**2)
    for measure in report.measures:
        assert measure.interval == pytest.approx((least, 1.0) if answer == "right" else (0.0, 1 - least), abs=1e-6)
        assert "no narrower than Wilson's interval of 15 classes" in measure.method


def test_places_count_the_dissimilar_images_that_score_as_high():
    own, others = torch.tensor([[5.0, 3.0, 3.0]]), torch.tensor([[4.0, 3.0, 2.0, 1.0, 0.0]])
    first, fifth, average = _figures(own, others, torch.tensor([3])).flatten().tolist()
    assert (first, fifth) == (1.0, 1.0)
    assert average == pytest.approx((1 / 1) / 3)  # the second and third lie at places 4 and 5, beyond R = 3


def test_a_class_of_two_among_a_thousand_others_is_found_at_its_place():
    own, others = torch.tensor([[0.5]]), torch.linspace(1, 0, 1001)[None, :5]
    assert _figures(own, others, torch.tensor([1])).flatten().tolist() == [0.0, 0.0, 0.0]


def test_a_random_ranking_has_the_expected_precision(packed):
    """At place 1 the chance of a hit is 5 of the 89 other images."""
    generator = torch.Generator().manual_seed(3)
    table = torch.rand(len(packed), len(packed), generator=generator)
    report = take(packed, lambda left, right: table[left, right])
    chance = 5 / 89
    spread = math.sqrt(chance * (1 - chance) / len(packed))
    assert abs(report.measure("recall_at_1").value - chance) < SIGMAS * spread
