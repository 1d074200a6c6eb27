"""Scaling against brute force, and the same for a data set as for a file."""

import numpy as np
import pytest
from PIL import Image

from omnitwin.images.resampling import area_resize, window_coverage
from omnitwin.images.views import read_image
from omnitwin.recipes import square


def by_brute_force(image, height, width):
    """Each source pixel cut into height x width pieces, which fill the target cells exactly."""
    pieces = np.kron(image.astype(np.float64), np.ones((height, width)))
    return pieces.reshape(height, image.shape[0], width, image.shape[1]).mean((1, 3))


@pytest.mark.parametrize(("height", "width"), [(3, 2), (5, 7), (12, 9), (1, 1), (8, 6)])
def test_a_pixel_is_the_mean_of_the_area_it_covers(height, width):
    image = np.random.default_rng(0).integers(0, 256, (8, 6)).astype(np.uint8)
    small = area_resize(image[None], height, width)[0]
    assert np.abs(small - by_brute_force(image, height, width)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(("source", "target"), [(105, 28), (28, 105), (7, 7), (1, 4), (20_000, 28)])
def test_the_shares_of_a_cell_add_up_to_one_and_each_pixel_counts_alike(source, target):
    shares = window_coverage(np.zeros(1), np.full(1, float(source)), source, target)[0]
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-4)
    np.testing.assert_allclose(shares.sum(0), target / source, rtol=1e-3)


@pytest.mark.parametrize("frame", ["whole", "ink"])
@pytest.mark.parametrize("size", [20, 28, 64, 105])
def test_a_drawing_read_from_a_file_is_to_the_bit_the_row_that_training_saw(tiny_105, tmp_path, size, frame):
    rows = tiny_105.framed(square(size, frame))
    for row in (0, 7):
        Image.fromarray(tiny_105.images_NHW[row].numpy() * np.uint8(255)).save(tmp_path / "row.png")
        seen = np.asarray(read_image(tmp_path / "row.png", square(size, frame)).image)
        assert np.array_equal(seen, rows.images_NHW[row].numpy() * (255 // rows.white))


def coverage_by_loop(start, length, source, target):
    """Overlap of each cell with each pixel, as a share of the cell."""
    cell = length / target
    return [
        [
            max(0.0, min(start + (place + 1) * cell, pixel + 1) - max(start + place * cell, pixel)) / cell
            for pixel in range(source)
        ]
        for place in range(target)
    ]


@pytest.mark.parametrize(("source", "target"), [(7, 5), (5, 7), (6, 6), (1, 4), (9, 1)])
def test_shares_of_windows_anywhere_are_those_of_a_loop(source, target):
    random = np.random.default_rng(source)
    start, length = random.uniform(-4, source, 12), random.uniform(0.3, 2 * source, 12)
    wanted = [coverage_by_loop(one, two, source, target) for one, two in zip(start, length, strict=True)]
    np.testing.assert_allclose(window_coverage(start, length, source, target), wanted, atol=1e-6)


def test_what_lies_outside_the_source_has_no_share():
    shares = window_coverage(np.array([-10.0, 20.0]), np.array([10.0, 5.0]), 8, 4)
    assert not shares.any()
