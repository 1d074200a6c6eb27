"""Folders of images: what their classes, groups and parts are, and what is left out of them."""

import os
import socket

import pytest
from drawn_places import draw_place, photo, write

from omnitwin.data.folder import DEEPEST
from omnitwin.data.places import list_images
from omnitwin.errors import BadInput


def touch(folder, *names):
    """Empty files: a listing opens none."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def labels(listing):
    return {file.path: file.label for file in listing.files}


def reasons(listing):
    return {each.path: each.reason for each in listing.left_out}


def test_the_class_of_an_image_is_the_folder_that_holds_it(tmp_path):
    listing = list_images(touch(tmp_path, "milk/a.jpg", "milk/b.PNG", "juice/a.webp"))
    assert labels(listing) == {"juice/a.webp": "juice", "milk/a.jpg": "milk", "milk/b.PNG": "milk"}
    assert not listing.has_groups
    assert not listing.has_split


def test_folders_of_class_folders_are_groups(tmp_path):
    listing = list_images(touch(tmp_path, "dairy/milk/a.jpg", "dairy/curd/a.jpg", "fruit/pear/a.jpg"))
    assert {file.label: file.group for file in listing.files} == {
        "dairy/milk": "dairy",
        "dairy/curd": "dairy",
        "fruit/pear": "fruit",
    }


def test_one_folder_around_all_classes_is_no_group(tmp_path):
    assert not list_images(touch(tmp_path, "all/milk/a.jpg", "all/juice/a.jpg")).has_groups


def test_images_at_the_top_have_the_class_of_the_place(tmp_path):
    listing = list_images(touch(tmp_path / "mixed", "a.jpg", "milk/b.jpg"))
    assert labels(listing) == {"a.jpg": "mixed", "milk/b.jpg": "milk"}
    assert listing.notes == (
        "1 image lies in mixed itself, beside the folders of classes: taken for a class of its own",
    )
    assert list_images(touch(tmp_path / "flat", "a.jpg", "b.jpg")).notes == ()


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "val", "test"), ("training", "held-out", "test")),
        (("Train", "valid"), ("training", "held-out")),
        (("training", "validation", "testing"), ("training", "held-out", "test")),
    ],
)
def test_train_val_and_test_at_the_top_are_a_given_split(tmp_path, folders, parts):
    listing = list_images(touch(tmp_path, *(f"{folder}/c{folder}/a.jpg" for folder in folders)))
    assert {file.label: file.split for file in listing.files} == {
        f"c{folder}": part for folder, part in zip(folders, parts, strict=True)
    }


def test_what_lies_beside_a_split_is_left_out_and_named(tmp_path):
    listing = list_images(touch(tmp_path, "train/a/1.jpg", "test/b/1.jpg", "preview.jpg", "test/2.jpg", "more/c/1.jpg"))
    assert set(labels(listing)) == {"train/a/1.jpg", "test/b/1.jpg"}
    assert reasons(listing) == {
        "preview.jpg": "lies beside the folders of the split",
        "more/c/1.jpg": "lies beside the folders of the split",
        "test/2.jpg": "lies in no folder of a class",
    }


def test_classes_that_are_called_train_and_test_stay_classes(tmp_path):
    listing = list_images(touch(tmp_path, "train/1.jpg", "test/1.jpg", "bus/1.jpg"))
    assert listing.classes == ("bus", "test", "train")


@pytest.mark.parametrize(
    ("pattern", "label"),
    [(r"s\d+", "s7"), (r"(s\d+)_", "s7"), (r"x/(?P<source>\w+?)_(?P<label>\w+)\.", "cam1"), (r"/(?P<label>s\d)", "s7")],
)
def test_a_pattern_takes_the_class_from_the_path(tmp_path, pattern, label):
    (file,) = list_images(touch(tmp_path, "x/s7_cam1.jpg"), pattern).files
    assert file.label == label
    assert file.source == ("s7" if "source" in pattern else None)


def test_a_pattern_may_name_group_and_split(tmp_path):
    touch(tmp_path, "a-1-train.jpg", "a-2-test.jpg", "b-3-nowhere.jpg")
    listing = list_images(tmp_path, r"(?P<group>\w)-(?P<label>\d)-(?P<split>\w+)")
    assert {file.label: file.split for file in listing.files} == {"1": "training", "2": "test"}
    assert reasons(listing) == {"b-3-nowhere.jpg": "is in no part of the split"}


def test_a_pattern_reads_the_split_from_the_folders_at_the_top(tmp_path):
    listing = list_images(touch(tmp_path, "train/s1_1.jpg", "test/s2_1.jpg"), r"s\d")
    assert {file.label: file.split for file in listing.files} == {"s1": "training", "s2": "test"}


def test_files_that_a_pattern_does_not_match_are_named(tmp_path):
    listing = list_images(touch(tmp_path, "s1.jpg", "other.jpg"), r"s\d")
    assert reasons(listing) == {"other.jpg": "does not match the pattern"}


@pytest.mark.parametrize("pattern", ["(", "(?P<label>", "[", "*", "a{99999999999999999999}"])
def test_what_is_no_pattern_is_refused(tmp_path, pattern):
    with pytest.raises(BadInput, match="no regular expression"):
        list_images(touch(tmp_path, "s1.jpg"), pattern)


def test_a_pattern_that_matches_nothing_is_refused_with_a_path_to_look_at(tmp_path):
    with pytest.raises(BadInput, match="matches none of the 1 image files") as refused:
        list_images(touch(tmp_path, "x/s1.jpg"), "person")
    assert "x/s1.jpg" in refused.value.line()


def test_files_of_other_kinds_and_hidden_ones_are_no_images(tmp_path):
    listing = list_images(touch(tmp_path, "a/1.jpg", "a/notes.txt", "a/.hidden.jpg", ".cache/x.jpg", "a/Thumbs.db"))
    assert set(labels(listing)) == {"a/1.jpg"}
    assert listing.others == 1


@pytest.mark.parametrize("name", ["1.heic", "1.HEIF", "1.eps", "1.avif", "1.gif", "1.jpeg", "1", "1.pdf"])
def test_an_image_is_what_pillow_reads_by_itself_or_heic(tmp_path, name):
    listing = list_images(touch(tmp_path, "a/0.png", f"a/{name}"))
    assert (f"a/{name}" in labels(listing)) == (name not in ("1.eps", "1", "1.pdf"))


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_links_to_folders_are_not_followed_and_named_but_links_to_files_are(tmp_path):
    place = touch(tmp_path / "place", "a/1.jpg")
    touch(tmp_path / "elsewhere", "x.jpg")
    (place / "b").symlink_to(tmp_path / "elsewhere")
    (place / "a" / "up").symlink_to(place)  # a circle
    (place / "a" / "2.jpg").symlink_to(tmp_path / "elsewhere" / "x.jpg")
    (place / "a" / "3.jpg").symlink_to("3.jpg")
    (place / "a" / "4.jpg").symlink_to("gone.jpg")
    listing = list_images(place)
    assert set(labels(listing)) == {"a/1.jpg", "a/2.jpg"}
    assert set(reasons(listing)) == {"b", "a/up", "a/3.jpg", "a/4.jpg"}
    assert reasons(listing)["b"] == "is a link to a folder, which is not followed"
    assert reasons(listing)["a/4.jpg"] == "is a link that leads to no file"


@pytest.mark.skipif(os.name == "nt", reason="needs pipes")
def test_pipes_and_sockets_are_never_opened(tmp_path):
    place = touch(tmp_path, "a/1.jpg")
    os.mkfifo(place / "a" / "2.jpg")
    (place / "a" / "3.jpg").symlink_to(place / "a" / "2.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(place / "a")  # a socket's path is short
        try:
            listening.bind("4.jpg")
        finally:
            os.chdir(here)
        listing = list_images(place)
    assert set(labels(listing)) == {"a/1.jpg"}
    assert set(reasons(listing)) == {"a/2.jpg", "a/3.jpg", "a/4.jpg"}


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs permissions")
@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    place = touch(tmp_path, "a/1.jpg", "b/1.jpg")
    (place / "b").chmod(0)
    try:
        assert "may not be read" in reasons(list_images(place))["b"]
    finally:
        (place / "b").chmod(0o700)


def test_a_tree_that_is_too_deep_is_cut_and_named(tmp_path):
    deep = "/".join(["d"] * (DEEPEST + 3))
    listing = list_images(touch(tmp_path, "a/1.jpg", f"{deep}/1.jpg"))
    assert set(labels(listing)) == {"a/1.jpg"}
    assert [reason for reason in reasons(listing).values()] == [f"lies more than {DEEPEST} folders deep"]


@pytest.mark.skipif(os.name == "nt", reason="names that Windows forbids")
def test_names_with_control_characters_or_of_no_encoding_are_listed_as_they_are(tmp_path):
    folders = [b"new\nline", b"esc\x1b[31m", b"latin\xe9", "füße".encode()]
    for folder in folders:
        path = os.path.join(os.fsencode(tmp_path), folder)
        os.mkdir(path)
        photo(folder).save(os.path.join(os.fsdecode(path), "1.png"))
    assert {os.fsencode(label) for label in list_images(tmp_path).classes} == set(folders)


def test_classes_whose_names_differ_only_by_case_or_unicode_form_stay_apart_and_are_named(tmp_path):
    touch(tmp_path, "caf\u00e9/1.jpg", "cafe\u0301/1.jpg", "Milk/1.jpg", "other/1.jpg")
    touch(tmp_path, "milk/1.jpg")
    listing = list_images(tmp_path)
    if len(os.listdir(tmp_path)) == 5:  # this disk tells them apart
        assert len(listing.classes) == 5
        (note,) = listing.notes
        assert "Milk and milk" in note
        assert "other" not in note


def test_nothing_is_changed_in_the_place(tmp_path):
    place = draw_place(tmp_path / "place", {"a": 2, "b": 2})
    before = sorted((path, path.stat().st_mtime_ns) for path in place.rglob("*"))
    list_images(place)
    assert sorted((path, path.stat().st_mtime_ns) for path in place.rglob("*")) == before


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "gone", "does not exist"),
        (lambda folder: touch(folder, "a/notes.txt"), "holds no image files, but 1 of other kinds"),
        (lambda folder: folder, "holds no image files"),
        (lambda folder: write(folder / "1.png", photo(1)), "is a file, and no table"),
    ],
)
def test_a_place_without_images_is_refused(tmp_path, make, said):
    with pytest.raises(BadInput, match=said):
        list_images(make(tmp_path))


def test_a_listing_is_sorted_by_group_class_and_path_wherever_the_files_lie(tmp_path):
    names = ("b/y/2.jpg", "a/z/1.jpg", "b/y/1.jpg", "b/x/3.jpg")
    listing = list_images(touch(tmp_path, *names))
    assert [file.path for file in listing.files] == ["a/z/1.jpg", "b/x/3.jpg", "b/y/1.jpg", "b/y/2.jpg"]
