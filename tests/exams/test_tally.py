"""Every pair is counted once, on the right side of every edge, however the work is cut into blocks."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from sitters import dyadic_network, uneven_set, verifier_of

from omnitwin.exams import tally
from omnitwin.exams.scorer import Scorer
from omnitwin.recipes import SMALL
from omnitwin.training.trainer import build_network

UNEVEN = ((1, 2, 3, 7), (4, 5, 10))  # images of the characters of two alphabets, 32 in all
EVEN = ((4, 4, 4, 4),)


class Reference:
    """Every pair of a set one by one, in two loops, by the network's own score."""

    def __init__(self, packed, network, first, last):
        self.packed, self.network = packed, network
        embeddings = network.embed(packed.gather(torch.arange(len(packed))))
        inside = range(first, last)
        class_of = packed.class_N.tolist()
        rows = [row for row in range(len(packed)) if class_of[row] in inside]
        self.pairs = []  # score, the two rows, the two classes
        with torch.inference_mode():
            for place, left in enumerate(rows):
                for right in rows[place + 1 :]:
                    score = float(network.score(embeddings[left : left + 1], embeddings[right : right + 1]))
                    self.pairs.append((score, left, right, class_of[left] - first, class_of[right] - first))

    def scorer(self, calibration=None, **settings):
        return Scorer(verifier=verifier_of(self.network, calibration=calibration), packed=self.packed, **settings)

    def scores(self, similar):
        return np.array([pair[0] for pair in self.pairs if (pair[3] == pair[4]) == similar])


@cache
def exact(alphabets=UNEVEN, first=0, last=None):
    """Scores without any rounding, some of them ties."""
    packed = uneven_set(alphabets)
    return Reference(packed, dyadic_network(packed), first, len(packed.class_names) if last is None else last)


@cache
def untied():
    """Scores of which no two are the same."""
    packed = uneven_set(UNEVEN)
    network = build_network(SMALL).eval()
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(1))
    return Reference(packed, network, 0, len(packed.class_names))


def count(scorer, first=0, last=None, edges=(), keep=0):
    """tally_pairs with its edges, and how many pairs it says to have compared."""
    prepared = scorer.prepared()
    last = len(scorer.packed.class_names) if last is None else last
    told = []
    edges = torch.tensor(edges, dtype=torch.float32)
    return tally.tally_pairs(scorer, prepared, first, last, edges, keep, told.append), sum(told)


def assert_counts(counted, reference, edges):
    """Fine counts as the distinct scores of the reference, coarse ones as its pairs between edges, class by class."""
    for similar, counts in ((True, counted.similar_B), (False, counted.dissimilar_B)):
        values, wanted = np.unique(reference.scores(similar), return_counts=True)
        there = counts > 0
        assert counts[there].tolist() == wanted.tolist()
        np.testing.assert_allclose(counted.values_B[there], values, rtol=1 / 2048, atol=1e-40)
    classes, bins = counted.similar_CK.shape
    similar, dissimilar = np.zeros((classes, bins), int), np.zeros((classes, classes, bins), int)
    for score, _, _, one, other in reference.pairs:
        place = sum(score >= edge for edge in edges)
        if one == other:
            similar[one, place] += 1
        else:
            dissimilar[one, other, place] += 1
    assert np.array_equal(counted.similar_CK, similar)
    assert np.array_equal(counted.dissimilar_CCK, dissimilar)


@pytest.mark.parametrize(
    ("alphabets", "block"), [*((UNEVEN, block) for block in (1, 3, 12, 13, 512)), (EVEN, 8), (EVEN, 15)]
)
def test_every_pair_is_counted_as_two_loops_count_it_whatever_the_block(alphabets, block):
    reference = exact(alphabets)
    edges = (-0.5, 0.0, 0.25, 1.0)
    counted, told = count(reference.scorer(rows_at_once=block), edges=edges)
    n = len(reference.packed)
    assert told == len(reference.pairs) == counted.similar_B.sum() + counted.dissimilar_B.sum() == n * (n - 1) // 2
    assert_counts(counted, reference, edges)


@pytest.mark.parametrize("block", [1, 512])
@pytest.mark.parametrize(("first", "last"), [(4, 7), (2, 5), (0, 1)])
def test_a_part_of_the_classes_is_counted_as_if_there_were_no_others(first, last, block):
    reference = exact(UNEVEN, first, last)
    counted, told = count(reference.scorer(rows_at_once=block), first, last, edges=(0.0,))
    assert told == len(reference.pairs)
    assert_counts(counted, reference, (0.0,))


def test_a_score_on_an_edge_belongs_to_the_bin_above_it():
    counted, _ = count(exact().scorer(), edges=(0.0,))
    scores = np.array([pair[0] for pair in exact().pairs])
    accepted = counted.similar_CK[:, 1].sum() + counted.dissimilar_CCK[:, :, 1].sum()
    assert accepted == (scores >= 0).sum() > (scores > 0).sum()


