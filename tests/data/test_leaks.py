"""Test images that another part has and held-out ones trained on are found once, and again if the answer may change."""

import shutil

import pytest
from drawn_places import draw_place

from omnitwin.data import leaks, parts
from omnitwin.data.own import open_folds, open_place
from omnitwin.recipes import View

VIEW = View(height=10, width=12, channels=3, frame="photo")


@pytest.fixture
def place(tmp_path):
    """A test image is trained on, too."""
    folder = draw_place(tmp_path / "place", {f"class {index:02}": 3 for index in range(10)})
    own = opened(folder)
    shutil.copyfile(folder / own["test"].class_names[0] / "0.png", folder / own["training"].class_names[0] / "copy.png")
    return folder


@pytest.fixture
def searches(monkeypatch):
    """The number of searches so far."""
    found, real = [], leaks.find_duplicates
    monkeypatch.setattr(leaks, "find_duplicates", lambda *words: found.append(1) or real(*words))
    return found


def opened(place, seed=0):
    return open_place(place, VIEW, seed=seed, processes=0)


def test_they_are_searched_for_once(place, searches):
    first = opened(place).parts
    assert first.leaks == 1
    assert opened(place).parts == first
    assert len(searches) == 1


def test_a_held_out_picture_that_is_trained_on_is_left_out_and_a_note_says_so(tmp_path, searches):
    folder = draw_place(tmp_path / "place", {f"class {index:02}": 3 for index in range(20)})
    before = opened(folder)
    held_out, trained = before["held-out"].class_names[0], before["training"].class_names[0]
    shutil.copyfile(folder / held_out / "1.png", folder / trained / "copy.png")
    for _ in range(2):
        own = opened(folder)
        gone = [
            file.path for file, part in zip(own.store.files, own.parts.part_N, strict=True) if part == parts.LEFT_OUT
        ]
        assert gone == [f"{held_out}/1.png"]
        assert own.parts.leaks == 0  # of the test
        assert "1 held-out image is left out, because training has the same picture" in " ".join(own.parts.notes)
        assert len(own["held-out"]) == len(before["held-out"]) - 1
    assert len(searches) == 2  # before and after


@pytest.mark.parametrize("change", ["image", "seed", "class"])
def test_they_are_searched_for_again_when_something_changes(place, searches, change):
    opened(place)
    if change == "image":
        next(place.rglob("copy.png")).unlink()
        (place / "class 05" / "2.png").unlink()  # else all is as before the copy, which is remembered
    if change == "class":
        (place / "class 00").rename(place / "class 77")
    found = opened(place, seed=1 if change == "seed" else 0).parts
    assert len(searches) == 2
    if change == "image":
        assert found.leaks == 0


@pytest.mark.parametrize("content", ["", "{}", "[" * 5000, '{"leaking": 5, "trained": []}', "null", None])
def test_a_file_that_says_nothing_is_not_believed(place, searches, content):
    own = opened(place)
    path = own.store.folder / leaks.LEAKS
    if content is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_text(content)
    assert opened(place).parts == own.parts
    assert len(searches) == 2


def test_the_divisions_of_folds_are_searched_for_once_each_and_kept_beside_the_others(place, searches):
    opened(place)
    first, _ = open_folds(place, VIEW, 3, processes=0)
    again, _ = open_folds(place, VIEW, 3, processes=0)
    opened(place)
    assert [own.parts for own in again] == [own.parts for own in first]
    assert len(searches) == 1 + 3


def test_of_many_divisions_the_newest_are_kept(place, searches, monkeypatch):
    monkeypatch.setattr(leaks, "MOST_KEPT", 2)
    for seed in (0, 1, 2, 2, 1):
        opened(place, seed)
    assert len(searches) == 3
    opened(place, 0)
    assert len(searches) == 4
