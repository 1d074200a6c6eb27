"""What is told of a folder of images before anybody trains on it."""

import json
from collections import Counter

import pytest
from drawn_places import draw_place, photo, signature, write
from PIL import Image

from omnitwin.config import ShowConfig, SourceConfig
from omnitwin.data.describe import describe
from omnitwin.data.parts import divided
from omnitwin.data.places import list_images
from omnitwin.errors import BadInput
from omnitwin.view.console import print_json

CLASSES = {f"class {index:02}": 2 + index % 3 for index in range(12)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """12 classes of 2, 3 or 4 photos in colour; not to be changed."""
    return draw_place(tmp_path_factory.mktemp("photos"), CLASSES)


def told(place, processes=0, reporter=None, **fields):
    fields = {"images": 0, "pairs": 0, **fields}
    return describe(
        ShowConfig(dataset=str(place), **fields), processes=processes, **({"reporter": reporter} if reporter else {})
    )


def test_counts_sizes_and_look(place):
    report = told(place)
    assert (report.images, report.classes, report.groups) == (36, 12, 0)
    assert vars(report.images_per_class) == {"least": 2, "median": 3, "most": 4}
    assert (vars(report.width), report.height.median) == ({"least": 40, "median": 40, "most": 40}, 30)
    assert (report.look, report.coloured, report.ink) == ("photos in colour", 1.0, 0.0)
    assert (report.broken, report.left_out, report.others, report.problem) == ((), (), 0, None)


def test_it_is_the_same_in_other_processes(place):
    assert told(place, processes=2, images=3, pairs=3) == told(place, images=3, pairs=3)


def test_grey_photos_and_ink_are_told_apart(tmp_path):
    grey = draw_place(tmp_path / "grey", CLASSES, lambda seed: photo(seed).convert("L"))
    ink = draw_place(tmp_path / "ink", CLASSES, signature)
    assert (told(grey).look, told(ink).look) == ("grey photos", "ink on paper")


def test_the_parts_are_those_of_the_split(place):
    report = told(place, seed=3)
    part_N = divided(list_images(place), 3).part_N
    assert {part.name: part.images for part in report.parts} == {
        name: Counter(part_N)[name] for name in ("training", "held-out", "test")
    }
    assert sum(part.classes for part in report.parts) == 12
    assert (report.split, report.seed) == ("classes", 3)


def test_few_test_classes_are_said_to_have_wide_intervals(place):
    note = "figures of 2 test classes have wide intervals; omnitwin train --folds 3 (or more) tests every class once"
    assert note in told(place).notes


def test_broken_files_are_named_and_the_rest_stands(place, tmp_path):
    own = draw_place(tmp_path, CLASSES)
    (own / "class 00" / "empty.jpg").touch()
    (own / "class 00" / "text.png").write_text("no picture")
    report = told(own)
    assert {file.path: file.reason for file in report.broken} == {
        "class 00/empty.jpg": "is an empty file",
        "class 00/text.png": "is no image that Pillow can read",
    }
    assert report.images == 36


def test_blank_images_are_named(place, tmp_path):
    own = draw_place(tmp_path, CLASSES)
    write(own / "class 00" / "blank.png", Image.new("L", (40, 30), 255))
    assert (told(own).blank, told(place).blank) == (("class 00/blank.png",), ())


def test_a_class_of_broken_files_is_no_class(tmp_path):
    own = draw_place(tmp_path, CLASSES)
    (own / "gone").mkdir()
    (own / "gone" / "1.jpg").touch()
    assert told(own).classes == 12


def test_a_place_of_broken_files_is_refused(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    with pytest.raises(BadInput, match=r"none of the 2 image files .* can be read: a/1.jpg is an empty file"):
        told(tmp_path)


def test_a_table_whose_paths_lead_nowhere_is_refused_with_the_rule(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\nx/1.jpg,a\n")
    with pytest.raises(BadInput) as refused:
        told(tmp_path / "list.csv")
    assert refused.value.line().endswith("x/1.jpg does not exist. Do the paths of the table lead from its folder?")


def test_boxes_of_a_table_are_pictures_of_their_own(tmp_path):
    draw_place(tmp_path, {"a": 1})
    (tmp_path / "list.csv").write_text("path,label,x_1,y_1,x_2,y_2\na/0.png,p,0,0,20,30\na/0.png,q,20,0,40,10\n")
    report = told(tmp_path / "list.csv")
    assert (report.classes, report.width.most, report.height.least) == (2, 20, 10)


def test_planted_duplicates_are_found_with_their_classes_and_leaks(tmp_path):
    own = draw_place(tmp_path, CLASSES)
    parts = dict(zip([file.label for file in list_images(own).files], divided(list_images(own)).part_N, strict=True))
    tested = next(label for label, part in parts.items() if part == "test")
    trained = next(label for label, part in parts.items() if part == "training")
    write(own / trained / "copy.png", photo((tested, 0)))
    write(own / trained / "near.jpg", photo((tested, 1)))
    report = told(own)
    found = report.duplicates
    assert [(set(group.paths), set(group.classes)) for group in found.same] == [
        ({f"{tested}/0.png", f"{trained}/copy.png"}, {tested, trained})
    ]
    assert {(pair.left, pair.right) for pair in found.near} <= {
        (f"{tested}/1.png", f"{trained}/near.jpg"),
        (f"{trained}/near.jpg", f"{tested}/1.png"),
    }
    assert (found.same_across_classes, found.near_within_classes, found.near_across_classes) == (1, 0, 1)
    assert set(found.leaks) == {f"{tested}/0.png", f"{tested}/1.png"}
    counts = {part.name: part.images for part in report.parts}
    assert counts["test"] == Counter(divided(list_images(own)).part_N)["test"] - 2
    assert sum(counts.values()) == report.images - 2
    assert "2 test images are left out, because another part has the same picture or nearly the same" in report.notes


def test_pictures_and_pairs_are_of_the_part_asked_for(place):
    files = list_images(place)
    part_of = dict(zip([file.label for file in files.files], divided(files).part_N, strict=True))
    for part in ("training", "held-out", "test"):
        report = told(place, images=4, pairs=20, subset=part)
        labels = [picture.label for picture in report.pictures]
        labels += [label for pair in report.pairs for label in (pair.left_label, pair.right_label)]
        assert {part_of[label.split(", ")[0]] for label in labels} == {part}
        assert (len(report.pictures), len(report.pairs)) == (4, 20)


def test_similar_pairs_show_a_class_twice_and_never_an_image_with_itself(place):
    pairs = told(place, pairs=60).pairs
    assert {pair.similar for pair in pairs} == {True, False}
    for pair in pairs:
        left, right = pair.left_label.split(", "), pair.right_label.split(", ")
        assert pair.similar == (left[0] == right[0])
        assert pair.left_label != pair.right_label


def test_the_same_seed_draws_the_same(place):
    assert told(place, images=5, pairs=5) == told(place, images=5, pairs=5)
    assert told(place, images=5).pictures != told(place, images=5, seed=1).pictures


def test_a_set_with_fewer_images_shows_those_it_has(tmp_path):
    report = told(draw_place(tmp_path, {"a": 1, "b": 2}), images=8, pairs=4)
    assert len(report.pictures) == 3
    assert report.problem == "it has 2 classes, and training needs at least 4"


def test_a_part_that_is_not_there_cannot_be_shown(tmp_path):
    with pytest.raises(BadInput, match="has no test part"):
        told(draw_place(tmp_path, dict.fromkeys("abcd", 2)), subset="test")


def test_the_report_is_json_without_pictures(place, capsys):
    print_json(told(place, images=2, pairs=2))
    record = json.loads(capsys.readouterr().out)
    assert set(record["pictures"][0]) == {"label"}
    assert record["images_per_class"] == {"least": 2, "median": 3.0, "most": 4}


@pytest.mark.realdata
def test_grocery_is_understood(own_set):
    report = told(own_set("grocery"), processes=None)
    assert (report.classes, report.images, report.broken) == (31, 1776, ())
    assert (vars(report.images_per_class)["least"], report.images_per_class.most) == (41, 84)
    assert (report.look, report.duplicates.same) == ("photos in colour", ())
    assert max(report.width.most, report.height.most) == 144


@pytest.mark.realdata
def test_families_that_are_one_picture_in_twemoji_are_found_across_classes(own_set):
    found = told(own_set("emoji"), processes=None).duplicates
    assert (found.same_across_classes, len(found.same)) == (4, 4)
    assert sum(len(group.classes) for group in found.same) == 10
    assert all(path.endswith("/twemoji.png") for group in found.same for path in group.paths)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["signatures30", "signatures-crossmedia"])
def test_signatures_are_ink_and_none_is_by_two_hands(own_set, name):
    report = told(own_set(name), processes=None)
    assert report.look == "ink on paper"
    assert (report.duplicates.same_across_classes, report.duplicates.near_across_classes) == (0, 0)


def test_a_split_by_images_divides_each_class(tmp_path):
    place = draw_place(tmp_path, {f"class {index}": 10 for index in range(4)})
    report = told(place, source=SourceConfig(split="images"))
    assert report.split == "images"
    assert [part.classes for part in report.parts] == [4, 4, 4]
