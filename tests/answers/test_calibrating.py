"""An existing network on somebody's own images: a threshold of their own, honest figures, and nothing else changed."""

import itertools
import json
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from drawn_places import draw_place, write
from PIL import Image, ImageDraw

import omnitwin
from omnitwin.answers import calibrating
from omnitwin.answers import sample as sampling
from omnitwin.answers.sample import (
    check_enough,
    files_by_class,
    most_of_each,
    most_pairs,
    usable,
)
from omnitwin.data.listing import HELD_OUT, PARTS, TEST, TRAINING
from omnitwin.data.own import open_place
from omnitwin.data.parts import divided
from omnitwin.data.places import list_images
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.reports.calibrating import Judgement
from omnitwin.reports.exams import Measure, Reliability
from omnitwin.reports.operating import CALIBRATION
from omnitwin.reports.progress import SILENT
from omnitwin.system.files import digest
from omnitwin.system.paths import CONFIG_FILE, STATE_FILE, WEIGHTS_FILE, runs_folder

LABELS = [f"sign {index:02}" for index in range(12)]


def sign(key):
    """A sign of a few strokes, drawn each time with a little less care: the bundled network tells most apart."""
    label, index = key
    points = [
        (Random(f"{label} {corner}").randrange(12, 88), Random(f"{corner} {label}").randrange(12, 88))
        for corner in range(6)
    ]
    hand = Random(f"{label} {index} hand")
    image = Image.new("L", (100, 100), 255)
    shaken = [(x + hand.randrange(-6, 7), y + hand.randrange(-6, 7)) for x, y in points]
    ImageDraw.Draw(image).line(shaken, fill=0, width=4)
    return image


def signs(folder, counts=None):
    return draw_place(folder, dict.fromkeys(LABELS, 3) if counts is None else counts, sign)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """12 signs drawn 3 times each; not to be changed."""
    return signs(tmp_path_factory.mktemp("own") / "signs")


def rates(place, twin, threshold):
    """FAR and FRR of all pairs, asked one by one."""
    files = sorted(place.rglob("*.png"))
    embeddings = {file: twin.embed([file]) for file in files}
    wrong = {True: [], False: []}
    for left, right in itertools.combinations(files, 2):
        similar = left.parent == right.parent
        accepted = twin.probability(embeddings[left], embeddings[right])[0] >= threshold
        wrong[similar].append(accepted != similar)
    return float(np.mean(wrong[False])), float(np.mean(wrong[True]))


