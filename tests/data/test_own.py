"""A folder of images as image sets: what the protocol promises, whether pixels are kept or read from the map."""

import hashlib
import shutil

import numpy as np
import pytest
import torch
from drawn_places import draw_place, photo, write
from listening import Notes
from PIL import Image

from omnitwin.data.catalogue import PROTOCOL, checked, part_of
from omnitwin.data.own import open_folds, open_place
from omnitwin.data.parts import divided
from omnitwin.data.places import list_images
from omnitwin.data.store import store_folder
from omnitwin.errors import BadInput, DatasetCorrupt
from omnitwin.images.intake import read_picture
from omnitwin.images.packing import seen_of
from omnitwin.recipes import View
from omnitwin.reports.nouns import OWN, nouns_of

COUNTS = {f"class {index:02}": 2 + index % 3 for index in range(10)}
VIEW = View(height=18, width=24, channels=3, frame="photo")
GREY = View(height=12, width=12, channels=1, frame="photo")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """10 classes of 2, 3 or 4 photos; not to be changed."""
    return draw_place(tmp_path_factory.mktemp("photos") / "things", COUNTS)


def opened(place, view=VIEW, **words):
    return open_place(place, view, processes=0, **words)


def kept(images, wanted):
    """The same set with its pixels in memory, or in the map only."""
    from dataclasses import replace

    return replace(images, kept=wanted)


def wanted_pixels(images, place, view=VIEW):
    """What gather should return, from the files alone."""
    rows = [
        read_picture(place / images.file_of(row).path, lambda picture: seen_of(picture, view))
        for row in range(len(images))
    ]
    return torch.from_numpy(np.stack(rows)).float() / 255


def test_the_parts_are_those_of_the_split_and_all(place):
    own = opened(place, seed=3)
    part_N = divided(list_images(place), 3).part_N
    assert list(own) == ["training", "held-out", "test", "all"]
    assert {part: len(own[part]) for part in own} == {
        **{part: part_N.count(part) for part in ("training", "held-out", "test")},
        "all": len(part_N),
    }
    names = [set(own[part].class_names) for part in ("training", "held-out", "test")]
    assert set.union(*names) == set(COUNTS)
    assert sum(map(len, names)) == len(COUNTS)


def test_a_part_follows_the_protocol(place):
    images = opened(place)["all"]
    assert checked(images) is images
    assert {name for name in PROTOCOL if not hasattr(images, name)} == set()
    assert images.name == "things/all"
    assert images.shape == (3, 18, 24)
    assert images.class_names == tuple(COUNTS)
    assert images.count_C.tolist() == list(COUNTS.values())
    assert images.first_C.tolist() == np.cumsum([0, *COUNTS.values()])[:-1].tolist()
    assert images.class_N.tolist() == sorted(images.class_N.tolist())
    assert (images.group_C, images.group_names, images.source_N) == (None, (), None)
    assert images.label(0) == "class 00, 0.png"


@pytest.mark.parametrize("keep", [True, False])
def test_gather_returns_what_a_network_sees_of_each_file(place, keep):
    images = kept(opened(place)["all"], keep)
    assert torch.equal(images.gather(torch.arange(len(images))), wanted_pixels(images, place))
    rows = torch.tensor([7, 0, 7, 3])
    assert torch.equal(images.gather(rows), wanted_pixels(images, place)[rows])
    assert images.gather(rows[:0]).shape == (0, 3, 18, 24)
    assert images.nbytes == (len(images) * 3 * 18 * 24 if keep else 0)


def test_a_set_is_kept_a_portion_at_a_time(place, monkeypatch):
    monkeypatch.setattr("omnitwin.data.own.READ_AT_ONCE", 7 * 3 * 18 * 24 + 1)
    images = kept(opened(place)["all"], True)
    assert torch.equal(images.gather(torch.arange(len(images))), wanted_pixels(images, place))


def test_a_set_that_is_small_beside_the_free_memory_is_kept_there(place, monkeypatch):
    images = opened(place)["all"]
    for free, wanted in ((None, True), (1 << 40, True), (1000, False)):
        monkeypatch.setattr("omnitwin.data.own.free_main_memory", lambda free=free: free)
        assert kept(images, None).is_kept == wanted


def test_a_folder_with_the_name_of_a_known_set_is_not_taken_for_it(place, tmp_path):
    images = opened(shutil.copytree(place, tmp_path / "omniglot"))["test"]
    assert images.name == "own omniglot/test"
    assert nouns_of(images.name) == OWN


@pytest.mark.parametrize("keep", [True, False])
def test_some_classes_are_numbered_from_0_again_and_keep_their_pixels(place, keep):
    whole = kept(opened(place)["all"], keep)
    chosen_C = torch.tensor([index % 3 == 1 for index in range(len(COUNTS))])
    some = whole.of_classes(chosen_C)
    assert some.class_names == tuple(np.array(list(COUNTS))[chosen_C.numpy()])
    assert some.class_N.unique().tolist() == list(range(3))
    rows = chosen_C[whole.class_N].nonzero().flatten()
    assert torch.equal(some.gather(torch.arange(len(some))), whole.gather(rows))
    assert [some.label(row) for row in range(len(some))] == [whole.label(row) for row in rows.tolist()]


