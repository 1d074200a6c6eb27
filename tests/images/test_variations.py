"""Variations of a drawing: a person would call all of them the same drawing."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from omnitwin.images.variations import AS_DRAWN, VARIATIONS
from omnitwin.images.views import seen
from omnitwin.recipes import square

NAMES = list(VARIATIONS)


@pytest.fixture
def drawing(tiny_105):
    return tiny_105.images_NHW[2].numpy()


def varied(name, drawing, seed=0):
    return VARIATIONS[name](drawing, np.random.default_rng(seed))


def ink_share(image):
    return float((np.asarray(image) < 128).mean())


@pytest.mark.parametrize("name", NAMES)
def test_every_variation_is_a_grey_image_and_the_same_for_the_same_numbers(name, drawing):
    image = varied(name, drawing)
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), np.asarray(varied(name, drawing)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (AS_DRAWN, "thin pen")])
def test_other_numbers_or_none_give_another_image(name, drawing):
    images = [np.asarray(varied(name, drawing, seed)) for seed in range(6)]
    same = all(image.shape == images[0].shape and np.array_equal(image, images[0]) for image in images)
    assert same == name.endswith("enlarged")


def test_as_drawn_is_the_drawing(drawing):
    assert np.array_equal(np.asarray(varied(AS_DRAWN, drawing)), drawing * 255)


def test_a_thick_pen_leaves_more_ink_and_a_thin_one_less(drawing):
    thin, plain, thick = (ink_share(varied(name, drawing)) for name in ("thin pen", AS_DRAWN, "thick pen"))
    assert thin < 0.8 * plain
    assert thick > 1.3 * plain


def test_light_on_dark_is_mostly_dark(drawing):
    assert ink_share(varied("light on dark", drawing)) > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_the_intake_finds_the_drawing_again_in_every_variation(name):
    """Nearer to its own original than to that of the other character, by a good deal."""
    drawings = []
    for strokes in (((25, 20), (25, 80), (70, 80)), ((20, 75), (50, 20), (85, 75), (30, 45))):
        sheet = Image.new("L", (105, 105), 1)
        ImageDraw.Draw(sheet).line(strokes, fill=0, width=4)
        drawings.append(np.asarray(sheet))

    def pixels(image):
        return seen(image, square(20, "ink")).pixels_CHW[0].astype(float)

    for own, other in ((0, 1), (1, 0)):
        found = pixels(varied(name, drawings[own], own))
        gaps = [np.abs(found - pixels(varied(AS_DRAWN, drawings[index]))).mean() for index in (own, other)]
        assert gaps[0] < (0.95 if name.endswith("enlarged") else 0.75) * gaps[1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [28, 105])
def test_a_blank_drawing_and_one_all_ink_are_varied_without_failure(name, size):
    for level in (0, 1):
        assert isinstance(varied(name, np.full((size, size), level, np.uint8)), Image.Image)
