"""Data sets by name, or given as objects."""

import pytest

from omnitwin.config import DATASETS, ShowConfig
from omnitwin.data.catalogue import CATALOGUE, open_images
from omnitwin.data.show import show
from omnitwin.errors import BadInput


def test_the_names_that_the_command_line_offers_are_those_of_the_catalogue():
    assert tuple(CATALOGUE) == DATASETS


@pytest.mark.parametrize(("dataset", "subset"), [("mnist", "training"), ("omniglot", "validation")])
def test_an_unknown_data_set_or_subset_is_bad_input(dataset, subset):
    with pytest.raises(BadInput, match=f"'{dataset if dataset == 'mnist' else subset}'"):
        open_images(dataset, subset)


def test_an_image_set_stands_for_every_part(tiny_set):
    assert open_images(tiny_set, "training") is tiny_set
    assert open_images(tiny_set, "test") is tiny_set


def test_a_mapping_has_an_image_set_for_each_part(tiny_set, tiny_105):
    images = {"training": tiny_set, "test": tiny_105}
    assert open_images(images, "test") is tiny_105
    with pytest.raises(BadInput, match="'validation'"):
        open_images(images, "validation")


def test_an_image_set_of_ones_own_can_be_shown(tiny_set):
    report = show(ShowConfig(dataset=tiny_set, images=2, pairs=1))
    assert (report.dataset, len(report.images), len(report.pairs)) == (tiny_set.name, 2, 1)
