"""Figures: a whole image file with every picture in it, or none."""

from pathlib import Path

import numpy as np
import pytest
from hand_built import curved_exam, pairs_exam, ranking, trained_network
from PIL import Image
from terminals import pair, picture

from omnitwin.errors import BadInput, CannotWrite
from omnitwin.reports.answers import ComparisonReport
from omnitwin.reports.data import ShowReport
from omnitwin.reports.pictures import LabelledPicture, Picture
from omnitwin.view.figures import (
    PICTURE,
    browse_figure,
    check_figure,
    comparison_figure,
    hardest_figure,
    pairs_figure,
    ranking_figure,
)

LEVEL = 77  # a grey that nothing else of a figure has
FLAT = picture([[LEVEL]])
INTERIOR = (PICTURE - 2) ** 2  # pixels of a drawn picture within its outline


def browsed(images, pairs):
    return ShowReport(
        dataset="synthetic/training",
        subset="training",
        seed=0,
        images=(LabelledPicture(picture=FLAT, label="Greek/alpha, drawing 1"),) * images,
        pairs=(pair(FLAT),) * pairs,
    )


def scored(pairs):
    return (pair(FLAT, score=0.5, predicted=True),) * pairs


def compared(**fields):
    known = {
        "first": Path("a.png"),
        "second": Path("b.png"),
        "same": True,
        "probability": 0.75,
        "calibrated": True,
        "threshold": 0.5,
        "network": trained_network(),
        "engine": "numpy",
        "notes": (),
        "first_picture": FLAT,
        "first_input": FLAT,
        "second_input": FLAT,
        "second_picture": FLAT,
        "first_novelty": None,
        "second_novelty": None,
    }
    return ComparisonReport(**{**known, **fields})


def pictures_in(path):
    """How many pictures a figure shows, by the area of their grey; whole ones only."""
    with Image.open(path) as figure:
        assert figure.format == "PNG"
        count, rest = divmod(figure.convert("L").histogram()[LEVEL], INTERIOR)
    assert rest < INTERIOR / 100  # letters and outlines have greys of all levels at their edges
    return count


