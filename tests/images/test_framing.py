"""How a drawing lies in the square: against loops, and against the drawing itself moved or scaled."""

import numpy as np
import pytest
import torch
from PIL import Image

from omnitwin.data import synthetic
from omnitwin.images.framing import FILL, INKED, framed, ink_boxes
from omnitwin.images.resampling import area_resize
from omnitwin.images.views import seen
from omnitwin.recipes import View, square

PAPER = 255


@pytest.fixture(scope="module")
def drawings():
    return synthetic.draw_set("training", alphabets=2, characters=4, drawers=3).images_NHW.numpy() * np.uint8(255)


def box_by_loop(image):
    inked = [(row, column) for row, line in enumerate(image) for column, grey in enumerate(line) if grey < 255 * INKED]
    if not inked:
        return [0, image.shape[0], 0, image.shape[1]]
    rows, columns = zip(*inked, strict=True)
    return [min(rows), max(rows) + 1, min(columns), max(columns) + 1]


def test_the_box_is_that_of_a_loop_over_all_pixels(drawings):
    assert ink_boxes(drawings).tolist() == [box_by_loop(image) for image in drawings]


@pytest.mark.parametrize("seed", range(20))
def test_the_box_of_noise_and_of_single_pixels_is_that_of_the_loop(seed):
    random = np.random.default_rng(seed)
    images = random.integers(100, 256, (6, 9, 7)).astype(np.uint8)
    images[random.random((6, 9, 7)) < 0.9] = PAPER
    assert ink_boxes(images).tolist() == [box_by_loop(image) for image in images]


def test_without_ink_the_box_is_the_whole_image_and_the_square_is_paper():
    blank = np.full((2, 30, 50), PAPER, np.uint8)
    assert ink_boxes(blank).tolist() == [[0, 30, 0, 50]] * 2
    assert (framed(blank, 20, 20, "ink") == PAPER).all()


def bar(sheet, top, bottom, left, right):
    image = np.full((1, *sheet), PAPER, np.uint8)
    image[0, top:bottom, left:right] = 0
    return image


@pytest.mark.parametrize("size", [20, 28, 33])
@pytest.mark.parametrize("box", [(3, 40, 50, 60), (90, 95, 5, 100), (0, 105, 0, 105), (50, 51, 7, 8)])
def test_the_longer_side_of_the_ink_fills_its_share_of_the_square_in_the_middle_and_the_aspect_is_kept(size, box):
    top, bottom, left, right = box
    ink = 1 - framed(bar((105, 105), *box), size, size, "ink")[0] / PAPER
    longer = max(bottom - top, right - left)
    height, width = (FILL * size * side / longer for side in (bottom - top, right - left))
    assert ink.sum() == pytest.approx(height * width, rel=0.02)  # pixels, partly covered ones by their share
    assert height <= (ink > 0).any(1).sum() < height + 2
    assert width <= (ink > 0).any(0).sum() < width + 2
    at = np.arange(size) + 0.5
    assert (ink.sum(1) * at).sum() / ink.sum() == pytest.approx(size / 2, abs=0.05)
    assert (ink.sum(0) * at).sum() / ink.sum() == pytest.approx(size / 2, abs=0.05)


def test_ink_is_scaled_by_the_square_of_the_length(drawings):
    for image in drawings:
        top, bottom, left, right = box_by_loop(image)
        scale = FILL * 28 / max(bottom - top, right - left)
        ink = (PAPER - framed(image[None], 28, 28, "ink").astype(float)).sum()
        assert ink == pytest.approx((PAPER - image.astype(float)).sum() * scale**2, rel=0.01)


def test_the_drawing_is_centred_by_its_box_to_half_a_pixel(drawings):
    squares = framed(drawings, 28, 28, "ink")
    for image in squares:
        rows, columns = (image < PAPER - 8).any(1).nonzero()[0], (image < PAPER - 8).any(0).nonzero()[0]
        for extent in (rows, columns):
            assert abs((extent[0] + extent[-1] + 1) / 2 - 14) <= 0.5


@pytest.mark.parametrize("place", [(0, 0), (200, 13), (95, 195)])
def test_where_a_drawing_lies_on_its_sheet_changes_nothing(drawings, place):
    row, column = place
    sheet = np.full((len(drawings), 310, 300), PAPER, np.uint8)
    sheet[:, row : row + 105, column : column + 105] = drawings
    difference = framed(sheet, 20, 20, "ink").astype(int) - framed(drawings, 20, 20, "ink")
    assert np.abs(difference).max() <= 1  # of 255: the last digit of a mean


@pytest.mark.parametrize("factor", [2, 3])
def test_a_drawing_enlarged_looks_the_same(drawings, factor):
    enlarged = drawings.repeat(factor, 1).repeat(factor, 2)
    difference = framed(enlarged, 20, 20, "ink").astype(int) - framed(drawings, 20, 20, "ink")
    assert np.abs(difference).max() <= 1


def test_an_image_alone_is_its_row_among_many(drawings):
    many = framed(drawings, 20, 20, "ink")
    assert all(
        np.array_equal(framed(image[None], 20, 20, "ink")[0], row) for image, row in zip(drawings, many, strict=True)
    )
    assert np.array_equal(framed(drawings, 20, 20, "ink", block=5), many)


def test_the_frame_whole_is_the_whole_image_scaled(drawings):
    assert np.array_equal(framed(drawings, 28, 28, "whole"), area_resize(drawings, 28, 28))


def test_a_packed_set_is_framed_as_its_images(drawings):
    packed = synthetic.draw_set("training", alphabets=2, characters=4, drawers=3)
    assert np.array_equal(packed.framed(square(20, "ink")).images_NHW.numpy(), framed(drawings, 20, 20, "ink"))
    assert packed.framed(square(105, "ink")).images_NHW.shape == packed.images_NHW.shape
    assert not torch.equal(packed.framed(square(105, "ink")).images_NHW, packed.images_NHW * 255)


@pytest.mark.parametrize(
    ("frame", "size"),
    [("ink", (24, 40)), ("whole", (24, 40)), ("whole", (150, 120)), ("photo", (24, 40)), ("photo", (150, 120))],
)
def test_a_row_of_a_packed_set_is_seen_as_its_picture_is(drawings, frame, size):
    view = View(height=size[0], width=size[1], frame=frame)
    packed = synthetic.draw_set("training", alphabets=2, characters=4, drawers=3)
    rows = packed.framed(view).images_NHW
    for drawing, row in zip(drawings, rows.numpy(), strict=True):
        difference = seen(Image.fromarray(drawing), view).pixels_CHW[0].astype(int) - row
        assert not difference.any()
