"""Classes in other colours are classes of their own: every image of one in the same order of red, green and blue."""

import math
from dataclasses import replace
from itertools import permutations

import pytest
import torch
from photos import photos

from omnitwin.data.batches import COLOURS, WAYS, ways_round
from omnitwin.data.sampling import SAMPLERS
from omnitwin.recipes import ClassSampling, NoAugmentation

MANY = photos(3, 3, 3, 3)
COLOURFUL = ClassSampling(drawings=2, batch_size=8, turns=False, colours=0.8)


def key(seed):
    return torch.Generator().manual_seed(seed)


def drawn(sampling, images=MANY):
    sampler = SAMPLERS["classes"](images, sampling, NoAugmentation())
    return sampler, [sampler.draw(key(seed)) for seed in range(60)]


def test_there_are_all_orders_of_three_colours_and_the_first_changes_nothing():
    assert sorted(COLOURS) == sorted(permutations(range(3)))
    assert COLOURS[0] == (0, 1, 2)


def test_an_image_has_the_pixels_of_its_row_in_the_colours_that_its_label_says():
    sampler, batches = drawn(COLOURFUL)
    assert sampler.labels == 4 * 6
    everything = MANY.images / 255
    for batch in batches:
        for image, label in zip(batch.images, batch.label_B.tolist(), strict=True):
            kind, colour = divmod(label, 6)
            rows = (MANY.class_N == kind).nonzero().flatten()
            assert any(torch.equal(image, everything[row][list(COLOURS[colour])]) for row in rows)
    assert set(torch.cat([batch.label_B for batch in batches]).tolist()) == set(range(4 * 6))


def test_the_images_of_a_class_in_a_batch_have_the_same_colours():
    _, batches = drawn(COLOURFUL)
    for batch in batches:
        label_CK = batch.label_B.view(4, 2)
        assert (label_CK[:, 0] == label_CK[:, 1]).all()


def test_without_it_all_images_keep_their_colours():
    sampler, batches = drawn(ClassSampling(drawings=2, batch_size=8, turns=False))
    assert sampler.labels == 4
    known = {tuple(image.flatten().tolist()) for image in MANY.images / 255}
    assert all(tuple(image.flatten().tolist()) in known for batch in batches for image in batch.images)


def test_a_share_of_the_classes_has_other_colours_each_as_often():
    _, batches = drawn(ClassSampling(drawings=2, batch_size=8, turns=False, colours=0.4))
    colours = (torch.cat([batch.label_B[::2] for batch in batches]) % 6).bincount(minlength=6) / (60 * 4)
    assert float(colours[0]) == pytest.approx(0.6, abs=4 * (0.24 / 240) ** 0.5)
    assert all(float(each) == pytest.approx(0.08, abs=4 * (0.08 / 240) ** 0.5) for each in colours[1:])


@pytest.mark.parametrize(
    ("batch_size", "colourings", "orders"),
    [(8, 6, 1), (15, 6, 1), (16, 6, 2), (16, 1, 1), (40, 3, 3), (400, 6, 6)],
)
def test_classes_that_leave_a_batch_empty_come_in_several_orders_of_colours(batch_size, colourings, orders):
    sampling = replace(COLOURFUL, batch_size=batch_size, colourings=colourings)
    sampler, batches = drawn(sampling)
    assert (sampler.classes, sampler.colourings) == (4, orders)
    assert sampler.size == 4 * orders * 2
    for batch in batches:
        label_CK = batch.label_B.view(-1, 2)
        assert torch.equal(label_CK[:, 0], label_CK[:, 1])
        assert len(set(label_CK[:, 0].tolist())) == 4 * orders  # no class twice in the same colours
        assert (label_CK[:, 0] // 6).bincount().tolist() == [orders] * 4


def test_a_class_without_colour_comes_in_one_order_as_all_of_them_look_alike():
    images = MANY.images.clone()
    images[:3] = images[:3].float().mean(1, keepdim=True).to(torch.uint8)  # the three of the first class
    _, batches = drawn(replace(COLOURFUL, batch_size=24, colourings=3), replace(MANY, images=images))
    for batch in batches:
        assert (batch.label_B.view(-1, 2)[:, 0] // 6).bincount().tolist() == [1, 3, 3, 3]
        labels = {}
        for image, label in zip(batch.images, batch.label_B.tolist(), strict=True):
            assert labels.setdefault(tuple(image.flatten().tolist()), label) == label


def test_where_no_class_has_colours_a_batch_is_as_large_as_it_says():
    grey = replace(MANY, images=MANY.images.float().mean(1, keepdim=True).to(torch.uint8).expand(-1, 3, -1, -1))
    sampler, batches = drawn(replace(COLOURFUL, batch_size=24, colourings=3), grey)
    assert (sampler.colourings, sampler.size) == (1, 8)
    assert {len(batch.images) for batch in batches} == {8}


def test_the_further_orders_of_colours_are_each_as_often():
    _, batches = drawn(replace(COLOURFUL, batch_size=16, colours=1e-9, colourings=2))
    labels = torch.cat([batch.label_B[::2] for batch in batches])
    assert int((labels % 6 == 0).sum()) == 4 * 60  # each class once in its own
    counts = (labels % 6).bincount(minlength=6)[1:]
    assert counts.sum() == 4 * 60
    assert (counts - 48).abs().max() < 4 * math.sqrt(48)


def test_grey_images_have_no_other_colours():
    assert ways_round(COLOURFUL, 1) == (0,)
    assert ways_round(COLOURFUL, 3) == tuple(range(0, 6 * WAYS, WAYS))


@pytest.mark.parametrize(("turns", "mirrors", "ways"), [(True, True, 8), (True, False, 4), (False, True, 2)])
def test_turns_and_mirror_images_come_in_each_colour(turns, mirrors, ways):
    sampling = ClassSampling(batch_size=8, turns=turns, mirrors=mirrors, colours=0.8)
    found = ways_round(sampling, 3)
    assert len(set(found)) == len(found) == 6 * ways
    assert list(found) == sorted(found)
    assert {way % WAYS for way in found} == set(ways_round(sampling, 1))