def tensors_of(path):
    """The bytes of a safetensors file after its header."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def test_the_figures_before_are_those_of_asking_the_network_for_each_pair(place):
    report = omnitwin.calibrate(place)
    twin = omnitwin.load("bundled")
    far, frr = rates(place, twin, twin.threshold)
    assert report.before.measure("far").value == pytest.approx(far)
    assert report.before.measure("frr").value == pytest.approx(frr)
    assert (report.images, report.classes, report.similar, report.dissimilar) == (36, 12, 36, 594)


def test_the_new_verifier_has_the_same_tensors_and_keeps_to_its_target_on_the_images_that_chose_it(place):
    before = digest(BUNDLED_WEIGHTS, "sha256")
    report = omnitwin.calibrate(place, target="far=0.02", name="mine")
    weights = runs_folder() / "mine" / WEIGHTS_FILE
    assert report.written.weights == weights
    assert report.written.weights_sha256 == digest(weights, "sha256")
    assert tensors_of(weights) == tensors_of(BUNDLED_WEIGHTS)
    twin = omnitwin.load("mine")
    assert twin.threshold == report.after.threshold
    far, frr = rates(place, twin, twin.threshold)
    assert far <= 0.02
    assert frr < 1
    assert digest(BUNDLED_WEIGHTS, "sha256") == before
    assert [path.name for path in sorted((runs_folder() / "mine").iterdir())] == [CONFIG_FILE, WEIGHTS_FILE]


def test_the_new_verifier_says_what_it_was_calibrated_for_on_what_and_from_what(place):
    report = omnitwin.calibrate(place, target="precision=0.9", name="mine")
    point = omnitwin.load("mine").operating
    assert (point.target, point.chosen_on, point.data, point.classes) == ("precision=0.9", CALIBRATION, "signs", 12)
    assert (point.far, point.far_interval) == (report.after.measure("far").value, report.after.measure("far").interval)
    assert "fit without its classes" in point.method
    record = json.loads((runs_folder() / "mine" / CONFIG_FILE).read_text())
    assert record["sha256"] == digest(BUNDLED_WEIGHTS, "sha256")
    assert record["data"] == str(place)
    old, new = read_description(BUNDLED_WEIGHTS), read_description(report.written.weights)
    for name in ("network", "recipe", "iteration", "dataset", "fingerprint", "held_out", "metrics"):
        assert getattr(new, name) == getattr(old, name)


def test_no_image_is_measured_by_a_fit_that_saw_it(place):
    """In-sample, the share of false accepts cannot exceed the target; honestly estimated it may, and is told."""
    report = omnitwin.calibrate(place, target="far=0.02")
    honest = report.after.measure("far")
    assert honest.n == report.dissimilar
    if honest.value > 0.02:
        assert any("far=0.02" in note for note in report.notes)
    assert "cross-validated" in honest.method


def test_an_evaluation_knows_the_images_that_chose_the_threshold_wherever_they_lie(place, tmp_path):
    omnitwin.calibrate(place, name="mine")

    def chose(images, twin="mine"):
        return omnitwin.evaluate(twin, images, exams=["all-pairs"]).report.chose_threshold

    assert chose(place)
    assert not chose(place, "bundled")
    assert chose(shutil.copytree(place, tmp_path / "renamed"))
    strangers = tmp_path / "strangers" / place.name  # of the same names
    for number, path in enumerate(sorted(place.rglob("*.png"))):
        write(strangers / path.relative_to(place), sign((f"stranger {path.parent.name}", number)))
    assert not chose(strangers)
    (runs_folder() / "mine" / CONFIG_FILE).unlink()
    assert chose(strangers)  # all that is left is the place's name


def test_images_that_chose_the_threshold_are_familiar_from_then_on(place):
    report = omnitwin.calibrate(place, name="mine")
    old, new = read_description(BUNDLED_WEIGHTS).novelty, read_description(report.written.weights).novelty
    assert new["mean"] == old["mean"]
    assert new["limit"] >= old["limit"]
    twin = omnitwin.load("mine")
    files = sorted(place.rglob("*.png"))
    far = [twin.compare(file, files[0]).first_novelty > 1 for file in files]
    assert np.mean(far) <= 0.05


def test_a_network_that_tells_nothing_apart_is_called_that_and_nothing_is_written(tmp_path):
    """Each class holds drawings of signs by chance."""
    for number, (label, index) in enumerate(itertools.product(LABELS, range(3))):
        write(tmp_path / "mixed" / f"class {number % 12}" / f"{number}.png", sign((label, index + 7 * (number % 5))))
    report = omnitwin.calibrate(tmp_path / "mixed")
    assert report.eer.value > 0.3
    assert "equal error rate" in report.problem
    assert report.written is None
    assert not runs_folder().exists() or not list(runs_folder().iterdir())


def test_ten_classes_of_two_are_enough_and_nine_are_refused_with_what_is_missing(tmp_path):
    few = signs(tmp_path / "few", {**dict.fromkeys(LABELS[:9], 2), LABELS[9]: 1})
    with pytest.raises(BadInput, match="9 classes with two images or more, and a threshold needs 10") as caught:
        omnitwin.calibrate(few)
    assert "Add 1 more class of two" in caught.value.line()
    signs(few, {LABELS[9]: 2})
    assert omnitwin.calibrate(few).paired == 10


def test_a_broken_file_is_named_and_left_out_and_too_few_are_left_is_told(tmp_path):
    own = signs(tmp_path / "own", dict.fromkeys(LABELS[:10], 2))
    (own / LABELS[0] / "0.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match="without the files that cannot be read, has 9 classes"):
        omnitwin.calibrate(own)
    signs(own, {LABELS[0]: 1, LABELS[10]: 2})
    (own / LABELS[0] / "2.png").write_bytes(b"no image")
    report = omnitwin.calibrate(own)
    assert [unread.file.name for unread in report.unread] == ["2.png"]
    assert report.classes == 11


def test_a_class_of_one_image_serves_for_dissimilar_pairs(tmp_path):
    own = signs(tmp_path / "own", {**dict.fromkeys(LABELS[:11], 2), LABELS[11]: 1})
    report = omnitwin.calibrate(own)
    assert (report.images, report.classes, report.paired, report.similar) == (23, 12, 11, 11)
    assert report.dissimilar == 23 * 22 // 2 - 11


def test_the_same_picture_twice_in_a_class_makes_no_similar_pair(place, tmp_path):
    own = signs(tmp_path / "own")
    write(own / LABELS[3] / "again.png", sign((LABELS[3], 0)))
    report = omnitwin.calibrate(own)
    assert len(report.twice) == 1
    assert report.images == 36


def test_the_boxes_of_a_table_are_the_images(place, tmp_path):
    """All drawings on one sheet, 100 x 100 pixels each, give the figures of drawings in files of their own."""
    sheet = Image.new("L", (300, 1200), 255)
    lines = ["path,label,x_1,y_1,x_2,y_2", "sheet.png,outside,900,0,1000,100"]
    for row, label in enumerate(LABELS):
        for index in range(3):
            left, top = 100 * index, 100 * row
            sheet.paste(sign((label, index)), (left, top))
            lines.append(f"sheet.png,{label},{left},{top},{left + 100},{top + 100}")
    write(tmp_path / "sheet.png", sheet)
    (tmp_path / "signs.csv").write_text("\n".join(lines))
    by_boxes, by_files = omnitwin.calibrate(tmp_path / "signs.csv"), omnitwin.calibrate(place)
    assert (by_boxes.images, by_boxes.classes) == (by_files.images, by_files.classes)
    assert by_boxes.before.measures == by_files.before.measures
    assert ["its box lies outside" in unread.problem for unread in by_boxes.unread] == [True]


def test_a_far_that_so_few_pairs_cannot_show_is_refused_before_anything_is_read(tmp_path):
    own = signs(tmp_path / "own", dict.fromkeys(LABELS[:10], 2))
    with pytest.raises(
        BadInput, match=r"180 dissimilar pairs of these images show a FAR of 0\.017 at best \(rule of three\)"
    ) as caught:
        omnitwin.calibrate(own, target="far=0.0001")
    assert "it needs 30,000" in caught.value.line()


def test_test_images_of_a_given_split_choose_no_threshold(tmp_path):
    own = tmp_path / "own"
    signs(own / "train", dict.fromkeys(LABELS[:10], 2))
    signs(own / "test", dict.fromkeys(LABELS[10:], 5))
    report = omnitwin.calibrate(own)
    assert report.classes == 10
    assert any("10 test images were left out" in note for note in report.notes)


def test_a_name_that_is_taken_is_refused_and_without_one_it_is_network_and_data(place):
    assert omnitwin.calibrate(place).written.name == "bundled-signs"
    assert omnitwin.calibrate(place).written.name == "bundled-signs-2"
    assert omnitwin.calibrate(place, checkpoint="bundled-signs").written.name == "bundled-signs-signs"
    with pytest.raises(BadInput, match="is there already"):
        omnitwin.calibrate(place, name="bundled-signs")
    with pytest.raises(BadInput, match="cannot name a run"):
        omnitwin.calibrate(place, name="newest")


def test_calibrating_again_changes_nothing_of_the_threshold(place):
    first = omnitwin.calibrate(place, name="first")
    second = omnitwin.calibrate(place, checkpoint="first", name="second")
    assert second.after.threshold == first.after.threshold
    assert second.after.measures == first.after.measures
    assert (runs_folder() / "first" / WEIGHTS_FILE).read_bytes() == (
        runs_folder() / "second" / WEIGHTS_FILE
    ).read_bytes()


def test_a_calibrated_verifier_has_no_training_to_go_on_with(place):
    omnitwin.calibrate(place, name="mine")
    assert not (runs_folder() / "mine" / STATE_FILE).exists()
    with pytest.raises(BadInput, match="was calibrated"):
        omnitwin.train(resume="mine")


def test_it_is_listed_and_can_be_the_default(place):
    omnitwin.calibrate(place, target="far=0.02", name="mine")
    [run] = omnitwin.list_runs().runs
    assert (run.name, run.problem, run.calibrated.target) == ("mine", None, "far=0.02")
    omnitwin.choose("mine")
    assert omnitwin.load().operating.data == "signs"


def test_a_network_that_changes_while_it_is_calibrated_is_not_written(place, tmp_path, monkeypatch):
    omnitwin.calibrate(place, name="first")
    weights = runs_folder() / "first" / WEIGHTS_FILE

    class Meddling:
        """A reporter that damages the network's file once all is read."""

        def note(self, text): ...
        def task(self, label, total, unit):
            if label.startswith("Comparing"):
                weights.write_bytes(weights.read_bytes() + b"x")
            return SILENT.task(label, total, unit)

    with pytest.raises(BadCheckpoint, match="has changed"):
        omnitwin.calibrate(place, checkpoint="first", name="second", reporter=Meddling())
    assert not (runs_folder() / "second").exists()


