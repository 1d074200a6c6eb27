"""Duplicates: copies and look-alikes told apart, a file proposed to be kept, and nothing touched."""

import hashlib
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from drawn_things import THINGS, copied, drawing, folder_of_things
from PIL import Image

from omnitwin.answers.twin import Twin
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import DuplicatesConfig
from omnitwin.errors import BadInput
from omnitwin.gallery import limits
from omnitwin.gallery.duplicates import duplicates
from omnitwin.gallery.limits import limit_for
from omnitwin.reports.operating import OperatingPoint

SURE = 0.9  # the variants of a drawn thing are above it, different things below


def found(place, **options):
    return duplicates(DuplicatesConfig(place=place, **{"min_probability": SURE, **options}))


def told(report):
    """Role and path below the first folder's parent, of each file of each group."""
    root = report.places[0].parent
    return [[(file.role, file.file.relative_to(root).as_posix()) for file in group.files] for group in report.groups]


def state(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_copies_and_look_alikes_of_each_thing_are_one_group_with_the_oldest_kept(tmp_path):
    folder = folder_of_things(tmp_path / "all")
    copied(folder / "bow" / "1.png", folder / "wave" / "bow again.png")
    before = state(folder)
    report = found(folder)
    assert len(report.groups) == len(THINGS)
    for thing, files in zip(sorted(THINGS), told(report), strict=True):
        assert files[0] == ("keep", f"all/{thing}/0.png")
        assert {path for role, path in files if role == "look-alike"} == {f"all/{thing}/{n}.png" for n in (1, 2)}
    (copy,) = [file for group in report.groups for file in group.files if file.role == "copy"]
    assert (copy.file, copy.copy_of) == (folder / "wave" / "bow again.png", folder / "bow" / "1.png")
    assert (report.copies, report.look_alikes, report.images, report.contents) == (1, 8, 13, 12)
    assert not any(group.exact for group in report.groups)
    assert state(folder) == before


def test_a_group_of_copies_alone_is_exact_and_needs_no_network_to_like_it(tmp_path):
    folder = folder_of_things(tmp_path / "all", variants=1)
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((300, 300)).save(folder / "photo.png")
    copied(folder / "photo.png", folder / "a photo.png")
    report = found(folder)
    assert told(report) == [[("keep", "all/a photo.png"), ("copy", "all/photo.png")]]
    assert report.groups[0].exact
    assert [doubt.file.name for doubt in report.doubtful] == ["a photo.png", "photo.png"]
    assert report.false_pairs.compared == 6  # of 4 drawings: the photo makes no pair


def test_what_cannot_be_judged_is_no_look_alike(tmp_path):
    for number in range(2):
        noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
        noise[0, 0] = number  # other bytes, the same picture
        Image.fromarray(noise).resize((300, 300), Image.Resampling.NEAREST).save(tmp_path / f"{number}.png")
    report = found(tmp_path, min_probability=0.001)
    assert (report.groups, len(report.doubtful), report.false_pairs.compared) == ((), 2, 0)


@pytest.mark.parametrize(
    ("sides", "times", "kept"),
    [((105, 210, 105), (1, 3, 2), "1.png"), ((105, 105, 105), (3, 2, 1), "2.png"), ((105,) * 3, (1, 1, 1), "0.png")],
    ids=["largest", "oldest", "first by name"],
)
def test_the_file_to_keep_is_the_largest_then_the_oldest_then_the_first(tmp_path, sides, times, kept):
    for number, (side, time) in enumerate(zip(sides, times, strict=True)):
        path = tmp_path / f"{number}.png"
        drawing("star", number, side).save(path)
        os.utime(path, (time, time))
    (group,) = found(tmp_path).groups
    assert group.files[0].file.name == kept
    assert sum(file.role == "keep" for file in group.files) == 1


@pytest.mark.parametrize("linkage", ["average", "complete"])
def test_names_and_the_order_of_files_do_not_matter(tmp_path, linkage):
    """The same pictures under names that sort in another order make the same groups of pictures."""
    first = folder_of_things(tmp_path / "first")
    second = tmp_path / "second"
    second.mkdir()
    order = np.random.default_rng(5).permutation(12).tolist()
    for number, path in zip(order, sorted(first.glob("*/*.png")), strict=True):
        shutil.copy2(path, second / f"{number:02d}.png")

    def pictures(folder):
        report = found(folder, linkage=linkage, min_probability=0.9)
        return {frozenset(file.sha256 for file in group.files) for group in report.groups}

    assert pictures(first) == pictures(second)
    assert len(pictures(first)) > 1


def test_probabilities_are_those_of_the_verifier_for_the_pair_with_the_kept_file(tmp_path):
    verifier = open_verifier()
    (group, *_) = found(folder_of_things(tmp_path / "all")).groups
    twin = Twin(verifier)
    for file in group.files[1:]:
        expected = twin.compare(group.files[0].file, file.file, always_answer=True).probability
        assert file.probability == pytest.approx(expected, abs=1e-5)
    assert group.files[0].probability is None


def test_between_two_folders_each_file_of_the_second_stands_with_the_most_similar_of_the_first(tmp_path):
    first = folder_of_things(tmp_path / "first", variants=1, things=("arch", "bow"))
    second = folder_of_things(tmp_path / "second", things=("bow", "star"))
    copied(second / "bow" / "2.png", second / "bow" / "2 again.png")
    report = found(first, other=second)
    (files,) = told(report)
    assert files[:2] == [("keep", "first/bow/0.png"), ("copy", "second/bow/0.png")]
    assert {path for _, path in files[2:]} == {f"second/bow/{name}.png" for name in ("1", "2", "2 again")}
    assert report.linkage is None
    # 2 of the first with 1 and 2 of bow and 3 of star: what is a copy needs no comparison
    assert report.false_pairs.compared == 2 * 5


def test_of_the_second_folder_a_copy_of_a_copy_in_the_first_is_proposed_to_go_and_nothing_of_the_first(tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    drawing("bow", 0).save(first / "b.png")
    copied(first / "b.png", first / "a.png")
    copied(first / "b.png", tmp_path / "second" / "larger name.png")
    assert told(found(first, other=tmp_path / "second")) == [
        [("keep", "first/a.png"), ("copy", "second/larger name.png")]
    ]


@pytest.mark.parametrize("inner", ["", "arch"])
def test_a_folder_is_not_compared_with_itself_or_a_part_of_it(tmp_path, inner):
    folder = folder_of_things(tmp_path / "all", variants=1)
    for place, other in ((folder, folder / inner), (folder / inner, folder)):
        with pytest.raises(BadInput, match="is, or lies in,"):
            found(place, other=other)


def test_false_pairs_are_expected_from_the_threshold_and_the_number_of_pairs(tmp_path):
    folder = folder_of_things(tmp_path / "all")
    point = open_verifier().operating
    own = found(folder, min_probability=None).false_pairs
    assert (own.compared, own.far, own.at_most) == (66, point.far, False)
    assert own.expected == pytest.approx(66 * point.far)
    assert own.expected_interval == pytest.approx(tuple(66 * bound for bound in point.far_interval))
    stricter = found(folder, min_probability=0.9).false_pairs
    assert (stricter.far, stricter.at_most) == (point.far, True)
    looser = found(folder, min_probability=0.1).false_pairs
    assert (looser.far, looser.expected, looser.expected_interval) == (None, None, None)


def test_a_far_of_1_in_10_000_means_half_a_million_false_pairs_of_100_000_images():
    limit = limit_for(replace(open_verifier(), operating=point_of(far=1e-4)))
    compared = 100_000 * 99_999 // 2
    assert limit.false_pairs(compared, 0).expected == pytest.approx(500_000, rel=1e-4)


def point_of(**changes):
    known = open_verifier().operating
    assert isinstance(known, OperatingPoint)
    far = changes.get("far", known.far)
    return replace(known, far_interval=(far / 2, far * 2), **changes)


@pytest.mark.parametrize(("target", "far"), [("balanced", 0.0009), ("far=0.001", 0.0012), ("precision=0.99", 0.001)])
def test_a_far_is_granted_if_the_threshold_was_chosen_for_it_or_was_measured_to_keep_it(target, far):
    verifier = replace(open_verifier(), operating=point_of(target=target, far=far))
    limit = limit_for(verifier, far=0.001)
    assert limit.probability == verifier.threshold
    assert limit.false_pairs(1000, 0).far == far


@pytest.mark.parametrize(("target", "far"), [("balanced", 0.0011), ("far=0.01", 0.0011), ("precision=0.99", 0.05)])
def test_a_far_that_is_not_known_is_refused_with_the_command_that_measures_one(target, far):
    verifier = replace(open_verifier(), operating=point_of(target=target, far=far))
    with pytest.raises(BadInput) as refused:
        limit_for(verifier, far=0.001)
    line = refused.value.line()
    assert "3,000 dissimilar pairs" in line
    assert line.endswith("omnitwin calibrate --data LABELLED-FOLDER --target far=0.001")


def test_a_far_of_a_verifier_without_an_operating_point_is_not_guessed():
    with pytest.raises(BadInput, match="its FAR is not known"):
        limit_for(replace(open_verifier(), operating=None), far=0.5)


@pytest.mark.parametrize("probability", [1e-9, 0.2, 0.5, 0.999999])
@pytest.mark.parametrize("calibration", [None, {"temperature": 0.8, "bias": 2.2}])
def test_a_limit_as_a_logit_is_the_score_of_its_probability(probability, calibration):
    verifier = replace(open_verifier(), calibration=calibration)
    logit = limits.limit_for(verifier, probability).logit
    assert verifier.probability_of(np.array([logit]))[0] == pytest.approx(probability, rel=1e-9)
