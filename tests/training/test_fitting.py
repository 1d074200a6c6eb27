"""The recipe that suits somebody's own images."""

import pytest
from drawn_places import draw_place, photo, signature
from listening import Notes

from omnitwin.config import SourceConfig
from omnitwin.errors import BadInput
from omnitwin.training.fitting import STEP, WIDEST, fitted_recipe, sides_of

CLASSES = {f"class {index}": 2 for index in range(4)}


def fitted(place, name=None, **changes):
    return fitted_recipe(place, SourceConfig(), name, changes)


@pytest.mark.parametrize("aspect", [0.1, 0.25, 0.5, 1.0, 1.7, 3.9, 40.0])
def test_sides_keep_area_and_aspect_up_to_their_step(aspect):
    height, width = sides_of(48, aspect)
    assert height % STEP == width % STEP == 0
    wanted = min(WIDEST, max(1 / WIDEST, aspect))
    assert (width - STEP / 2) / (height + STEP / 2) <= wanted <= (width + STEP / 2) / (height - STEP / 2)
    assert abs(height * width / 48**2 - 1) < 0.3


def test_photos_in_colour_get_three_channels_and_grey_photos_one(tmp_path):
    colour = fitted(draw_place(tmp_path / "colour", CLASSES)).network.view
    grey = fitted(draw_place(tmp_path / "grey", CLASSES, lambda seed: photo(seed).convert("L"))).network.view
    assert (colour.channels, colour.frame, grey.channels, grey.frame) == (3, "photo", 1, "photo")


def test_ink_gets_its_own_aspect(tmp_path):
    place = draw_place(tmp_path / "ink", CLASSES, lambda seed: signature(seed, (240, 60)))
    view = fitted(place).network.view
    assert (view.frame, view.channels, view.width / view.height) == ("ink", 1, pytest.approx(4, rel=0.3))


def test_what_is_asked_for_is_not_fitted(tmp_path):
    place = draw_place(tmp_path / "ink", CLASSES, lambda seed: signature(seed, (240, 60)))
    assert fitted(place, image_size=32, image_width=0).network.view.width == 32
    assert fitted(place, "fast").network.view.width == 24
    photos = draw_place(tmp_path / "colour", CLASSES)
    assert fitted(photos, channels=1).network.channels == 1
    assert fitted(photos, "fast", iterations=7).iterations == 7


def test_a_note_says_what_was_chosen_and_how_to_overrule_it(tmp_path):
    notes = Notes()
    fitted_recipe(draw_place(tmp_path / "colour", CLASSES), SourceConfig(), None, {}, notes)
    (note,) = notes.said
    assert "recipe photo" in note
    assert "--recipe" in note


def test_a_place_without_a_readable_image_is_refused(tmp_path):
    for label in CLASSES:
        (tmp_path / label).mkdir()
        (tmp_path / label / "broken.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match="none of 4 images"):
        fitted(tmp_path)