def test_groups_and_sources_are_numbered_in_their_order(tmp_path):
    for name in ("b/x", "b/y", "a/z", "a/w"):
        for camera in ("1", "2"):
            write(tmp_path / name / f"{camera}.png", photo((name, camera)))
    pattern = r"(?P<label>(?P<group>\w)/\w)/(?P<source>\d)"
    images = opened(tmp_path, pattern=pattern)["all"]
    assert images.class_names == ("a/w", "a/z", "b/x", "b/y")
    assert (images.group_names, images.group_C.tolist()) == (("a", "b"), [0, 0, 1, 1])
    assert images.source_N.tolist() == [0, 1] * 4
    some = images.of_classes(torch.tensor([False, False, True, True]))
    assert (some.group_names, some.group_C.tolist(), some.source_N.tolist()) == (("b",), [0, 0], [0, 1] * 2)


@pytest.mark.parametrize("keep", [True, False])
def test_another_view_shows_the_same_images(place, keep):
    images = kept(opened(place)["test"], keep)
    assert images.framed(VIEW) is images
    grey = images.framed(GREY)
    assert grey.shape == (1, 12, 12)
    assert torch.equal(grey.class_N, images.class_N)
    assert torch.equal(grey.gather(torch.arange(len(grey))), wanted_pixels(images, place, GREY))
    assert grey.fingerprint == images.fingerprint


def test_a_file_that_went_before_another_view_was_made_is_no_image_of_it(place, tmp_path):
    own = shutil.copytree(place, tmp_path / "place")
    images = opened(own)["all"]
    for index in range(2):
        (own / "class 00" / f"{index}.png").unlink()
    (own / "class 01" / "1.png").unlink()
    grey = images.framed(GREY)
    assert len(grey) == len(images) - 3
    assert grey.class_names == images.class_names[1:]
    assert grey.count_C.tolist() == [2, *list(COUNTS.values())[2:]]


def test_a_picture_is_in_the_colours_of_its_file_whatever_a_network_sees(place):
    images = opened(place, GREY)["all"]
    picture = images.picture(3)
    with Image.open(place / images.file_of(3).path) as file:
        assert (picture.mode, picture.size, picture.pixels) == ("RGB", file.size, file.tobytes())


def test_a_picture_whose_file_is_gone_is_what_a_network_sees(place, tmp_path):
    own = shutil.copytree(place, tmp_path / "place")
    images = opened(own)["all"]
    shutil.rmtree(own)
    picture = images.picture(0)
    assert (picture.width, picture.height, picture.channels) == (24, 18, 3)


def test_the_fingerprint_is_of_names_and_contents_only(place, tmp_path):
    first = opened(place)["all"].fingerprint
    own = shutil.copytree(place, tmp_path / "elsewhere" / "place")
    assert len(first) == len(hashlib.sha256().hexdigest())
    assert opened(own)["all"].fingerprint == first
    with Image.open(own / "class 00" / "0.png") as image:
        image.save(own / "class 00" / "0.png", compress_level=1)  # other bytes, the same pixels
    assert opened(own)["all"].fingerprint == first
    write(own / "class 00" / "0.png", photo("other"))
    assert opened(own)["all"].fingerprint != first
    shutil.copyfile(place / "class 00" / "0.png", own / "class 00" / "0.png")
    (own / "class 09").rename(own / "class 99")
    assert opened(own)["all"].fingerprint != first


def test_what_was_left_out_is_counted_and_named(place, tmp_path):
    own = shutil.copytree(place, tmp_path / "place")
    for index in range(5):
        (own / "class 00" / f"broken{index}.jpg").touch()
    write(own / "alone" / "1.png", photo("alone"))
    notes = Notes()
    images = opened(own, reporter=notes)["all"]
    assert len(images) == sum(COUNTS.values()) + 1
    assert notes.said[:2] == [
        "5 image files cannot be read: class 00/broken0.jpg is an empty file; class 00/broken1.jpg is an empty file; "
        "class 00/broken2.jpg is an empty file; and 2 more",
        "1 class with one image makes dissimilar pairs only",
    ]


def test_blank_images_are_counted_and_named(place, tmp_path):
    own = shutil.copytree(place, tmp_path / "place")
    write(own / "class 00" / "blank.png", Image.new("RGB", (40, 30), "white"))
    notes = Notes()
    opened(own, reporter=notes)
    said = "1 image of one colour all over, with nothing to learn or compare: class 00/blank.png"
    assert said in notes.said
    opened(own, reporter=(again := Notes()))  # from the store, without decoding
    assert said in again.said


def test_a_test_image_that_is_also_trained_on_is_left_out(place, tmp_path):
    own = shutil.copytree(place, tmp_path / "place")
    parts = opened(own)
    tested, trained = parts["test"].class_names[0], parts["training"].class_names[0]
    shutil.copyfile(own / tested / "0.png", own / trained / "copy.png")
    notes = Notes()
    again = opened(own, reporter=notes)
    assert len(again["test"]) == len(parts["test"]) - 1
    assert len(again["training"]) == len(parts["training"]) + 1
    assert len(again["all"]) == len(parts["all"]) + 1
    assert any(note.startswith("1 test image is left out") for note in notes.said)


