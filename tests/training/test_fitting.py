"""The recipe that suits somebody's own images, by how they look: what it sees has the aspect of the ink."""

import pytest
from drawn_places import draw_place, photo
from listening import Notes
from PIL import Image, ImageDraw

import omnitwin
from omnitwin.config import SourceConfig
from omnitwin.errors import BadInput
from omnitwin.recipes import RECIPES
from omnitwin.training.fitting import fitted_recipe, sides_of

CLASSES = {f"class {index}": 2 for index in range(4)}


def draw(folder, box, paper=(200, 200), classes=4, images=3):
    """Sheets of paper with a drawing that fills a box, left, top, right, bottom: the outline and a diagonal."""
    for kind in range(classes):
        (folder / f"{kind}").mkdir(parents=True)
        for number in range(images):
            sheet = Image.new("L", paper, 245 - number)
            pen = ImageDraw.Draw(sheet)
            pen.rectangle(box, outline=20, width=4)
            pen.line((box[0], box[1] + 5 * kind, box[2], box[3]), fill=30, width=3)
            sheet.save(folder / f"{kind}" / f"{number}.png")
    return folder


def view(place, **changes):
    return fitted_recipe(place, SourceConfig(), None, changes).network.view


@pytest.mark.parametrize(
    ("box", "wider"), [((40, 80, 160, 120), 3), ((50, 50, 150, 150), 1), ((90, 30, 110, 170), 1 / 4)]
)
def test_what_a_network_sees_of_drawings_has_the_aspect_of_the_ink_not_of_the_paper(tmp_path, box, wider):
    found = view(draw(tmp_path, box))
    assert found.frame == "ink"
    assert wider / 1.6 < found.width / found.height < wider * 1.6  # sides are multiples of 8


def test_a_drawing_has_about_as_many_pixels_whatever_its_aspect(tmp_path):
    sizes = [
        view(draw(tmp_path / str(number), box)) for number, box in enumerate([(40, 80, 160, 120), (50, 50, 150, 150)])
    ]
    areas = [each.width * each.height for each in sizes]
    assert max(areas) < 1.5 * min(areas)


def test_sides_that_are_given_are_not_fitted(tmp_path):
    found = view(draw(tmp_path, (40, 80, 160, 120)), image_size=48, image_width=48)
    assert (found.height, found.width) == (48, 48)


@pytest.mark.parametrize("aspect", [0.01, 0.3, 1, 2.7, 50])
def test_sides_are_multiples_of_eight_and_never_too_long(aspect):
    height, width = sides_of(48, aspect)
    assert height % 8 == width % 8 == 0
    assert 1 / 5 < width / height < 5


def test_photos_in_colour_get_three_channels_and_grey_photos_one(tmp_path):
    colour = view(draw_place(tmp_path / "colour", CLASSES))
    grey = view(draw_place(tmp_path / "grey", CLASSES, lambda seed: photo(seed).convert("L")))
    assert (colour.channels, colour.frame, grey.channels, grey.frame) == (3, "photo", 1, "photo")
    assert view(tmp_path / "colour", channels=1).channels == 1


def test_a_recipe_that_was_asked_for_is_kept_with_its_changes(tmp_path):
    place = draw_place(tmp_path / "colour", CLASSES)
    recipe = fitted_recipe(place, SourceConfig(), "fast", {"iterations": 7})
    assert (recipe.name, recipe.network.view.width, recipe.iterations) == ("fast", 24, 7)


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
        view(tmp_path)


@pytest.mark.parametrize("recipe", [None, "fast", RECIPES["fast"]])
@pytest.mark.parametrize("count", [0, 3])
def test_a_number_of_held_out_classes_which_would_change_nothing_is_refused(tmp_path, recipe, count):
    place = draw_place(tmp_path / "colour", CLASSES)
    with pytest.raises(BadInput, match="--holdout has no effect on images of your own"):
        omnitwin.train(place, recipe=recipe, holdout=count, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