def test_no_torch_is_imported_for_a_network_that_runs_in_numpy(place, home):
    words = f"import sys, omnitwin; omnitwin.calibrate({str(place)!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_words_that_are_no_place_or_no_target_are_refused(place, tmp_path):
    for wrong in ("", None, 7, tmp_path / "nothing"):
        with pytest.raises(BadInput):
            omnitwin.calibrate(wrong)
    with pytest.raises(BadInput, match="target"):
        omnitwin.calibrate(place, target="frr=0.1")


# ---- which images are taken ----


MANY = [*LABELS, *(f"more {index}" for index in range(28))]


def trained_on(place, classes, split="classes", pattern=None, fingerprint="f" * 64):
    data = {"place": str(place), "pattern": pattern, "split": split, "seed": 0, "classes": sorted(classes)}
    return replace(read_description(BUNDLED_WEIGHTS), data=data, fingerprint=fingerprint)


def classes_by_part(place):
    listing = list_images(place)
    parts = divided(listing, 0)
    files = list(zip(listing.files, parts.part_N, strict=True))
    return {part: {file.label for file, of in files if of == part} for part in PARTS}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """40 signs drawn twice each; not to be changed."""
    return signs(tmp_path_factory.mktemp("many") / "many", dict.fromkeys(MANY, 2))