@pytest.mark.parametrize("block", [1, 512])
@pytest.mark.parametrize("keep", [1, 20])
def test_the_hardest_pairs_are_the_lowest_similar_and_the_highest_dissimilar_ones(keep, block):
    counted, _ = count(untied().scorer(rows_at_once=block), keep=keep)
    lowest = sorted(pair for pair in untied().pairs if pair[3] == pair[4])[:keep]
    highest = sorted((pair for pair in untied().pairs if pair[3] != pair[4]), reverse=True)[:keep]
    for found, wanted in ((counted.lowest, lowest), (counted.highest, highest)):
        assert [pair[1:] for pair in found] == [pair[1:3] for pair in wanted]
        assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in wanted], rel=1e-4, abs=1e-5)


def test_no_pair_is_kept_where_none_is_asked_for():
    counted, _ = count(exact().scorer(), keep=0)
    assert counted.lowest == counted.highest == []


def test_a_calibration_moves_every_score_before_it_is_counted():
    counted, _ = count(exact().scorer(calibration={"temperature": 0.5, "bias": -1.0}), edges=(0.0,))
    moved = copy.copy(exact())
    moved.pairs = [(2 * score - 1, *rest) for score, *rest in moved.pairs]
    assert_counts(counted, moved, (0.0,))


def test_pairs_scored_a_few_at_a_time_score_as_alone():
    fifty = 128 * 50  # numbers in 50 pairs of 128 features
    left, right = (torch.tensor([pair[side] for pair in exact().pairs]) for side in (1, 2))
    scores = exact().scorer(score_at_once=fifty).score_pairs(left, right)
    assert scores.tolist() == [pair[0] for pair in exact().pairs]


def test_coarse_edges_rise_hold_the_fixed_ones_and_reach_into_the_tail():
    scorer = exact().scorer()
    edges = tally.coarse_edges(scorer, scorer.prepared(), (0.0, 0.7)).double().numpy()
    assert (np.diff(edges) > 0).all()
    assert {0.0, float(np.float32(0.7))} <= set(edges)
    assert edges[-1] >= np.quantile(exact().scores(False), 0.99)
    assert edges[0] <= np.median(exact().scores(True))


ONE_BIN = 2.0**-137  # 2**12 of the smallest float32, 2**-149: the width of the bins below 2**-126
POSITIVE = [0.0, 1e-45, 1e-40, 1.2e-38, 1e-30, 1e-6, 0.1, 0.5, 0.9999, 1.0, 1.5, 2.0, 3.1415927, 1e3, 1e20, 3.4e38]
BOTH_SIGNS = [sign * score for score in POSITIVE for sign in (1, -1)]


def places_of(scores):
    """The bin of each score, counted alone."""
    return torch.cat([tally._fine_counts(torch.tensor([score])).nonzero()[0] for score in scores])


def test_each_score_lies_within_half_of_1_in_2048_of_the_middle_of_its_bin():
    values, scores = tally._fine_values(places_of(BOTH_SIGNS)), torch.tensor(BOTH_SIGNS).double()
    assert values.isfinite().all()
    assert ((values - scores).abs() <= (scores.abs() / 4096).clamp(min=ONE_BIN / 2)).all()


def test_the_order_of_bins_and_of_their_middles_is_that_of_the_scores():
    places = places_of(sorted(BOTH_SIGNS))
    assert (places.diff() >= 0).all()
    assert (tally._fine_values(places).diff() >= 0).all()
    assert (places_of(sorted(score for score in BOTH_SIGNS if abs(score) > 1e-40)).diff() > 0).all()


def test_both_zeros_are_one_score_and_lie_above_every_negative_one():
    places = places_of([-1e-45, -0.0, 0.0])
    assert places[0] < places[1] == places[2]


def test_the_middle_of_every_bin_lies_in_it():
    """Of all 2**20 bins but those of infinities and of what is no number."""
    values = tally._fine_values(torch.arange(1 << tally.FINE_BITS))
    numbers = values.isfinite()
    assert numbers.sum() == 2 * 255 * 2**11  # two signs, 255 exponents of finite numbers, 11 bits of the mantissa
    assert (values[numbers].diff() > 0).all()
    assert torch.equal(tally._fine_counts(values[numbers].float()), numbers.long())


def test_many_scores_are_counted_as_their_first_20_bits_in_binary():
    scores = torch.randn(5000, generator=torch.Generator().manual_seed(2)).numpy()
    first_bits, wanted = np.unique(scores.view(np.uint32) >> 12, return_counts=True)
    counts = tally._fine_counts(torch.from_numpy(scores))
    there = counts.nonzero()[:, 0]
    of_bin = dict(zip(first_bits.tolist(), wanted.tolist(), strict=True))
    bits = tally._fine_values(there).float().numpy().view(np.uint32) >> 12
    assert counts[there].tolist() == [of_bin[one] for one in bits.tolist()]
    assert len(there) == len(of_bin) < 5000
