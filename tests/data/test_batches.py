"""Batches of classes: what is in one, by counting, and that it depends on its key alone."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from sitters import uneven_set

from omnitwin.data.batches import check_batches, draw_batch
from omnitwin.errors import BadInput
from omnitwin.recipes import ClassSampling
from omnitwin.system.randomness import random_generator

CPU = torch.device("cpu")
TWO = ClassSampling(batch_size=16, drawings=2, alphabets=2, per_alphabet=3)
UNEVEN = uneven_set([[2, 5, 3], [4, 2], [9, 3, 2, 2, 6, 2, 3], [2, 7, 2, 4]], size=2)  # 16 classes


def draw(step=0, batches=TWO, classes=8, packed=UNEVEN, seed=0):
    return draw_batch(packed, batches, classes, random_generator(CPU, seed, step))


def classes_of(batch, packed=UNEVEN):
    return packed.class_N[batch.row_CK]


@pytest.mark.parametrize("step", range(20))
def test_the_classes_of_a_batch_are_all_different_and_a_row_shows_one_of_them(step):
    class_CK = classes_of(draw(step))
    assert (class_CK == class_CK[:, :1]).all()
    assert len(set(class_CK[:, 0].tolist())) == 8


@pytest.mark.parametrize("step", range(20))
def test_the_drawings_of_a_class_are_all_different_where_it_has_no_more_than_asked_for(step):
    batch = draw(step, classes=16)
    assert all(len(set(rows)) == 2 for rows in batch.row_CK.tolist())


def test_every_class_is_there_where_there_are_fewer_than_asked_for():
    batch = draw(classes=1000)
    assert sorted(classes_of(batch)[:, 0].tolist()) == list(range(16))
    assert batch.way_C.shape == (16,)


@pytest.mark.parametrize("step", range(20))
def test_so_many_alphabets_give_so_many_classes_each_turned_alike(step):
    """The classes of the rest come from anywhere: none are asked for here."""
    batch = draw(step, replace(TWO, per_alphabet=2), classes=4)
    alphabets = UNEVEN.group_C[classes_of(batch)[:, 0]].tolist()
    assert sorted(Counter(alphabets).values()) == [2, 2]
    turns = {alphabet: {int(batch.way_C[at]) for at in range(4) if alphabets[at] == alphabet} for alphabet in alphabets}
    assert all(len(each) == 1 for each in turns.values())


@pytest.mark.parametrize("step", range(10))
def test_a_small_alphabet_gives_all_that_it_has_and_others_fill_up(step):
    batch = draw(step, replace(TWO, alphabets=4, per_alphabet=3), classes=11)  # 3 + 2 + 3 + 3 together
    found = Counter(UNEVEN.group_C[classes_of(batch)[:, 0]].tolist())
    assert found == {0: 3, 1: 2, 2: 3, 3: 3}


def test_more_alphabets_than_there_are_means_all_of_them():
    assert len(classes_of(draw(batches=replace(TWO, alphabets=99)))) == 8


def test_turns_of_the_rest_are_each_classs_own():
    turn_SC = torch.stack([draw(step, replace(TWO, alphabets=0), classes=16).way_C for step in range(50)])
    assert set(turn_SC.flatten().tolist()) == {0, 1, 2, 3}
    assert (turn_SC != turn_SC[:, :1]).any()


@pytest.mark.parametrize(
    ("turns", "mirrors", "ways"), [(True, True, range(8)), (False, True, (0, 4)), (False, False, (0,))]
)
def test_turns_and_mirror_images_are_counted_apart(turns, mirrors, ways):
    batches = replace(TWO, turns=turns, mirrors=mirrors)
    assert set(torch.cat([draw(step, batches, classes=16).way_C for step in range(50)]).tolist()) == set(ways)


def test_nothing_is_turned_where_turns_are_off():
    assert not draw(batches=replace(TWO, turns=False), classes=16).way_C.any()


def test_a_batch_is_a_function_of_its_key_alone():
    first, again, later, other = draw(3), draw(3), draw(4), draw(3, seed=1)
    assert torch.equal(first.row_CK, again.row_CK)
    assert torch.equal(first.way_C, again.way_C)
    assert not torch.equal(first.row_CK, later.row_CK)
    assert not torch.equal(first.row_CK, other.row_CK)


def chi_square(counts, expected):
    return sum((count - expected) ** 2 / expected for count in counts)


def test_classes_are_used_uniformly_where_none_are_drawn_together():
    """A third of the classes a batch, 1500 times: chi-square with 15 degrees of freedom is below 37.7 in 99.9 %."""
    draws = [classes_of(draw(step, replace(TWO, alphabets=0), classes=4))[:, 0] for step in range(1500)]
    counts = torch.bincount(torch.cat(draws), minlength=16).tolist()
    assert chi_square(counts, 1500 * 4 / 16) < 37.7


def test_the_drawings_of_a_class_are_used_uniformly():
    """Class 5 has 9 drawings: chi-square with 8 degrees of freedom is below 26.1 in 99.9 %."""
    rows = torch.cat([draw(step, classes=16).row_CK.flatten() for step in range(900)])
    counts = torch.bincount(rows[UNEVEN.class_N[rows] == 5] - UNEVEN.first_C[5], minlength=9).tolist()
    assert len(counts) == 9
    assert chi_square(counts, 900 * 2 / 9) < 26.1


def test_alphabets_are_chosen_uniformly():
    """One class each of one alphabet: chi-square with 3 degrees of freedom is below 16.3 in 99.9 %."""
    one = replace(TWO, alphabets=1, per_alphabet=1)
    found = [int(UNEVEN.group_C[classes_of(draw(step, one, classes=1))[0, 0]]) for step in range(1000)]
    assert chi_square([found.count(alphabet) for alphabet in range(4)], 250) < 16.3


def test_too_few_drawings_of_a_class_are_refused_by_its_name_with_what_to_do():
    check_batches(UNEVEN, TWO)
    with pytest.raises(BadInput) as refused:
        check_batches(UNEVEN, replace(TWO, drawings=3))
    assert "2 images of Alphabet 1/character01" in refused.value.line()
    assert "--override drawings=2" in refused.value.line()


def test_keys_as_large_as_they_come_leave_every_class_in_its_alphabet(monkeypatch):
    """Alphabet and key share a float: one that rounds up would count in the next alphabet."""
    many = uneven_set([[2] * 4] * 64, size=2)
    real = torch.rand
    monkeypatch.setattr(torch, "rand", lambda *size, **named: torch.full_like(real(*size, **named), 1 - 2**-24))
    batch = draw(batches=replace(TWO, alphabets=64, per_alphabet=2), classes=128, packed=many)
    assert set(Counter(many.group_C[classes_of(batch, many)[:, 0]].tolist()).values()) == {2}
