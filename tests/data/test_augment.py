"""Variations of drawings: each against what it says it does, computed another way."""

import math
from dataclasses import replace

import pytest
import torch

from omnitwin.data.augment import (
    COARSEST,
    ERASED,
    FEWEST,
    SIDES,
    _coarsened,
    _erased,
    _of_few_pixels,
    _thickened,
    _warped,
)
from omnitwin.data.augment import vary as vary_colour
from omnitwin.recipes import InkAugmentation

STILL = InkAugmentation(rotation=0, shear=0, scale=0, shift=0)
S = 20


@pytest.fixture
def ink():
    """Grey blobs, 16 images, with two pixels of paper around them."""
    image_BSS = torch.rand(16, S, S, generator=torch.Generator().manual_seed(0))
    image_BSS[:, :2] = image_BSS[:, -2:] = image_BSS[:, :, :2] = image_BSS[:, :, -2:] = 0
    return image_BSS


def warped(ink_BSS, *others):
    return _warped(ink_BSS[:, None], *others)


def vary(ink_BSS, *others):
    return vary_colour(ink_BSS[:, None], *others)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def none(count):
    return torch.zeros(count, dtype=torch.long)


def close(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_no_variation_gives_the_image_back_as_network_input(ink):
    close(vary(ink, none(16), STILL, generator()), 1 - ink[:, None])


@pytest.mark.parametrize("turn", range(4))
def test_a_quarter_turn_is_a_quarter_turn(ink, turn):
    turned = warped(ink, torch.full((16,), turn), STILL, generator())
    close(turned[:, 0], torch.rot90(ink, turn, (1, 2)))


@pytest.mark.parametrize("turn", range(4))
def test_the_later_ways_round_are_mirror_images_of_the_earlier(ink, turn):
    turned = warped(ink, torch.full((16,), 4 + turn), STILL, generator())
    close(turned[:, 0], torch.rot90(ink, turn, (1, 2)).flip(2))


def test_each_image_is_turned_by_its_own_number(ink):
    turn_B = torch.arange(16) % 4
    turned = warped(ink, turn_B, STILL, generator())[:, 0]
    close(turned, torch.stack([torch.rot90(image, int(turn)) for image, turn in zip(ink, turn_B, strict=True)]))


def centre(image_BSS):
    """Centre of the ink in pixels, (B, 2): column and row."""
    at = torch.arange(S) + 0.5
    mass = image_BSS.sum((1, 2))
    return torch.stack([(image_BSS.sum(1) * at).sum(1) / mass, (image_BSS.sum(2) * at).sum(1) / mass], 1)


def dot():
    """One blob of 4 x 4 pixels in the middle of each of 400 images."""
    image_BSS = torch.zeros(400, S, S)
    image_BSS[:, 8:12, 8:12] = 1
    return image_BSS


def test_a_shift_is_by_up_to_its_share_of_the_image_and_uniform():
    moved = centre(warped(dot(), none(400), replace(STILL, shift=0.1), generator())[:, 0]) - S / 2
    assert moved.abs().max() <= 0.1 * S + 1e-4
    assert moved.abs().max(0).values.min() > 0.1 * S * 0.97  # both ways, all the way
    assert moved.mean().abs() < 4 * (0.1 * S / math.sqrt(3)) / math.sqrt(800)
    assert float(moved.std()) == pytest.approx(0.1 * S / math.sqrt(3), rel=0.1)


def test_a_rotation_keeps_the_middle_and_turns_by_up_to_so_many_degrees():
    bar = torch.zeros(400, S, S)
    bar[:, 9:11, 10:18] = 1  # from the middle to the right
    middle = torch.tensor([14.0, 10.0]) - S / 2
    turned = centre(warped(bar, none(400), replace(STILL, rotation=20), generator())[:, 0]) - S / 2
    angle = torch.rad2deg(torch.atan2(turned[:, 1], turned[:, 0]))
    torch.testing.assert_close(turned.norm(dim=1), middle.norm().expand(400), rtol=0, atol=0.1)
    assert 19 < float(angle.abs().max()) < 20.5
    assert (angle > 10).any()
    assert (angle < -10).any()


def test_scaling_is_by_up_to_e_to_the_scale_in_each_direction():
    area = warped(dot(), none(400), replace(STILL, scale=0.3), generator()).sum((1, 2, 3)) / 16
    assert math.exp(-0.6) - 0.05 < float(area.min()) < math.exp(-0.4)
    assert math.exp(0.4) < float(area.max()) < math.exp(0.6) + 0.05
    assert float(area.log().mean()) == pytest.approx(0, abs=0.05)


def test_elastic_bends_move_ink_and_lose_little_of_it():
    bent = warped(dot(), none(400), replace(STILL, elastic=0.03), generator())[:, 0]
    assert (bent != dot()).any((1, 2)).all()
    assert float(bent.sum((1, 2)).mean()) == pytest.approx(16, rel=0.1)


def test_ink_stays_between_none_and_full(ink):
    all_of_it = replace(InkAugmentation(), elastic=0.05, thickness=1.0, coarse=1.0, low_resolution=1.0, erase=1.0)
    varied = vary(ink, none(16), all_of_it, generator())
    assert varied.shape == (16, 1, S, S)
    assert varied.min() >= 0
    assert varied.max() <= 1


def test_variations_are_a_function_of_the_generator(ink):
    first, again, other = (vary(ink, none(16), InkAugmentation(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_batch_of_one_is_varied_as_its_row_in_a_batch_of_many(ink, monkeypatch):
    """With numbers of its own given: of many, all but the row's are dropped."""
    many = warped(ink, none(16), InkAugmentation(), generator())
    numbers = torch.rand((7, 16), generator=generator())

    at = 5
    monkeypatch.setattr(torch, "rand", lambda *shape, **named: numbers[:, at : at + 1])
    alone = warped(ink[at : at + 1], none(1), InkAugmentation(), generator())
    torch.testing.assert_close(alone[0], many[at], rtol=0, atol=1e-6)


def test_thicker_strokes_have_at_least_the_ink_and_thinner_ones_at_most(ink):
    many = ink.repeat(20, 1, 1)[:, None]
    changed = _thickened(many, 1.0, generator())
    more, less = (changed > many).any((1, 2, 3)), (changed < many).any((1, 2, 3))
    assert not (more & less).any()
    assert 0.4 < float(more.float().mean()) < 0.6
    assert 0.4 < float(less.float().mean()) < 0.6
    assert changed.max() <= 1
    assert changed.min() >= 0


def test_strokes_stay_as_they_are_with_the_rest_of_the_probability(ink):
    many = ink.repeat(40, 1, 1)[:, None]
    same = (_thickened(many, 0.5, generator()) == many).all(3).all(2).all(1).float().mean()
    assert 0.43 < float(same) < 0.57


def test_a_thick_stroke_is_the_largest_of_two_by_two_pixels(ink):
    changed = _thickened(ink[:, None], 1.0, generator())[:, 0]
    chance, amount = torch.rand((2, 16), generator=generator())
    for image, result, likely, share in zip(ink, changed, chance, amount, strict=True):
        kind, reach = (max, float(share)) if likely < 0.5 else (min, 0.7 * float(share))
        for row in range(1, S):
            for column in range(1, S):
                window = kind(image[row - 1 : row + 1, column - 1 : column + 1].flatten().tolist())
                old = float(image[row, column])
                assert float(result[row, column]) == pytest.approx(old + reach * (window - old), abs=1e-5)


def test_coarse_images_keep_their_ink_on_average_and_lose_detail(ink):
    before = ink[:, None]
    after = torch.stack([_coarsened(before, 1.0, generator(seed)) for seed in range(30)])
    share = after.mean((2, 3, 4)) / before.mean((1, 2, 3))
    assert float(share.mean()) == pytest.approx(1, abs=0.05)
    # torch's area windows overlap where sizes do not divide, so that a pixel may count in two of them
    assert (share - 1).abs().max() < 0.25
    assert (after.std((2, 3, 4)) < before.std((1, 2, 3))).all()


def test_coarse_leaves_an_even_grey_as_it_is():
    even = torch.full((3, 1, S, S), 0.25)
    close(_coarsened(even, 1.0, generator()), even)


def test_the_coarsest_images_have_a_third_of_the_pixels():
    """A lone pixel spreads over what stands for it: at most two coarse pixels to each side."""
    lone = torch.zeros(1, 1, 60, 60)
    lone[..., 30, 30] = 1
    widths = [int((_coarsened(lone, 1.0, generator(seed))[0, 0, :, :] > 0).any(0).sum()) for seed in range(100)]
    assert 2 <= min(widths) <= 4
    assert 2 / COARSEST - 1 <= max(widths) <= 4 / COARSEST


def test_of_few_pixels_paper_stays_paper_and_the_darkest_is_nearly_full_ink():
    images = torch.zeros(300, 1, 40, 40)
    images[:, :, 8:32, 17:23] = 0.7
    read = _of_few_pixels(images, 1.0, generator())
    assert (
        float(read.amax((1, 2, 3)).min()) >= 0.5 + 0.5 * (1 / 0.6 - 1) - 1e-4
    )  # what is read as half ink is 0.6 of it at most
    close(read[:, :, 0], torch.zeros(300, 1, 40))
    close(_of_few_pixels(torch.zeros(3, 1, 40, 40), 1.0, generator()), torch.zeros(3, 1, 40, 40))


def test_few_pixels_widen_a_hairline_to_about_one_of_them_and_more_the_fewer_there_are():
    """A column of 60 pixels becomes a column of a fifth to nine tenths of them."""
    line = torch.zeros(1, 1, 60, 60)
    line[..., 30] = 1
    widths = torch.stack([_of_few_pixels(line, 1.0, generator(seed))[0, 0, 30].sum() for seed in range(200)])
    assert 1 <= float(widths.min()) < 3
    assert 4 < float(widths.max()) <= 2 / FEWEST


def test_images_of_a_batch_have_pixels_of_several_sizes():
    line = torch.zeros(200, 1, 60, 60)
    line[..., 30] = 1
    reduced = _of_few_pixels(line, 1.0, generator())
    supports = {int((image[0, 30] > 0).sum()) for image in reduced}
    assert len(supports) > SIDES


def test_few_pixels_come_with_their_probability(ink):
    many = ink.repeat(40, 1, 1)[:, None]
    same = (_of_few_pixels(many, 0.3, generator()) == many).flatten(1).all(1).float().mean()
    assert 0.64 < float(same) < 0.76


@pytest.mark.parametrize("spoil", [_thickened, _coarsened, _of_few_pixels, _erased])
def test_no_probability_changes_nothing(ink, spoil):
    assert torch.equal(spoil(ink[:, None], 0.0, generator()), ink[:, None])


def test_a_hole_is_a_square_of_paper_and_nothing_else_changes():
    full = torch.ones(500, 1, 40, 40)
    holes = _erased(full, 1.0, generator())[:, 0] == 0
    inside = 0
    for hole in holes:
        rows, columns = hole.any(1).nonzero().flatten(), hole.any(0).nonzero().flatten()
        if len(rows) == 0 or len(columns) == 0:
            continue
        assert len(rows) == int(rows[-1] - rows[0]) + 1  # one piece
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert int(hole.sum()) == len(rows) * len(columns)  # a rectangle
        assert max(len(rows), len(columns)) <= ERASED[1] * 40 + 1
        if min(rows[0], columns[0]) > 0 and max(rows[-1], columns[-1]) < 39:
            assert abs(len(rows) - len(columns)) <= 1  # a square, where the border cuts nothing off
            assert min(len(rows), len(columns)) >= ERASED[0] * 40 - 1
            inside += 1
    assert inside > 100


def test_holes_come_with_their_probability():
    full = torch.ones(2000, 1, 40, 40)
    share = (_erased(full, 0.3, generator()) == 0).flatten(1).any(1).float().mean()
    assert float(share) == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 2000))


# ---- images in colour, that are not square ----


H, W = 12, 18


@pytest.fixture
def photo_BDHW():
    """Blobs of three channels, with paper around them."""
    image_BDHW = torch.rand(8, 3, H, W, generator=torch.Generator().manual_seed(0))
    image_BDHW[:, :, :2] = image_BDHW[:, :, -2:] = image_BDHW[..., :2] = image_BDHW[..., -2:] = 0
    return image_BDHW


ALL_OF_IT = InkAugmentation(thickness=1, coarse=1, erase=1, elastic=0.05)  # few pixels: see below


def test_the_channels_of_an_image_are_varied_alike(photo_BDHW):
    varied = vary_colour(photo_BDHW, torch.arange(8), ALL_OF_IT, generator())
    assert varied.shape == photo_BDHW.shape
    for channel in range(3):
        alone = vary_colour(photo_BDHW[:, channel : channel + 1], torch.arange(8), ALL_OF_IT, generator())
        close(varied[:, channel], alone[:, 0])


@pytest.mark.parametrize("way", [0, 2, 4, 6])
def test_half_turns_and_mirror_images_keep_an_image_that_is_not_square(photo_BDHW, way):
    turned = _warped(photo_BDHW, torch.full((8,), way), STILL, generator())
    expected = torch.rot90(photo_BDHW, way, (2, 3))
    close(turned, expected.flip(3) if way >= 4 else expected)


def test_a_quarter_turn_of_an_image_that_is_not_square_keeps_its_middle_square(photo_BDHW):
    middle = photo_BDHW[..., (W - H) // 2 : (W + H) // 2]
    turned = _warped(photo_BDHW, torch.ones(8, dtype=torch.long), STILL, generator())
    close(turned[..., (W - H) // 2 : (W + H) // 2], torch.rot90(middle, 1, (2, 3)))
