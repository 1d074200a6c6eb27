"""The edge of a sheet, or a line of a form, that runs along the border of a scan is no ink of the drawing."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from omnitwin.images.cleaning import UNEDGED, clean_ink
from omnitwin.images.lines import LINES

SIDE = 160


def scan(*lines, two_level=False, drawing=True):
    """A zigzag in the middle of a sheet, and straight lines of three pixels: each from one point to another."""
    image = Image.new("L", (SIDE, SIDE), 240)
    pen = ImageDraw.Draw(image)
    if drawing:
        pen.line([(50, 60), (60, 100), (75, 62), (85, 98), (105, 70)], fill=30, width=4)
    for line in lines:
        pen.line(line, fill=60, width=3)
    return image.point(lambda level: 0 if level < 128 else 255) if two_level else shaded(image)


def shaded(image):
    """The same under a light that falls off, so that it has many grey levels."""
    light = np.linspace(1, 0.9, SIDE)[None]
    return Image.fromarray((np.asarray(image) * light).round().astype(np.uint8))


EDGES = {
    "left": [(2, 0), (2, SIDE)],
    "right, away from the border": [(SIDE - 8, 0), (SIDE - 8, SIDE)],
    "below, slanting": [(0, SIDE - 3), (SIDE, SIDE - 10)],
    "above, half of it": [(70, 3), (150, 3)],
}


@pytest.mark.parametrize("line", EDGES.values(), ids=EDGES)
def test_a_line_along_the_border_is_ignored_and_said(line):
    alone, cleaned = clean_ink(scan()), clean_ink(scan(line))
    assert {UNEDGED, LINES} & {*cleaned.notes}
    assert not {UNEDGED, LINES} & {*alone.notes}
    assert np.abs(cleaned.ink_HW - alone.ink_HW).mean() < 0.005


def test_lines_along_two_borders_go_together():
    both = clean_ink(scan(EDGES["left"], EDGES["below, slanting"]))
    assert np.abs(both.ink_HW - clean_ink(scan()).ink_HW).mean() < 0.005
    assert len({UNEDGED, LINES} & {*both.notes}) == 1


@pytest.mark.parametrize("line", [[(30, 0), (30, SIDE)], [(2, 60), (2, 90)], [(2, 120), (60, 120)]])
def test_a_line_inside_or_a_short_one_or_one_that_runs_inwards_stays(line):
    assert UNEDGED not in clean_ink(scan(line)).notes


def test_a_line_that_is_all_there_is_stays():
    cleaned = clean_ink(scan(EDGES["left"], drawing=False))
    assert cleaned.ink_HW[:, :4].mean() > 0.3
    assert UNEDGED not in cleaned.notes


def test_a_drawing_in_two_levels_loses_the_edge_and_keeps_its_other_pixels():
    drawn, alone = scan(EDGES["left"], two_level=True), scan(two_level=True)
    assert np.array_equal(clean_ink(drawn).ink_HW > 0.5, np.asarray(alone) == 0)