@pytest.mark.parametrize(("images", "pairs"), [(8, 10), (1, 0), (0, 1), (5, 3), (0, 0)])
def test_figure_of_random_images_and_pairs_shows_each_of_them(tmp_path, images, pairs):
    browse_figure(browsed(images, pairs), tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == images + 2 * pairs


@pytest.mark.parametrize("pairs", [1, 2, 10])
def test_figure_of_an_exam_shows_both_pictures_of_each_pair(tmp_path, pairs):
    pairs_figure(pairs_exam(shown=scored(pairs)), "synthetic/test", tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == 2 * pairs


@pytest.mark.parametrize("pairs", [1, 2, 12])
def test_figure_of_the_hardest_pairs_shows_both_pictures_of_each(tmp_path, pairs):
    hardest_figure(curved_exam(hardest=scored(pairs)), "synthetic/test", tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == 2 * pairs


@pytest.mark.parametrize("label", ["x" * 200, "漢字", "two\nlines", "[red]", "a\x1b[31mb"])
def test_figure_of_the_hardest_pairs_takes_any_label(tmp_path, label):
    hardest = (pair(FLAT, score=0.5, predicted=True, left_label=label, right_label=label),)
    hardest_figure(curved_exam(hardest=hardest), label, tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == 2


def test_figure_of_a_comparison_shows_both_pictures(tmp_path):
    comparison_figure(compared(), tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == 2


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (10, 10), (12, 10)])
def test_figure_of_a_ranking_shows_the_query_beside_each_of_the_best_ten(tmp_path, count, shown):
    ranking_figure(ranking(count, drawn=FLAT), tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == 2 * shown


@pytest.mark.parametrize("name", ["x" * 200, "漢字", "two\nlines", "[red]"])
def test_figure_of_a_comparison_takes_any_name(tmp_path, name):
    comparison_figure(compared(first=Path(name)), tmp_path / "figure.png")
    assert pictures_in(tmp_path / "figure.png") == 2


def test_figure_shows_ink_dark_on_paper_light(tmp_path):
    drawn = picture(((255, 0), (255, 0)))
    comparison_figure(compared(first_picture=drawn, second_picture=drawn), tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as figure:
        dark = figure.convert("L").histogram()[0]
    assert dark == pytest.approx(PICTURE * PICTURE, rel=0.05)  # half of each of two pictures


def test_figure_keeps_the_colours_and_the_sides_of_a_picture(tmp_path):
    orange = (200, 100, 50)
    flat = Picture(width=8, height=4, pixels=bytes(orange) * 32, channels=3)
    comparison_figure(compared(first_picture=flat, second_picture=flat), tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as figure:
        there = np.asarray(figure.convert("RGB")) == orange
    rows, _ = there.all(axis=2).nonzero()
    assert np.ptp(rows) + 1 == PICTURE // 2 - 2  # within the outline
    assert len(rows) == pytest.approx(2 * PICTURE * PICTURE // 2, rel=0.05)  # both, each half as high as wide


def test_wide_pictures_leave_no_empty_room_below_them(tmp_path):
    square = Picture(width=40, height=40, pixels=bytes([LEVEL]) * 1600)
    wide = Picture(width=120, height=40, pixels=bytes([LEVEL]) * 4800)
    heights = []
    for index, drawn in enumerate((square, wide)):
        comparison_figure(compared(first_picture=drawn, second_picture=drawn), tmp_path / f"{index}.png")
        with Image.open(tmp_path / f"{index}.png") as figure:
            heights.append(figure.height)
    assert heights[0] - heights[1] == PICTURE - PICTURE // 3


def test_figure_makes_its_folder_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "new" / "figure.png"
    comparison_figure(compared(), path)
    pairs_figure(pairs_exam(shown=scored(3)), "synthetic/test", path)
    assert pictures_in(path) == 6


@pytest.mark.parametrize("name", ["figure.png", "FIGURE.PNG", "figure.jpg", "figure.webp", "my.figure.tiff"])
def test_endings_of_images_are_taken(name):
    check_figure(Path(name))


@pytest.mark.parametrize("name", ["figure", "figure.txt", "figure.png.bak", ".png", "figure."])
def test_other_endings_are_refused_by_name(name):
    with pytest.raises(BadInput) as refused:
        check_figure(Path(name))
    assert name in str(refused.value)


@pytest.mark.parametrize(
    "ending",
    [pytest.param(ending) for ending in ("psd", "mpg", "cur", "fli")],
)
def test_endings_that_only_images_to_read_have_are_refused(ending):
    with pytest.raises(BadInput):
        check_figure(Path(f"figure.{ending}"))


def test_no_figure_asked_for_is_no_bad_figure():
    check_figure(None)


@pytest.mark.parametrize("before", [False, True])
def test_a_figure_too_high_for_its_format_is_refused_and_leaves_what_was_there(tmp_path, before):
    path = tmp_path / "figure.webp"  # of 16,383 pixels at most
    if before:
        comparison_figure(compared(), path)
    content = path.read_bytes() if before else None
    with pytest.raises(BadInput, match=r"figure\.webp cannot be written"):
        pairs_figure(pairs_exam(shown=scored(120)), "synthetic/test", path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([content] if before else [])


def full_disk(image, path, format):
    """Half of the file is written."""
    Path(path).write_bytes(b"half")
    raise OSError(28, "No space left on device")


def broken(image, path, format):
    Path(path).write_bytes(b"half")
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("save", "error", "words"),
    [(full_disk, CannotWrite, "No space left on device"), (broken, ZeroDivisionError, "a bug")],
)
@pytest.mark.parametrize("before", [False, True])
def test_a_figure_that_fails_half_way_leaves_nothing_or_the_one_before(tmp_path, before, save, error, words):
    path = tmp_path / "figure.png"
    if before:
        comparison_figure(compared(), path)
    content = path.read_bytes() if before else None
    with pytest.raises(error, match=words):
        comparison_figure(compared(), path, save)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([content] if before else [])


def test_a_folder_in_the_figures_place_is_left_alone(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(CannotWrite):
        comparison_figure(compared(), tmp_path / "figure.png")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
