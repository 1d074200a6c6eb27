"""Pairs are drawn by a fixed key, so these counts are the same on each run; the bounds are those of fair dice."""

import itertools
import math

import numpy as np
import pytest
import torch
from sitters import uneven_set

from omnitwin.data.packed import PackedSet
from omnitwin.data.pairs import draw_pairs
from omnitwin.system.randomness import random_generator

CPU = torch.device("cpu")
DRAWN = 100_000  # pairs
SIGMAS = 4  # how far a count may lie from what fair dice give


def chi_square(counts, expected):
    return float(((np.asarray(counts) - expected) ** 2 / expected).sum())


def chi_square_bound(freedom):
    """What fair dice exceed about 3 times in 100,000 (Wilson and Hilferty 1931)."""
    return freedom * (1 - 2 / (9 * freedom) + SIGMAS * math.sqrt(2 / (9 * freedom))) ** 3


def assert_uniform(counts):
    counts = np.asarray(counts)
    assert chi_square(counts, counts.sum() / counts.size) < chi_square_bound(counts.size - 1)


@pytest.fixture(scope="module")
def mixed_set():
    """Three classes of 2, 3 and 7 images."""
    counts = [2, 3, 7]
    return PackedSet(
        name="mixed",
        images_NHW=torch.zeros(12, 2, 2, dtype=torch.uint8),
        white=1,
        class_N=torch.arange(3).repeat_interleave(torch.tensor(counts)),
        source_N=torch.cat([torch.arange(1, count + 1) for count in counts]),
        group_C=torch.zeros(3, dtype=torch.int64),
        class_names=("two", "three", "seven"),
        group_names=("one",),
        fingerprint="none",
    )


@pytest.fixture(scope="module", params=["tiny_set", "mixed_set"])
def drawn(request):
    """A set, and the left row, right row and answer of many pairs of it."""
    packed = request.getfixturevalue(request.param)
    pairs = draw_pairs(packed, DRAWN, random_generator(CPU, 0, 1))
    return packed, pairs.left_B.numpy(), pairs.right_B.numpy(), pairs.similar_B.numpy()


def classes_of(packed, rows):
    return packed.class_N.numpy()[rows]


def test_a_batch_has_as_many_pairs_as_asked_for(tiny_set):
    pairs = draw_pairs(tiny_set, 7, random_generator(CPU, 0, 1))
    assert [tuple(part.shape) for part in (pairs.left_B, pairs.right_B, pairs.similar_B)] == [(7,)] * 3
    assert pairs.similar_B.dtype == torch.bool


def test_half_of_the_pairs_are_similar(drawn):
    similar = drawn[3]
    assert abs(similar.mean() - 0.5) < SIGMAS * 0.5 / math.sqrt(DRAWN)


def test_the_answer_is_whether_the_classes_are_equal(drawn):
    packed, left, right, similar = drawn
    assert np.array_equal(classes_of(packed, left) == classes_of(packed, right), similar)


def test_no_pair_holds_one_image_twice(drawn):
    _, left, right, _ = drawn
    assert not (left == right).any()


def test_every_row_is_used_on_both_sides(drawn):
    packed, left, right, _ = drawn
    assert set(left) == set(right) == set(range(len(packed)))


@pytest.mark.parametrize("answer", [True, False])
def test_classes_are_drawn_uniformly_on_both_sides_however_many_images_they_have(drawn, answer):
    packed, left, right, similar = drawn
    for rows in (left, right):
        chosen = classes_of(packed, rows[similar == answer])
        assert_uniform(np.bincount(chosen, minlength=len(packed.class_names)))


def test_each_two_different_classes_meet_equally_often(drawn):
    packed, left, right, similar = drawn
    classes = len(packed.class_names)
    met = classes_of(packed, left[~similar]) * classes + classes_of(packed, right[~similar])
    table = np.bincount(met, minlength=classes**2).reshape(classes, classes)
    assert_uniform(table[~np.eye(classes, dtype=bool)])


@pytest.mark.parametrize("answer", [True, False])
def test_the_images_of_a_class_are_used_equally_on_both_sides(drawn, answer):
    packed, left, right, similar = drawn
    for rows, name in itertools.product((left, right), range(len(packed.class_names))):
        members = np.flatnonzero(packed.class_N.numpy() == name)
        used = rows[(similar == answer) & (classes_of(packed, rows) == name)]
        assert_uniform(np.bincount(used, minlength=len(packed))[members])


