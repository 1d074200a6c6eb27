"""Views: training and answers see the same pixels; a photo keeps its colours, an oblong drawing its aspect."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from omnitwin.errors import BadImage
from omnitwin.images.framing import FILL
from omnitwin.images.intake import read_picture
from omnitwin.images.views import SHOWN_PHOTO, read_any, read_image, seen
from omnitwin.recipes import View, square

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (10, 50, 220)
PHOTO = View(height=24, width=40, channels=3, frame="photo")
VIEWS = [
    PHOTO,
    View(height=30, width=20, channels=1, frame="photo"),
    square(28),
    View(height=20, width=50, frame="whole"),
    square(28, "ink"),
    View(height=32, width=80, frame="ink"),
    View(height=32, width=80, channels=3, frame="ink"),
]
FORMATS = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpg": ("L", "RGB", "CMYK"),
    "jp2": ("L", "RGB", "RGBA"),
    "tif": ("1", "L", "P", "RGB", "RGBA", "CMYK", "I", "F"),
    "gif": ("L", "P"),
    "webp": ("RGB", "RGBA"),
}


def scene(size=(90, 60), ground=GREEN):
    """A red disc and a blue bar, on green."""
    image = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(image)
    pen.ellipse((10, 10, 40, 40), fill=RED)
    pen.rectangle((60, 8, 70, 50), fill=BLUE)
    return image


def in_mode(mode):
    """The disc and the bar on paper, in 8 colours if there is a palette."""
    drawn = scene(ground=(240, 235, 225))
    if mode == "P":
        return drawn.quantize(8)
    return drawn.convert("L").convert("I").convert("I;16") if mode == "I;16" else drawn.convert(mode)


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("orientation", [1, 6])
def test_what_training_packs_is_to_the_bit_what_an_answer_sees(tmp_path, view, orientation):
    """Training decodes, then sees (data.store); an answer prepares a file first, or gets a picture or an array."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for ending, modes in FORMATS.items():
        for mode in modes:
            path = tmp_path / f"{mode.replace(';', '')}.{ending}"
            # Pillow 13 maps a TIFF without compression into memory as if it were upright
            in_mode(mode).save(path, exif=exif, **({"compression": "tiff_lzw"} if ending == "tif" else {}))
            packed = read_picture(path, lambda picture: seen(picture, view)).pixels_CHW
            assert packed.shape == (view.channels, view.height, view.width)
            assert packed.dtype == np.uint8
            with Image.open(path) as lazy:
                found = [read_any(image, view) for image in (path, str(path), lazy)]
            found.append(read_image(path, view, shown=True))
            assert all(np.array_equal(each.pixels_CHW, packed) for each in found), (ending, mode)


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "F"])
def test_an_array_is_seen_as_the_picture_that_it_is(view, mode):
    array = np.asarray(in_mode(mode))
    assert np.array_equal(read_any(array, view).pixels_CHW, seen(in_mode(mode), view).pixels_CHW)


def test_a_photo_keeps_its_colours_its_aspect_and_the_colour_of_its_edge():
    """90 x 60 in 40 x 24: scaled by 0.4 to 36 x 24, two columns of edge on either side."""
    pixels = seen(scene(), PHOTO).pixels_CHW
    assert (pixels[:, :, :2] == np.array(GREEN)[:, None, None]).all()
    assert (pixels[:, :, -2:] == np.array(GREEN)[:, None, None]).all()
    assert tuple(pixels[:, 10, 2 + 10]) == RED  # of (25, 25)
    assert tuple(pixels[:, 12, 2 + 26]) == BLUE  # of (65, 30)


def test_a_grey_photo_is_not_turned_round_or_stretched():
    """Unlike a drawing: dark ground stays dark, and faint contrast faint."""
    dark = Image.new("L", (30, 30), 40)
    dark.paste(90, (10, 10, 20, 20))
    found = seen(dark, square(30, "photo"))
    assert np.array_equal(found.pixels_CHW[0], np.asarray(dark))
    assert found.notes == ()
    assert seen(dark, square(30)).pixels_CHW[0, 0, 0] == 255