def test_a_split_by_images_has_the_same_classes_in_all_parts(tmp_path):
    own = opened(draw_place(tmp_path, dict.fromkeys("abcdef", 8)), split="images")
    assert set(own["training"].class_names) & set(own["test"].class_names)


def test_what_cannot_be_trained_on_is_refused_when_it_is_to_be(tmp_path):
    own = opened(draw_place(tmp_path, {"a": 2, "b": 3}))
    assert len(own["all"]) == 5
    with pytest.raises(BadInput, match="cannot be trained on: it has 2 classes"):
        own["training"]
    with pytest.raises(KeyError):
        own["test"]


def test_one_folder_of_images_is_refused_with_the_folder_above(place):
    with pytest.raises(BadInput, match="it has 1 class") as refused:
        opened(place / "class 00")["training"]
    assert "so are one class: name the folder above" in refused.value.line()


def test_a_place_without_a_test_says_how_many_classes_it_takes_and_what_else_there_is(tmp_path):
    notes = Notes()
    own = opened(draw_place(tmp_path, dict.fromkeys("abcde", 3)), reporter=notes)
    assert any("too few classes for a test part: 6 with two images are the least" in note for note in notes.said)
    with pytest.raises(BadInput, match="has no test part") as refused:
        part_of(own, "test")
    assert refused.value.line().endswith("--set held-out")


def test_a_place_of_broken_files_is_refused(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    with pytest.raises(BadInput, match=r"none of the 2 image files .* can be read: a/1.jpg is an empty file"):
        opened(tmp_path)


@pytest.mark.parametrize("keep", [True, False])
def test_damaged_pixels_are_never_seen(place, tmp_path, keep):
    own = shutil.copytree(place, tmp_path / "place")
    opened(own)
    (path,) = store_folder(own, VIEW).glob("pixels-*")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    notes = Notes()
    images = kept(opened(own, reporter=notes)["all"], keep)
    assert torch.equal(images.gather(torch.arange(len(images))), wanted_pixels(images, own))
    assert notes.said[-1].endswith("is damaged. Its images are read again.")
    assert not torch.equal(
        torch.from_numpy(np.array(images.store.pixels_RCHW[0])).float() / 255, images.gather(torch.tensor([0]))[0]
    )
    write(own / "class 00" / "0.png", photo("another"))
    with pytest.raises(DatasetCorrupt, match=r"class 00/0.png .* damaged, and the file has changed"):
        kept(images, keep).gather(torch.tensor([0]))
    assert torch.equal(opened(own)["all"].gather(torch.tensor([0])), wanted_pixels(images, own)[:1])


@pytest.mark.gpu
@pytest.mark.parametrize("keep", [True, False])
def test_on_a_gpu_the_same_pixels_arrive(place, keep):
    images = kept(opened(place)["all"], keep)
    there = images.to(torch.device("cuda:0"))
    rows = torch.tensor([5, 1, 9])
    found = there.gather(rows.to("cuda:0"))
    assert found.device.type == "cuda"
    assert torch.allclose(found.cpu(), images.gather(rows), atol=1e-6)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "view", "classes", "images"),
    [
        ("coil100", View(height=64, width=64, channels=3, frame="photo"), 99, 1182),
        ("signatures30", View(height=32, width=64, channels=1, frame="ink"), 30, 300),
    ],
)
def test_real_sets_are_decoded_whole_and_opened_again_without_decoding(own_set, name, view, classes, images):
    place = own_set(name)
    first = open_place(place, view)["all"]
    assert (len(first.class_names), len(first), first.store.broken) == (classes, images, ())
    own = open_place(place, view)
    assert own.store.decoded == 0
    assert own["all"].fingerprint == first.fingerprint
    rows = torch.arange(0, images, 37)
    assert torch.equal(kept(own["all"], False).gather(rows), kept(first, True).gather(rows))
    assert float(own["all"].gather(rows).std()) > 0.05
    assert {len(own[part]) > 0 for part in ("training", "held-out", "test")} == {True}


def test_every_class_of_a_place_is_a_test_class_of_one_fold_and_copies_elsewhere_leave_the_test(tmp_path):
    place = draw_place(tmp_path / "things", COUNTS)
    write(place / "class 01" / "copy.png", photo(("class 00", 0)))
    divisions, everything = open_folds(place, VIEW, 5, processes=0)
    labels = [name for own in divisions for name in own["test"].class_names]
    assert sorted(labels) == sorted(COUNTS)
    files = [own["test"].file_of(row).path for own in divisions for row in range(len(own["test"]))]
    together = [{"class 00", "class 01"} <= set(own["test"].class_names) for own in divisions]
    left_out = set() if any(together) else {"class 00/0.png", "class 01/copy.png"}
    assert len(files) == len(set(files)) == sum(COUNTS.values()) + 1 - len(left_out)
    assert left_out.isdisjoint(files)
    assert len(everything) == sum(COUNTS.values()) + 1
    assert everything.name.endswith("/training")
