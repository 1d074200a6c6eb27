"""Large images are worked on in smaller portions: a checkpoint cannot ask for memory by the size of its images."""

import pytest

from omnitwin.recipes import RECIPES
from omnitwin.system.portions import images_at_once, portions


def test_the_published_networks_see_as_many_images_at_once_as_they_may():
    assert {images_at_once(64, recipe.network.image_size) for recipe in RECIPES.values()} == {64}


def test_larger_images_never_mean_more_pixels_at_once_and_one_image_is_always_seen():
    assert all(images_at_once(64, size) * size**2 <= 64 * 160**2 for size in (160, 161, 224, 320, 640, 1024))
    assert images_at_once(64, 10_000) == 1


def test_one_image_at_once_is_the_least_even_of_none():
    assert {images_at_once(0, size) for size in (28, 160, 161, 10_000)} == {1}


@pytest.mark.parametrize(("count", "most", "size"), [(0, 0, 28), (1, 1, 28), (7, 3, 28), (6, 3, 160), (9, 9, 320)])
def test_portions_are_every_image_once_in_order_and_no_larger_than_may_be(count, most, size):
    parts = [range(count)[part] for part in portions(count, most, size)]
    assert [place for part in parts for place in part] == list(range(count))
    assert all(1 <= len(part) <= images_at_once(most, size) for part in parts)
