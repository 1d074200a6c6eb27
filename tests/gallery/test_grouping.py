"""Groups of pictures of the same thing, and how well they agree with folders."""

import numpy as np
import pytest
from drawn_things import THINGS, copied, folder_of_things
from PIL import Image

from omnitwin.config import GroupConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.grouping import group


def test_drawn_things_are_found_without_their_names(tmp_path):
    folder = folder_of_things(tmp_path / "all")
    report = group(GroupConfig(place=folder, min_probability=0.9, labels=True))
    assert {frozenset(file.parent.name for file in each.files) for each in report.groups} == {
        frozenset([thing]) for thing in THINGS
    }
    assert (len(report.groups), report.several) == (4, 4)
    assert (report.agreement.rand, report.agreement.classes, report.agreement.images) == (1.0, 4, 12)
    low, high = report.agreement.interval
    assert low < 0.5 < high == 1.0  # four classes show little


def test_the_largest_group_is_the_first_and_a_copy_belongs_to_the_group_of_its_picture(tmp_path):
    folder = folder_of_things(tmp_path / "all", things=("bow", "star"))
    copied(folder / "star" / "0.png", folder / "star again.png")
    report = group(GroupConfig(place=folder, min_probability=0.9))
    assert [len(each.files) for each in report.groups] == [4, 3]
    assert folder / "star again.png" in report.groups[0].files
    assert report.agreement is None
    assert report.false_pairs.compared == 15  # of 6 different pictures


def test_images_that_cannot_be_judged_are_in_no_group(tmp_path):
    folder = folder_of_things(tmp_path / "all", things=("bow", "star"))
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((300, 300)).save(folder / "bow" / "photo.png")
    report = group(GroupConfig(place=folder, min_probability=0.9, labels=True))
    assert [doubt.file.name for doubt in report.doubtful] == ["photo.png"]
    assert sum(len(each.files) for each in report.groups) == report.agreement.images == 6
    assert report.images == 7


@pytest.mark.parametrize("linkage", ["average", "complete"])
def test_at_a_limit_that_no_pair_reaches_every_image_is_alone(tmp_path, linkage):
    folder = folder_of_things(tmp_path / "all")
    report = group(GroupConfig(place=folder, min_probability=1 - 1e-12, linkage=linkage))
    assert (len(report.groups), report.several) == (12, 0)


def test_labels_of_one_folder_are_refused(tmp_path):
    folder = folder_of_things(tmp_path / "all") / "bow"
    with pytest.raises(BadInput, match="has no class folders"):
        group(GroupConfig(place=folder, labels=True))
