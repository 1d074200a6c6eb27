"""Test pictures that another part has, too, are left out of the test and counted."""

from collections import Counter

import pytest
from drawn_places import draw_place, photo, write
from PIL import Image

from omnitwin.data.describe import examined
from omnitwin.data.duplicates import find_duplicates
from omnitwin.data.parts import LEFT_OUT, divided, without_leaks
from omnitwin.data.places import list_images

CLASSES = {f"class {index:02}": 4 for index in range(14)}


def draw(seed):
    return photo(seed, (120, 90))


def parts_of(place):
    listing = list_images(place)
    return dict(zip([file.path for file in listing.files], divided(listing).part_N, strict=True))


def cleaned(place):
    listing = list_images(place)
    parts = divided(listing)
    found = find_duplicates(list(examined(listing, processes=0)), [file.label for file in listing.files], parts.part_N)
    kept = without_leaks(parts, found)
    return dict(zip([file.path for file in listing.files], kept.part_N, strict=True)), kept


@pytest.fixture
def place(tmp_path):
    return draw_place(tmp_path, CLASSES, draw)


@pytest.mark.parametrize("other", ["training", "held-out"])
def test_a_copy_in_any_form_of_a_test_picture_in_another_part_takes_it_out_of_the_test(place, other):
    before = parts_of(place)
    tested = sorted({path.split("/")[0] for path, part in before.items() if part == "test"})
    beyond = next(path.split("/")[0] for path, part in before.items() if part == other)
    first, second = draw((tested[0], 0)), draw((tested[0], 1))
    write(place / beyond / "same.png", first)
    second.save(place / beyond / "compressed.jpg", quality=60)
    write(place / beyond / "smaller.png", draw((tested[1], 2)).resize((60, 45), Image.Resampling.BOX))
    after, parts = cleaned(place)
    left_out = {f"{tested[0]}/0.png", f"{tested[0]}/1.png", f"{tested[1]}/2.png"}
    assert {path for path, part in after.items() if part == LEFT_OUT} == left_out
    assert {path: part for path, part in after.items() if path in before and path not in left_out} == {
        path: part for path, part in before.items() if path not in left_out
    }
    assert parts.leaks == 3
    assert parts.notes == ("3 test images are left out, because another part has the same picture or nearly the same",)


def test_copies_within_a_part_stay(place):
    before = parts_of(place)
    for part in ("training", "held-out", "test"):
        first, other = sorted({path.split("/")[0] for path, own in before.items() if own == part})[:2]
        write(place / first / "copy.png", draw((other, 0)))
        draw((first, 1)).save(place / first / "near.jpg", quality=60)
    after, parts = cleaned(place)
    assert (parts.leaks, parts.notes, LEFT_OUT in after.values()) == (0, (), False)


def test_a_test_that_is_trained_on_altogether_is_left_out_and_that_is_said(tmp_path):
    for part in ("train", "test"):
        draw_place(tmp_path / part, dict.fromkeys("abcd", 3), draw)
    after, parts = cleaned(tmp_path)
    assert Counter(after.values()) == {"training": 6, "held-out": 6, LEFT_OUT: 12}
    assert parts.leaks == 12
    assert parts.notes[-1].endswith(": no test image is left")
