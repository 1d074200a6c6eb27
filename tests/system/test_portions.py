"""Large images are worked on in smaller portions: a checkpoint cannot ask for memory by the size of its images."""

from omnitwin.recipes import RECIPES
from omnitwin.system.portions import images_at_once


def test_the_published_networks_see_as_many_images_at_once_as_they_may():
    assert {images_at_once(64, recipe.network.image_size) for recipe in RECIPES.values()} == {64}


def test_larger_images_never_mean_more_pixels_at_once_and_one_image_is_always_seen():
    assert all(images_at_once(64, size) * size**2 <= 64 * 160**2 for size in (160, 161, 224, 320, 640, 1024))
    assert images_at_once(64, 10_000) == 1
