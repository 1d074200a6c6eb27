"""Batches of classes: what is in one, by counting, and that it depends on its key alone."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from sitters import uneven_set

from omnitwin.data.batches import check_batches, classes_of_batch, draw_batch
from omnitwin.data.sampling import ClassSampler
from omnitwin.errors import BadInput
from omnitwin.recipes import ClassSampling, InkAugmentation, NoAugmentation, PhotoAugmentation
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
    check_batches(UNEVEN, TWO, varied=False)
    check_batches(UNEVEN, replace(TWO, drawings=3), varied=True)
    with pytest.raises(BadInput) as refused:
        check_batches(UNEVEN, replace(TWO, drawings=3), varied=False)
    assert "2 images of Alphabet 1/character01" in refused.value.line()
    assert "--override drawings=2" in refused.value.line()


def test_keys_as_large_as_they_come_leave_every_class_in_its_alphabet(monkeypatch):
    """Alphabet and key share a float: one that rounds up would count in the next alphabet."""
    many = uneven_set([[2] * 4] * 64, size=2)
    real = torch.rand
    monkeypatch.setattr(torch, "rand", lambda *size, **named: torch.full_like(real(*size, **named), 1 - 2**-24))
    batch = draw(batches=replace(TWO, alphabets=64, per_alphabet=2), classes=128, packed=many)
    assert set(Counter(many.group_C[classes_of(batch, many)[:, 0]].tolist()).values()) == {2}


# ---- classes with few images ----

FEW = uneven_set([[1, 2, 1], [1], [3, 1, 5, 8], [1, 1, 2]], size=2)  # 6 of 11 classes have one image
FOUR = ClassSampling(batch_size=24, drawings=4, alphabets=3, per_alphabet=2)


@pytest.mark.parametrize("step", range(20))
def test_a_class_of_fewer_images_gives_all_of_them_and_each_about_as_often(step):
    for rows in draw(step, FOUR, classes=5, packed=FEW).row_CK.tolist():
        times = Counter(rows).values()
        assert len(times) == min(4, int(FEW.count_C[FEW.class_N[rows[0]]]))
        assert max(times) - min(times) <= 1


@pytest.mark.parametrize("step", range(20))
def test_a_class_of_one_image_gives_that_image_once_and_never_counts_as_a_class_of_several(step):
    batch = draw_batch(FEW, FOUR, 5, random_generator(CPU, 0, step), singles=4)
    assert (FEW.count_C[FEW.class_N[batch.row_CK]] > 1).all()
    assert (FEW.count_C[FEW.class_N[batch.row_S]] == 1).all()
    assert len(set(batch.row_S.tolist())) == len(batch.way_S) == 4


def test_every_class_of_one_image_is_drawn_as_often_as_any_other():
    """Chi-square with 5 degrees of freedom is below 20.5 in 99.9 %."""
    draws = [draw_batch(FEW, FOUR, 2, random_generator(CPU, 0, step), singles=2).row_S for step in range(900)]
    counts = torch.bincount(FEW.class_N[torch.cat(draws)], minlength=11)[FEW.count_C == 1].tolist()
    assert chi_square(counts, 900 * 2 / 6) < 20.5


def test_a_group_gives_several_classes_whatever_single_images_it_holds():
    both = replace(FOUR, alphabets=1, per_alphabet=3)
    for step in range(50):
        groups = FEW.group_C[classes_of(draw(step, both, classes=3, packed=FEW), FEW)[:, 0]].tolist()
        assert len(groups) == 3
        assert Counter(groups)[2] in (0, 1, 2, 3)
    whole = replace(FOUR, alphabets=4, per_alphabet=3)
    assert Counter(FEW.group_C[classes_of(draw(0, whole, classes=5, packed=FEW), FEW)[:, 0]].tolist()) == {
        0: 1,
        2: 3,
        3: 1,
    }


@pytest.mark.parametrize(
    ("counts", "batch_size", "taken"),
    [
        ([4] * 10, 24, (6, 0)),  # nobody is alone
        ([4] * 12 + [1] * 4, 24, (5, 2)),  # half of the classes come, so half of those with one image do
        ([4] * 3 + [1] * 90, 24, (3, 6)),  # never more than a quarter
        ([4] * 2 + [1] * 3, 24, (2, 3)),  # all there is
        ([4, 1], 8, (1, 1)),
    ],
)
def test_classes_of_one_image_come_as_often_as_others_and_fill_a_quarter_at_most(counts, batch_size, taken):
    sampling = replace(FOUR, batch_size=batch_size)
    assert classes_of_batch(uneven_set([counts], size=2), sampling) == taken


def test_images_are_repeated_only_if_they_are_varied():
    small = uneven_set([[2, 3, 4, 4]], size=8)
    with pytest.raises(BadInput, match="2 images of Alphabet 1/character01; a batch takes 4 of each class"):
        ClassSampler(small, FOUR, NoAugmentation())
    for augmentation in (InkAugmentation(), PhotoAugmentation()):
        batch = ClassSampler(small, replace(FOUR, batch_size=16), augmentation).draw(random_generator(CPU, 0))
        first = int((batch.label_B // 4 == 0).nonzero()[0])
        images = batch.images[first : first + 4]
        assert all(not torch.equal(images[i], images[j]) for i in range(4) for j in range(i))


def test_a_batch_ends_with_the_images_that_are_alone_each_with_a_label_of_its_own():
    sampler = ClassSampler(FEW, replace(FOUR, turns=False), InkAugmentation())
    batch = sampler.draw(random_generator(CPU, 0))
    assert sampler.size == len(batch.images) == 4 * 4 + 6
    assert sampler.singles == batch.alone == 6
    count = Counter(batch.label_B.tolist())
    assert [count[label] for label in batch.label_B.tolist()] == [4] * 16 + [1] * 6
    assert (batch.first(22).alone, batch.first(17).alone, batch.first(8).alone) == (6, 1, 0)


def test_classes_with_few_images_are_said():
    assert ClassSampler(UNEVEN, TWO, InkAugmentation()).notes == ()
    assert ClassSampler(FEW, FOUR, InkAugmentation()).notes == (
        "6 of 11 classes to train on have a single image: it makes dissimilar pairs only.",
        "3 of 11 classes to train on have fewer than 4 images: batches repeat some, varied anew.",
    )