def test_each_two_images_of_a_class_meet_equally_often(drawn):
    packed, left, right, similar = drawn
    met = np.bincount(left[similar] * len(packed) + right[similar], minlength=len(packed) ** 2)
    for name in range(len(packed.class_names)):
        members = np.flatnonzero(packed.class_N.numpy() == name)
        assert_uniform([met[one * len(packed) + other] for one, other in itertools.permutations(members, 2)])


def test_both_images_of_a_dissimilar_pair_are_drawn_independently(tiny_set):
    pairs = draw_pairs(tiny_set, DRAWN, random_generator(CPU, 0, 2))
    left_drawer, right_drawer = (
        tiny_set.source_N[rows][~pairs.similar_B] - 1 for rows in (pairs.left_B, pairs.right_B)
    )
    assert_uniform(np.bincount(left_drawer * 6 + right_drawer, minlength=36))


def test_the_same_key_draws_the_same_pairs(tiny_set):
    one, other = (draw_pairs(tiny_set, 100, random_generator(CPU, 3, 5)) for _ in range(2))
    assert torch.equal(one.left_B, other.left_B)
    assert torch.equal(one.right_B, other.right_B)
    assert torch.equal(one.similar_B, other.similar_B)


@pytest.mark.parametrize("key", [(3, 6), (4, 5), (5, 3)])
def test_another_seed_or_step_draws_other_pairs(tiny_set, key):
    one, other = (draw_pairs(tiny_set, 1_000, random_generator(CPU, *part)) for part in [(3, 5), key])
    # by chance, 1 row in 48 is the same
    assert (one.left_B == other.left_B).float().mean() < 0.1
    assert (one.similar_B == other.similar_B).float().mean() < 0.6


# ---- classes of one image ----


@pytest.fixture(scope="module")
def poor_set():
    """Classes of 1, 3, 1, 2 and 1 images."""
    return uneven_set([[1, 3], [1, 2, 1]], size=2)


@pytest.fixture(scope="module")
def poor(poor_set):
    pairs = draw_pairs(poor_set, DRAWN, random_generator(CPU, 0, 1))
    return pairs.left_B.numpy(), pairs.right_B.numpy(), pairs.similar_B.numpy()


def test_similar_pairs_come_evenly_from_the_classes_with_two_images_or_more(poor_set, poor):
    left, right, similar = poor
    assert abs(similar.mean() - 0.5) < SIGMAS * 0.5 / math.sqrt(DRAWN)
    assert np.array_equal(classes_of(poor_set, left) == classes_of(poor_set, right), similar)
    assert not (left == right).any()
    counts = np.bincount(classes_of(poor_set, left[similar]), minlength=5)
    assert counts[[0, 2, 4]].tolist() == [0, 0, 0]
    assert_uniform(counts[[1, 3]])
    met = np.bincount(left[similar] * len(poor_set) + right[similar], minlength=len(poor_set) ** 2)
    assert_uniform([met[a * len(poor_set) + b] for a, b in itertools.permutations([1, 2, 3], 2)])


def test_dissimilar_pairs_come_evenly_from_each_two_classes(poor_set, poor):
    left, right, similar = poor
    met = classes_of(poor_set, left[~similar]) * 5 + classes_of(poor_set, right[~similar])
    assert_uniform(np.bincount(met, minlength=25).reshape(5, 5)[~np.eye(5, dtype=bool)])


def test_where_every_class_has_two_images_the_pairs_are_those_of_the_rule_as_it_always_was(mixed_set):
    """The rule in plain numbers, as it stood in version 1."""
    drawn = draw_pairs(mixed_set, 500, random_generator(CPU, 3, 7))
    columns = torch.randint(2**31, (6, 500), generator=random_generator(CPU, 3, 7)).T.tolist()
    counts, first = [2, 3, 7], [0, 2, 5]
    for row, (coin, kind, step, image, image_step, other) in enumerate(columns):
        similar, left = coin % 2 == 0, kind % 3
        right = left if similar else (left + 1 + step % 2) % 3
        at = image % counts[left]
        place = (at + 1 + image_step % (counts[left] - 1)) % counts[left] if similar else other % counts[right]
        wanted = (first[left] + at, first[right] + place, similar)
        assert (int(drawn.left_B[row]), int(drawn.right_B[row]), bool(drawn.similar_B[row])) == wanted