def test_of_a_place_that_the_network_was_trained_on_only_held_out_classes_choose(many, tmp_path):
    by_part = classes_by_part(many)
    kept, [note], _ = usable(many, None, trained_on(many, by_part[TRAINING]))
    assert set(kept.classes) == by_part[HELD_OUT]
    assert "only the classes that were held out" in note
    elsewhere, notes, _ = usable(many, None, trained_on(tmp_path / "other", by_part[TRAINING]))
    assert (elsewhere, notes) == (list_images(many), ())


@pytest.mark.parametrize("part", [TRAINING, "all"])
def test_a_copy_of_the_images_that_were_trained_on_is_known_by_its_fingerprint(many, tmp_path, part):
    own = open_place(many, read_description(BUNDLED_WEIGHTS).network.view)
    described = trained_on(many, own[part].class_names, fingerprint=own[part].fingerprint)
    copy = shutil.copytree(many, tmp_path / "copy")
    if part == "all":  # after folds nothing is left to choose
        with pytest.raises(BadInput, match="none were held out"):
            usable(copy, None, described)
    else:
        kept, *_ = usable(copy, None, described)
        assert set(kept.classes) == classes_by_part(many)[HELD_OUT]


def test_broken_files_move_no_class_between_the_parts_of_training(many, tmp_path):
    """A class with one readable image counts in no cut. Training divided the files that it could read, and so here."""
    found = set()
    for label in sorted(classes_by_part(many)[HELD_OUT]):
        own = shutil.copytree(many, tmp_path / label)
        (own / label / "0.png").write_bytes(b"no image")
        by_listing = classes_by_part(own)
        images = open_place(own, read_description(BUNDLED_WEIGHTS).network.view)
        kept, notes, _ = usable(own, None, trained_on(own, images["training"].class_names))
        assert set(kept.classes) == set(images["held-out"].class_names)
        assert not set(kept.classes) & set(images["test"].class_names)
        assert "1 image file cannot be read" in notes
        found.add(set(kept.classes) == by_listing[HELD_OUT])
    assert False in found  # else nothing was tested


