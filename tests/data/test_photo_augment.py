"""Variations of photos: each against what it says it does, computed another way."""

import math
from dataclasses import fields, replace

import pytest
import torch

from omnitwin.data.photo_augment import COARSEST, ERASED, LUMA, _coarsened, _erased, _moved, _relit, vary_photos
from omnitwin.data.sampling import AUGMENTATIONS
from omnitwin.recipes import FAST, PhotoAugmentation

STILL = PhotoAugmentation(**{each.name: 0.0 for each in fields(PhotoAugmentation)})
H, W = 12, 18


@pytest.fixture
def photo_BCHW():
    return torch.rand(8, 3, H, W, generator=torch.Generator().manual_seed(0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def none(count):
    return torch.zeros(count, dtype=torch.long)


def moved(images, **amounts):
    return _moved(images, none(len(images)), replace(STILL, **amounts), generator())


def relit(images, **amounts):
    return _relit(images, replace(STILL, **amounts), generator())


def close(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=1e-4)


def dot(count=400, side=20):
    """Images of black with a white square of 4 x 4 pixels in the middle."""
    image_B1SS = torch.zeros(count, 1, side, side)
    image_B1SS[..., side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2] = 1
    return image_B1SS


def spread(image_B1SS):
    """Centre and standard deviation of the light in pixels from the middle: (B, 2) each, across and down."""
    at = torch.arange(image_B1SS.shape[2]) + 0.5 - image_B1SS.shape[2] / 2
    mass_B = image_B1SS.sum((1, 2, 3))
    lines = [image_B1SS.sum((1, axis)) for axis in (2, 3)]
    centre = torch.stack([(line * at).sum(1) / mass_B for line in lines], 1)
    square = torch.stack([(line * at**2).sum(1) / mass_B for line in lines], 1)
    return centre, (square - centre**2).sqrt()


def test_no_amount_of_anything_gives_the_images_back(photo_BCHW):
    close(vary_photos(photo_BCHW, none(8), STILL, generator()), photo_BCHW)


def test_variations_are_a_function_of_the_generator(photo_BCHW):
    first, again, other = (
        vary_photos(photo_BCHW, none(8), PhotoAugmentation(flip=0.5), generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_number_of_channels_stays_between_black_and_white(channels):
    images = torch.rand(16, channels, H, W, generator=generator())
    amounts = PhotoAugmentation(flip=0.5, coarse=1, erase=1, contrast=2, brightness=1, saturation=2, tint=1)
    varied = vary_photos(images, none(16), amounts, generator())
    assert varied.shape == images.shape
    assert varied.min() >= 0
    assert varied.max() <= 1


@pytest.mark.parametrize("way", range(8))
def test_a_way_round_is_a_quarter_turn_or_its_mirror_image(way):
    images = torch.rand(4, 3, H, H, generator=generator())
    turned = _moved(images, torch.full((4,), way), STILL, generator())
    expected = torch.rot90(images, way, (2, 3))
    close(turned, expected.flip(3) if way >= 4 else expected)


def test_a_flip_of_every_image_is_its_mirror_image(photo_BCHW):
    close(moved(photo_BCHW, flip=1.0), photo_BCHW.flip(3))


def test_a_mirrored_class_that_is_flipped_looks_as_it_was(photo_BCHW):
    close(_moved(photo_BCHW, torch.full((8,), 4), replace(STILL, flip=1.0), generator()), photo_BCHW)


def test_images_are_flipped_with_their_probability():
    images = torch.rand(2000, 1, 4, 4, generator=generator())
    flipped = (moved(images, flip=0.3) - images).abs().amax((1, 2, 3)) > 1e-3
    assert float(flipped.float().mean()) == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 2000))


def test_a_shift_is_by_up_to_its_share_of_the_side_in_all_directions():
    centre, _ = spread(moved(dot(), shift=0.1))
    assert centre.abs().max() <= 2 + 1e-3
    assert centre.abs().max(0).values.min() > 1.9
    assert centre.mean().abs() < 0.2


def test_a_scale_changes_width_and_height_alike_and_a_stretch_against_each_other():
    still = float(spread(dot())[1][0, 0])
    _, scaled = spread(moved(dot(), scale=0.3))
    across, down = (scaled / still).log().T
    torch.testing.assert_close(across, down, rtol=0, atol=0.06)
    assert 0.24 < float(across.max()) < 0.4
    _, stretched = spread(moved(dot(), stretch=0.3))
    across, down = (stretched / still).log().T
    assert (across - across.median()).abs().max() > 0.24
    assert float(torch.corrcoef(torch.stack([across, down]))[0, 1]) < -0.9


def test_a_rotation_is_by_up_to_its_degrees_also_where_images_are_not_square():
    bar = torch.zeros(400, 1, 20, 40)
    bar[..., 9:11, 20:28] = 1  # from the middle to the right
    turned = moved(bar, rotation=20)[:, 0]
    down, across = torch.arange(20) + 0.5 - 10, torch.arange(40) + 0.5 - 20
    mass = turned.sum((1, 2))
    x, y = (turned.sum(1) * across).sum(1) / mass, (turned.sum(2) * down).sum(1) / mass
    angle = torch.rad2deg(torch.atan2(y, x))
    torch.testing.assert_close(torch.hypot(x, y), torch.full((400,), 4.0), rtol=0, atol=0.1)
    assert 19 < float(angle.abs().max()) < 20.5
    assert (angle > 10).any()
    assert (angle < -10).any()


def test_what_comes_in_from_outside_is_the_edge():
    even = torch.full((50, 3, H, W), 0.25)
    close(moved(even, shift=0.3, rotation=30, scale=0.5), even)


def test_contrast_keeps_the_mean_and_scales_what_differs_from_it(photo_BCHW):
    images = 0.4 + photo_BCHW * 0.2  # far enough from black and white
    changed = relit(images, contrast=0.5)
    close(changed.mean((1, 2, 3)), images.mean((1, 2, 3)))
    factor = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    mean = images.mean((1, 2, 3), keepdim=True)
    close(changed, mean + (images - mean) * factor[:, None, None, None])
    assert math.exp(-0.5) <= float(factor.min()) < 1 < float(factor.max()) <= math.exp(0.5)


def test_brightness_scales_the_mean_and_keeps_what_differs_from_it(photo_BCHW):
    images = 0.4 + photo_BCHW * 0.2
    changed = relit(images, brightness=0.3)
    factor = changed.mean((1, 2, 3)) / images.mean((1, 2, 3))
    assert math.exp(-0.3) <= float(factor.min()) < 1 < float(factor.max()) <= math.exp(0.3)
    close(changed - changed.mean((1, 2, 3), keepdim=True), images - images.mean((1, 2, 3), keepdim=True))


def test_saturation_keeps_the_grey_of_every_pixel(photo_BCHW):
    images = 0.4 + photo_BCHW * 0.2
    changed = relit(images, saturation=0.5)
    luma = torch.tensor(LUMA)[:, None, None]
    close((changed * luma).sum(1), (images * luma).sum(1))
    assert not torch.equal(changed, images)


def test_tint_scales_each_channel_by_a_number_of_its_own(photo_BCHW):
    factor = relit(photo_BCHW * 0.5, tint=0.3) / (photo_BCHW * 0.5)
    close(factor, factor[:, :, :1, :1].expand_as(factor))
    assert float(factor[:, :, 0, 0].std(1).min()) > 0.001
    assert math.exp(-0.3) - 1e-4 <= float(factor.min())
    assert float(factor.max()) <= math.exp(0.3) + 1e-4


def test_grey_images_have_no_colour_to_change():
    grey = torch.rand(8, 1, H, W, generator=generator())
    close(relit(grey, saturation=1.0, tint=1.0), grey)


def test_coarse_leaves_an_even_colour_and_takes_detail_from_the_rest(photo_BCHW):
    even = torch.full((3, 3, H, W), 0.25)
    close(_coarsened(even, 1.0, generator()), even)
    after = torch.stack([_coarsened(photo_BCHW, 1.0, generator(seed)) for seed in range(20)])
    assert (after.std((2, 3, 4)) < photo_BCHW.std((1, 2, 3))).all()
    assert float((after.mean((0, 2, 3, 4)) - photo_BCHW.mean((1, 2, 3))).abs().max()) < 0.03


@pytest.mark.parametrize("side", [1, 2, 3, 20])
def test_the_smallest_images_can_be_coarse(side):
    images = torch.rand(2, 3, side, side, generator=generator())
    assert all(_coarsened(images, 1.0, generator(seed)).shape == images.shape for seed in range(20))
    assert COARSEST < 1


def test_a_hole_is_a_rectangle_of_the_mean_colour_and_nothing_else_changes():
    images = torch.rand(300, 3, 40, 60, generator=generator())
    erased = _erased(images, 1.0, generator())
    inside = 0
    for before, after in zip(images, erased, strict=True):
        hole = (before != after).any(0)
        rows, columns = hole.any(1).nonzero().flatten(), hole.any(0).nonzero().flatten()
        if len(rows) == 0 or len(columns) == 0:
            continue
        box = after[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        close(box, before.mean((1, 2))[:, None, None].expand_as(box))
        assert (box.shape[1] - 1) / 40 <= ERASED[1]
        assert (box.shape[2] - 1) / 60 <= ERASED[1]
        inside += 1
    assert inside > 280


@pytest.mark.parametrize("spoil", [_coarsened, _erased])
def test_images_are_spoilt_with_their_probability(spoil):
    images = torch.rand(2000, 1, 40, 40, generator=generator())
    share = (spoil(images, 0.3, generator()) != images).flatten(1).any(1).float().mean()
    assert float(share) == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 2000))
    assert torch.equal(spoil(images, 0.0, generator()), images)


def test_a_recipe_takes_it_by_name_and_a_batch_is_varied_by_it(photo_BCHW):
    part = FAST.changed(augmentation="photo", flip=1.0, rotation=0.0).augmentation
    assert isinstance(part, PhotoAugmentation)
    still = replace(STILL, flip=part.flip)
    close(AUGMENTATIONS["photo"](still)(photo_BCHW, none(8), generator()), photo_BCHW.flip(3))
