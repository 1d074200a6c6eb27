"""What a report says of a folder is what lies in it."""

import shutil

import pytest
from drawn_places import draw_place, photo, write

from omnitwin.config import EvalConfig, SourceConfig
from omnitwin.exams.evaluation import evaluate

COUNTS = {f"thing {index:02}": 3 for index in range(24)}


@pytest.fixture
def place(tmp_path):
    return draw_place(tmp_path / "things", COUNTS)


def facts(place, subset="test", **source):
    config = EvalConfig(
        exams=("all-pairs",),
        baseline="pixels",
        dataset=place,
        subset=subset,
        source=SourceConfig(**source),
        device="cpu",
    )
    report = evaluate(config)
    return report, report.place


def test_images_classes_and_parts_are_those_of_the_folder(place):
    report, found = facts(place)
    assert (found.place, found.images, found.classes) == (place, 72, 24)
    assert sum(part.images for part in found.parts) == 72
    assert sum(part.classes for part in found.parts) == 24
    test = next(part for part in found.parts if part.name == "test")
    assert (test.images, test.classes) == (report.images, report.classes)
    assert (found.split, found.broken_in_all, found.leaks, found.shared) == ("classes", 0, 0, 0)
    assert any("test classes have wide intervals" in note for note in found.notes)


def test_broken_files_are_named_and_counted_and_classes_of_one_image_counted(place):
    for number in range(23):
        (place / "thing 00" / f"broken {number:02}.png").write_bytes(b"no image")
    write(place / "alone" / "only.png", photo("only"))
    report, found = facts(place, subset="all")
    assert found.broken_in_all == 23
    assert len(found.broken) == 20
    assert found.broken[0].path == "thing 00/broken 00.png"
    assert "no image" in found.broken[0].reason
    assert found.notes.count("1 class with one image makes dissimilar pairs only") == 1
    assert not [note for note in found.notes if "cannot be read" in note]  # they have a table of their own
    assert report.single_classes == 1


def test_a_test_picture_that_is_trained_on_too_is_counted_as_left_out(place):
    report, found = facts(place)
    tested = next(each.name for each in report.exams[0].worst)
    trained = next(name for name in COUNTS if name not in {each.name for each in report.exams[0].worst})
    shutil.copy(place / tested / "0.png", place / trained / "copy.png")
    again, found = facts(place)
    assert found.leaks == 1
    assert again.images == report.images - 1
    assert any("left out, because another part has the same picture" in note for note in found.notes)


def test_a_split_by_images_and_a_given_one_with_shared_classes_say_so(tmp_path):
    _, by_images = facts(draw_place(tmp_path / "many", dict.fromkeys("abcd", 10)), split="images")
    assert by_images.split == "images"
    given = tmp_path / "given"
    for part, names in (("train", range(8)), ("test", range(6, 12))):
        for name in names:
            for index in range(3):
                write(given / part / f"c{name}" / f"{part} {index}.png", photo((part, name, index)))
    _, found = facts(given)
    assert (found.split, found.shared) == ("given", 2)


def test_a_set_of_the_catalogue_has_no_place():
    config = EvalConfig(exams=("pairs",), batches=1, batch_size=4, baseline="pixels", dataset="synthetic", device="cpu")
    assert evaluate(config).place is None
