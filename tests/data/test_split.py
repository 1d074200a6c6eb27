"""Alphabets held out are whole, apart from the others, and a function of the seed alone."""

import pytest
import torch
from sitters import CPU, uneven_set

from omnitwin.data.split import hold_out, only
from omnitwin.errors import BadInput
from omnitwin.system.randomness import random_generator

ALPHABETS = ((3, 2), (4, 2), (2, 5, 2), (2, 2), (6, 3))


@pytest.fixture(scope="module")
def packed():
    return uneven_set(ALPHABETS)


def split(packed, count, seed=0):
    return hold_out(packed, count, random_generator(CPU, seed, 1))


def described(packed):
    """All that is known of each image: its pixels, its label and the name of its alphabet."""
    return [
        (
            packed.images_NHW[row].numpy().tobytes(),
            packed.label(row),
            int(packed.source_N[row]),
            packed.group_names[int(packed.group_C[packed.class_N[row]])],
        )
        for row in range(len(packed))
    ]


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_every_image_is_on_one_side_once_with_all_that_is_known_of_it(packed, count, seed):
    kept, held = split(packed, count, seed)
    assert sorted(described(kept) + described(held)) == sorted(described(packed))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_no_alphabet_is_on_both_sides_and_as_many_are_held_out_as_asked_for(packed, count):
    kept, held = split(packed, count)
    assert len(held.group_names) == count
    assert sorted(kept.group_names + held.group_names) == sorted(packed.group_names)


@pytest.mark.parametrize("seed", range(4))
def test_both_sides_are_sets_counted_from_0_without_gaps(packed, seed):
    for part in split(packed, 2, seed):
        assert part.class_N.unique().tolist() == list(range(len(part.class_names)))
        assert part.group_C.tolist() == sorted(part.group_C.tolist())
        assert part.group_C.unique().tolist() == list(range(len(part.group_names)))
        assert part.class_N.tolist() == sorted(part.class_N.tolist())
        assert part.first_C.tolist() == [part.class_N.tolist().index(one) for one in range(len(part.class_names))]
        for name, alphabet in zip(part.class_names, part.group_C.tolist(), strict=True):
            assert name.split("/")[0] == part.group_names[alphabet]


def test_the_order_of_images_classes_and_alphabets_stays(packed):
    rows = {one: row for row, one in enumerate(described(packed))}
    for part in split(packed, 2):
        assert [rows[one] for one in described(part)] == sorted(rows[one] for one in described(part))
        assert list(part.group_names) == sorted(part.group_names)


def test_the_split_is_a_function_of_the_seed(packed):
    assert described(split(packed, 2, 3)[1]) == described(split(packed, 2, 3)[1])
    torch.manual_seed(1)
    assert len({split(packed, 2, seed)[1].group_names for seed in range(30)}) > 5  # of 10


def test_each_alphabet_is_held_out_equally_often(packed):
    seeds = 500
    held = [name for seed in range(seeds) for name in split(packed, 2, seed)[1].group_names]
    expected = seeds * 2 / 5
    bound = 5 * (seeds * 2 / 5 * 3 / 5) ** 0.5  # five standard deviations
    assert all(abs(held.count(name) - expected) < bound for name in packed.group_names)


def test_none_held_out_leaves_the_whole_set(packed):
    kept, held = split(packed, 0)
    assert held is None
    assert described(kept) == described(packed)


@pytest.mark.parametrize("count", [5, 6, 100])
def test_holding_out_all_is_refused_with_what_would_do(packed, count):
    with pytest.raises(BadInput, match="5 groups") as caught:
        split(packed, count)
    assert "--holdout 4 or less" in caught.value.line()


@pytest.mark.parametrize(
    ("alphabets", "count", "words"),
    [
        (((4,), (3,), (2,)), 1, "what is held out: by hand has 1 class"),
        (((4,), (3,), (2,)), 2, "what is trained on: by hand has 1 class"),
        (((1, 1), (1, 1), (1, 4)), 2, "no class of by hand has 2 images"),
    ],
)
def test_a_side_of_which_no_pairs_can_be_drawn_is_refused_with_what_would_do(alphabets, count, words):
    with pytest.raises(BadInput, match=words) as caught:
        split(uneven_set(alphabets), count)
    assert "another --holdout or --seed" in caught.value.line()


def test_both_sides_keep_the_fingerprint_of_the_set_they_come_from(packed):
    assert {part.fingerprint for part in split(packed, 2)} == {packed.fingerprint}


def test_only_the_named_alphabets_remain(packed):
    some = only(packed, ("Alphabet 4", "Alphabet 2"))
    assert some.group_names == ("Alphabet 2", "Alphabet 4")
    assert described(some) == [one for one in described(packed) if one[3] in ("Alphabet 2", "Alphabet 4")]


@pytest.mark.parametrize("count", [1, 3])
def test_the_names_of_held_out_alphabets_lead_back_to_their_images(packed, count):
    held = split(packed, count)[1]
    assert described(only(packed, held.group_names)) == described(held)


def test_an_alphabet_that_is_not_there_is_named(packed):
    with pytest.raises(BadInput, match="no group Alphabet 9"):
        only(packed, ("Alphabet 1", "Alphabet 9"))
