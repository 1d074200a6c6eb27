"""Medians and percentiles from counts are NumPy's, to the bit; marks are measured as over the whole page."""

import cv2
import numpy as np
import pytest

from omnitwin.images.cleaning import _drawing_alone
from omnitwin.images.counting import counts_of, median, percentile
from omnitwin.images.separated import Separated
from omnitwin.images.strokes import Marks, boxes_of

PAGES = [
    np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint8)
    for seed, (low, high, shape) in enumerate([(0, 256, (31, 40)), (7, 9, (5, 8)), (0, 256, (1, 1)), (3, 250, (9, 9))])
]


@pytest.mark.parametrize("level_HW", PAGES)
def test_median_and_percentiles_from_counts_are_those_of_numpy(level_HW):
    count_L = counts_of(level_HW)
    assert median(count_L) == np.median(level_HW)
    for percent in (0, 5, 35, 50, 95, 100):
        assert percentile(count_L, percent) == np.percentile(level_HW, percent)


def test_counts_under_a_mask_are_of_its_pixels_alone():
    level_HW = PAGES[0]
    where_HW = level_HW % 3 == 0
    assert counts_of(level_HW, where_HW).tolist() == np.bincount(level_HW[where_HW], minlength=256).tolist()


def marked(seed, share=0.25):
    """Return a page with blobs somewhere in its middle, (H, W) bool."""
    random = np.random.default_rng(seed)
    page_HW = np.zeros((90, 120), np.uint8)
    top, left = random.integers(0, 30, 2)
    page_HW[top : top + 50, left : left + 70] = random.random((50, 70)) < share / 9
    return cv2.dilate(page_HW, np.ones((3, 3), np.uint8)).view(bool)


@pytest.mark.parametrize("seed", range(8))
def test_middles_in_the_box_are_those_of_the_whole_page(seed):
    marked_HW = marked(seed, share=1.5)
    depth_HW = cv2.distanceTransform(np.pad(marked_HW.view(np.uint8), 1), cv2.DIST_L2, 3)
    middle_HW = (depth_HW > 0) & (depth_HW >= cv2.dilate(depth_HW, np.ones((3, 3), np.uint8)) - 1e-3)
    marks = Marks(marked_HW)
    assert np.array_equal(marks.middle_HW(), middle_HW[1:-1, 1:-1])
    assert np.array_equal(marks.point_N2, np.argwhere(middle_HW[1:-1, 1:-1])[:, ::-1])
    assert np.array_equal(marks.depth_N, depth_HW[middle_HW])
    assert marks.area == marked_HW.sum()
    assert marks.extent == max(int(np.ptp(places)) + 1 for places in np.nonzero(marked_HW))


@pytest.mark.parametrize("seed", range(8))
def test_boxes_are_those_of_connected_components_also_inside_of_holes(seed):
    marked_HW = marked(seed)
    marked_HW[10:80, 15] = marked_HW[10:80, 100] = marked_HW[10, 15:101] = marked_HW[79, 15:101] = True
    _, _, box_M5, _ = cv2.connectedComponentsWithStats(marked_HW.view(np.uint8), connectivity=8)
    assert sorted(boxes_of(marked_HW).tolist()) == sorted(box_M5[1:, :4].tolist())


def test_nothing_is_marked_on_an_empty_page():
    marks = Marks(np.zeros((20, 30), bool))
    assert not marks
    assert (marks.extent, marks.area, marks.width(0.5)) == (0, 0, 1.0)
    assert len(marks.point_N2) == len(boxes_of(marks.marked_HW)) == 0
    assert not marks.middle_HW().any()
    ink_HW, left, notes = _drawing_alone(Separated(np.full((20, 30), 0.05, np.float32)), scanned=True)
    assert not ink_HW.any()
    assert not left
    assert notes == []