def test_other_classes_than_those_of_training_are_refused(many):
    described = trained_on(many, classes_by_part(many)[TRAINING])
    with pytest.raises(BadInput, match="other classes than --label-from finds"):
        usable(many, "([^/]+)[.]png", described)


def test_of_a_closed_set_that_the_network_was_trained_on_nothing_may_choose(tmp_path):
    own = signs(tmp_path / "own", dict.fromkeys(LABELS, 6))
    with pytest.raises(BadInput, match="was trained on the images of"):
        usable(own, None, trained_on(own, LABELS, split="images"))


def test_a_large_place_is_sampled_class_by_class_and_an_added_file_moves_few(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "MOST_IMAGES", 24)
    monkeypatch.setattr(sampling, "MOST_CLASSES", 6)
    own = tmp_path / "own"
    for label in LABELS:
        (own / label).mkdir(parents=True)
        for index in range(10):
            (own / label / f"{index}.png").touch()
    files_of, [note] = files_by_class(list_images(own))
    assert len(files_of) == 6
    assert most_of_each(6) == 4
    assert note.startswith("24 of 120 images are enough")
    assert most_pairs(files_of) == 24 * 23 // 2 - 6 * (4 * 3 // 2)
    before = {label: [file.path for file in files[:4]] for label, files in files_of.items()}
    (own / LABELS[0] / "new.png").touch()
    after, _ = files_by_class(list_images(own))
    assert after.keys() == before.keys()
    assert all(
        [file.path for file in after[label][:4]] == paths for label, paths in before.items() if label != LABELS[0]
    )


def test_a_folder_copied_through_another_system_gives_the_same_sample(tmp_path, monkeypatch):
    """The other system spells an accent as a character of its own (Unicode form NFD)."""
    monkeypatch.setattr(sampling, "MOST_CLASSES", 6)
    taken = []
    for form in ("NFC", "NFD"):
        for index in range(24):
            folder = tmp_path / form / unicodedata.normalize(form, f"é {index}")
            folder.mkdir(parents=True)
            for number in range(4):
                (folder / unicodedata.normalize(form, f"ü {number}.png")).touch()
        files_of, _ = files_by_class(list_images(tmp_path / form))
        taken.append([[unicodedata.normalize("NFC", file.path) for file in files] for files in files_of.values()])
    assert sorted(taken[0]) == sorted(taken[1])