def test_a_transparent_photo_lies_on_white():
    clear = Image.new("RGBA", (20, 20), (*BLUE, 0))
    clear.paste((*RED, 255), (5, 5, 15, 15))
    pixels = seen(clear, square(20, "photo", 3)).pixels_CHW
    assert tuple(pixels[:, 0, 0]) == (255, 255, 255)
    assert tuple(pixels[:, 10, 10]) == RED


@pytest.mark.parametrize(("height", "width"), [(32, 80), (40, 40), (60, 20)])
def test_ink_keeps_its_aspect_in_a_view_of_any_height_and_width(height, width):
    """A bar of 150 x 50 takes FILL of the width, or of the height where that is reached first."""
    sheet = Image.new("L", (400, 300), 255)
    ImageDraw.Draw(sheet).rectangle((40, 60, 189, 109), fill=0)
    ink = 1 - seen(sheet, View(height=height, width=width, frame="ink")).pixels_CHW[0] / 255
    scale = FILL * min(width / 150, height / 50)
    assert ink.sum() == pytest.approx(150 * scale * 50 * scale, rel=0.05)
    assert 150 * scale <= (ink > 0).any(0).sum() < 150 * scale + 2
    assert 50 * scale <= (ink > 0).any(1).sum() < 50 * scale + 2


def test_three_channels_of_a_drawing_are_its_grey_three_times():
    for frame in ("ink", "whole"):
        grey = seen(scene(), View(height=20, width=50, frame=frame))
        three = seen(scene(), View(height=20, width=50, frame=frame, channels=3))
        assert np.array_equal(three.pixels_CHW, np.repeat(grey.pixels_CHW, 3, axis=0))
        assert (three.image.mode, three.image.size) == ("RGB", (50, 20))
        assert three.notes == grey.notes


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("colour", [(0, 0, 0), RED, (255, 255, 255)])
def test_a_picture_of_a_single_colour_is_refused(tmp_path, view, colour):
    Image.new("RGB", (50, 30), colour).save(tmp_path / "plain.png")
    with pytest.raises(BadImage, match=r"plain\.png has (a single colour|no ink)"):
        read_any(tmp_path / "plain.png", view)


def test_a_picture_with_something_on_it_is_not_refused():
    dot = Image.new("RGB", (48, 48), GREEN)
    dot.paste(RED, (20, 20, 28, 28))
    assert not read_any(dot, square(24, "photo", 3)).blank
    assert not read_any(dot.convert("L"), square(24, "photo")).blank


def test_a_person_is_shown_a_photo_whole_with_its_aspect_and_its_colours():
    large = scene().resize((900, 600))
    shown = seen(large, PHOTO, shown=True).shown
    assert (shown.mode, shown.size) == ("RGB", (SHOWN_PHOTO, SHOWN_PHOTO * 2 // 3))
    small = seen(scene(), PHOTO, shown=True).shown
    assert np.array_equal(np.asarray(small), np.asarray(scene()))


def test_a_person_is_shown_a_drawing_with_its_own_aspect():
    sheet = Image.new("L", (300, 100), 255)
    ImageDraw.Draw(sheet).line((20, 20, 280, 80), fill=0, width=5)
    assert seen(sheet, View(height=32, width=80, frame="ink"), shown=True).shown.size == (112, 37)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3)])
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_pictures_of_any_shape_are_seen(view, size):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8))
    assert seen(noise, view, shown=True).pixels_CHW.shape == (view.channels, view.height, view.width)


def test_a_large_jpeg_2000_is_a_photo_like_any_other(tmp_path: Path):
    scene((900, 600)).save(tmp_path / "large.jp2")
    assert read_image(tmp_path / "large.jp2", PHOTO, shown=True).shown.size == (SHOWN_PHOTO, SHOWN_PHOTO * 2 // 3)
    assert read_image(tmp_path / "large.jp2", square(28, "ink")).pixels_CHW.shape == (1, 28, 28)