def test_the_sample_is_not_taken_from_the_test_classes_first(tmp_path, monkeypatch):
    """By chance, a fifth of the classes that are taken are for the test: 8 of 40, and 20 with a chance below 1e-4."""
    monkeypatch.setattr(sampling, "MOST_CLASSES", 40)
    for index in range(200):
        (tmp_path / f"class {index}").mkdir()
        for number in range(2):
            (tmp_path / f"class {index}" / f"{number}.png").touch()
    listing = list_images(tmp_path)
    tested = {file.label for file, part in zip(listing.files, divided(listing).part_N, strict=True) if part == TEST}
    assert len(tested & files_by_class(listing)[0].keys()) < 20


def test_classes_with_two_images_go_before_those_with_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "MOST_CLASSES", 3)
    for index, label in enumerate(LABELS):
        for number in range(2 if index % 4 == 0 else 1):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / f"{number}.png").touch()
    files_of, _ = files_by_class(list_images(tmp_path))
    assert sorted(files_of) == [LABELS[0], LABELS[4], LABELS[8]]


@pytest.mark.parametrize(("paired", "words"), [(9, "Add 1 more class of"), (1, "Add 9 more classes of")])
def test_what_is_missing_is_counted(paired, words):
    with pytest.raises(BadInput) as caught:
        check_enough(paired, "the place")
    assert words in caught.value.line()
    check_enough(10, "the place")


def test_what_is_missing_of_a_place_that_was_trained_on_is_said_with_the_reason(many, tmp_path):
    described = trained_on(many, classes_by_part(many)[TRAINING])
    found = usable(many, None, described)
    with pytest.raises(BadInput, match="only the classes that were held out choose the threshold") as refused:
        check_enough(len(found.listing.classes), "the place", found)
    assert "Give images of other classes" in refused.value.line()
    assert "Add" not in refused.value.line()


# ---- more classes than a file has names ----


def test_without_the_names_of_the_trained_classes_only_an_unchanged_place_shows_which_they_were(many, tmp_path):
    own = open_place(many, read_description(BUNDLED_WEIGHTS).network.view)
    nameless = trained_on(many, (), fingerprint=own[TRAINING].fingerprint)
    kept, *_ = usable(many, None, nameless)
    assert set(kept.classes) == classes_by_part(many)[HELD_OUT]
    changed = replace(nameless, fingerprint="0" * 64)
    with pytest.raises(BadInput, match=r"their names were not kept, and the images of .* are not those"):
        usable(many, None, changed)
    elsewhere = replace(changed, data={**changed.data, "place": str(tmp_path / "other")})
    notes = usable(many, None, elsewhere).notes
    assert "make sure that it saw none of these" in " ".join(notes)


# ---- a verifier of little use ----


def judgement(far=0.1, frr=0.1, error=0.02):
    measures = tuple(
        Measure(name=name, value=value, interval=(value / 2, value), n=100, method="by hand")
        for name, value in (("far", far), ("frr", frr))
    )
    reliability = Reliability(mean=(), share=(), weight=(), expected_calibration_error=error, brier_score=0.1)
    return Judgement(threshold=0.5, temperature=1.0, bias=0.0, measures=measures, reliability=reliability)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({}, None),
        ({"far": 0.5, "frr": 0.5}, None),
        ({"frr": 0.81}, "rejects 81.0 % (40.5 to 81.0) of the similar pairs: it says different more often than not"),
        ({"far": 0.66}, "accepts 66.0 % (33.0 to 66.0) of the dissimilar pairs: it says same more often than not"),
        ({"error": 0.05}, "less well than before: calibration error 0.0500, not 0.0200"),
    ],
)
def test_a_verifier_that_errs_more_often_than_not_or_whose_probabilities_are_worse_is_warned_of(after, said):
    warnings = calibrating.warnings_on(judgement(), judgement(**after))
    assert len(warnings) == (said is not None)
    assert said is None or said in warnings[0]


def test_a_verifier_that_is_warned_of_is_written(place, monkeypatch):
    monkeypatch.setattr(calibrating, "WORST_RATE", 0.02)
    report = omnitwin.calibrate(place, target="far=0.006")
    assert report.written is not None
    assert any("% (" in warning and "more often than not" in warning for warning in report.warnings)
