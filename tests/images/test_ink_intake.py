"""Frame `ink`: a drawing comes out as its ink alone, whatever the light, paper, pen and place it was seen in."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from omnitwin.images import cleaning, sheets, views
from omnitwin.images.framing import FILL, framed
from omnitwin.images.variations import VARIATIONS, vary_ruled
from omnitwin.images.views import read_image
from omnitwin.recipes import square

SIZE = 28


def drawing(scale=1):
    """A drawing of strokes 4 pixels wide on 105 x 105, ink 0 on paper 255."""
    image = Image.new("L", (105 * scale, 105 * scale), 255)
    pen = ImageDraw.Draw(image)
    pen.line([(scale * x, scale * y) for x, y in ((20, 30), (20, 80), (70, 80))], fill=0, width=4 * scale)
    pen.line([(scale * x, scale * y) for x, y in ((40, 25), (75, 60))], fill=0, width=4 * scale)
    return image


def seen(image, size=SIZE):
    return views.seen(image, square(size, "ink"))


def pixels(image, size=SIZE):
    return np.asarray(seen(image, size).image).astype(int)


def wanted():
    return framed(np.asarray(drawing())[None], SIZE, SIZE, "ink")[0].astype(int)


def differs(image):
    """Mean difference from the plain drawing, in grey levels; another drawing of as much ink is beyond 50."""
    return float(np.abs(pixels(image) - wanted()).mean())


def lit(image, factors):
    return Image.fromarray((np.asarray(image, dtype=float) * factors).clip(0, 255).round().astype(np.uint8))


def falling_light(shape, darkest):
    return np.linspace(1, darkest, shape[1])[None, :].repeat(shape[0], 0)


def test_every_drawing_of_a_set_comes_out_to_the_bit_as_its_row(tiny_105):
    rows = tiny_105.framed(square(20, "ink")).images_NHW.numpy()
    for row, original in zip(rows, tiny_105.images_NHW.numpy(), strict=True):
        assert np.array_equal(pixels(Image.fromarray(original * np.uint8(255)), 20), row)


def test_light_ink_on_dark_comes_out_as_dark_on_light_and_is_said():
    intake = seen(ImageOps.invert(drawing()))
    assert np.array_equal(np.asarray(intake.image), wanted())
    assert intake.notes == (cleaning.TURNED,)


def test_place_and_room_around_a_drawing_do_not_matter():
    for place in ((0, 0), (95, 40), (140, 190)):
        sheet = Image.new("L", (260, 300), 255)
        sheet.paste(drawing(), place)
        assert np.array_equal(pixels(sheet), wanted())


@pytest.mark.parametrize("side", [70, 210, 500, 1500])
def test_the_scale_of_a_drawing_hardly_matters(side):
    assert differs(drawing().resize((side, side), Image.Resampling.BICUBIC)) < 6


def test_light_that_falls_off_to_less_than_half_is_evened_and_said():
    large = drawing(3)
    image = lit(large, falling_light(large.size, 0.4))
    assert differs(image) < 6
    assert cleaning.EVENED in seen(image).notes


def test_the_edge_of_a_shadow_is_no_stroke():
    large = drawing(3).point(lambda level: 30 + level * 200 // 255)
    factors = np.ones((315, 315))
    factors[:, 200:] = 0.55
    soft = np.asarray(Image.fromarray((factors * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))) / 255
    assert differs(lit(large, soft)) < 8


def test_a_shadow_deeper_than_the_border_of_the_picture_does_not_turn_a_drawing_round():
    large = drawing(3)
    down, across = np.mgrid[-1:1:315j, -1:1:315j]
    assert cleaning.TURNED not in seen(lit(large, 1.1 - 0.45 * np.hypot(down, across))).notes


def test_faint_grey_ink_comes_out_at_full_strength():
    assert differs(drawing().point(lambda level: 190 + level // 5)) < 6


def test_noise_and_paper_texture_leave_no_trace():
    random = np.random.default_rng(0)
    noisy = np.asarray(drawing(), dtype=float) * 0.7 + 30 + random.normal(0, 12, (105, 105))
    square = pixels(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    assert np.abs(square - wanted()).mean() < 8
    assert square[wanted() == 255].mean() > 250


@pytest.mark.parametrize("along", [0, 1])
def test_ruled_lines_vanish_and_are_said(along):
    ruled = np.asarray(drawing(3)).copy()
    lines = ruled[10::50] if along == 0 else ruled[:, 10::50]
    lines[lines > 200] = 190
    intake = seen(Image.fromarray(ruled))
    assert np.abs(np.asarray(intake.image).astype(int) - wanted()).mean() < 4
    assert intake.notes == (cleaning.UNRULED,)


@pytest.mark.parametrize("name", sorted(set(VARIATIONS) - {"ruled paper"}))
def test_no_ruled_lines_are_said_of_paper_without_any(name):
    random = np.random.default_rng(0)
    for _ in range(5):
        varied = VARIATIONS[name](np.asarray(drawing()) > 0, random)
        assert cleaning.UNRULED not in seen(varied).notes


def test_ruled_paper_is_said_to_be_ruled():
    random = np.random.default_rng(0)
    said = [cleaning.UNRULED in seen(vary_ruled(np.asarray(drawing()) > 0, random)).notes for _ in range(20)]
    assert sum(said) >= 18


def test_very_many_specks_are_said_to_be_many():
    for count, note in ((90, "90 specks were ignored"), (144, "144 specks were ignored, many for a drawing")):
        dusty = drawing(3)
        for number in range(count):
            dusty.putpixel((4 + 12 * (number % 24), 4 + 8 * (number // 24)), 0)
        assert seen(dusty).notes == (note,)


def test_specks_far_from_a_drawing_do_not_stretch_its_box_and_are_said():
    dusty = drawing()
    for place in ((2, 3), (100, 50), (50, 102)):
        dusty.putpixel(place, 0)
    intake = seen(dusty)
    assert np.array_equal(np.asarray(intake.image), wanted())
    assert intake.notes == ("3 specks were ignored",)


def test_a_dot_of_the_pen_belongs_to_the_drawing():
    dotted = drawing()
    ImageDraw.Draw(dotted).rectangle((90, 20, 93, 23), fill=0)
    assert np.array_equal(pixels(dotted), framed(np.asarray(dotted)[None], SIZE, SIZE, "ink")[0])


def test_a_frame_around_the_sheet_is_ignored_and_said():
    for thickness in (3, 8):
        intake = seen(ImageOps.expand(drawing(), thickness, 0))
        assert np.array_equal(np.asarray(intake.image), wanted())
        assert len(intake.notes) == 1
        assert intake.notes[0] in (cleaning.UNFRAMED, sheets.SHEET)


def test_ink_that_touches_the_border_stays():
    cut = drawing().crop((19, 24, 78, 83))
    assert np.array_equal(pixels(cut), framed(np.asarray(cut)[None], SIZE, SIZE, "ink")[0])


def test_a_grey_edge_keeps_its_place():
    """A bar from 20.25 to 40.25: the first column is a quarter paper, the last a quarter ink."""
    bar = np.full((100, 100), 255, np.uint8)
    bar[30:70, 20:41] = 0
    bar[30:70, 20], bar[30:70, 40] = 64, 191
    ink = cleaning.clean_ink(Image.fromarray(bar)).ink_HW
    assert ink[30:70].sum(1) == pytest.approx(20, abs=0.2)
    assert ink[50, 20] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_an_image_of_one_level_is_blank_paper(level):
    for size in ((50, 80), (1, 1), (8, 8)):
        intake = seen(Image.new("L", size, level))
        assert (np.asarray(intake.image) == 255).all()
        assert intake.blank


def test_blank_paper_under_a_lamp_is_blank():
    paper = np.random.default_rng(0).normal(0.95, 0.01, (200, 200)) * 255
    intake = seen(lit(Image.fromarray(paper.clip(0, 255).astype(np.uint8)), falling_light((200, 200), 0.6)))
    assert (np.asarray(intake.image) == 255).mean() > 0.97


def test_an_image_of_8_x_8_is_enlarged_smoothly():
    tiny = drawing().crop((15, 20, 80, 85)).resize((8, 8), Image.Resampling.BOX)
    square = pixels(tiny)
    steps = np.abs(np.diff(square, axis=1)).max()
    assert len(np.unique(square)) > 30  # blocks of the 64 pixels would have fewer levels, with hard edges
    assert steps < 200
    rows, columns = np.nonzero(square < 128)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 >= SIZE * FILL - 3


@pytest.mark.parametrize("shape", [(1, 20_000), (20_000, 1), (1, 2), (3, 5_000)])
def test_lines_of_any_length_give_a_square(shape):
    stripe = np.full(shape, 255, np.uint8)
    stripe.flat[: stripe.size // 4] = 0
    assert seen(Image.fromarray(stripe)).image.size == (SIZE, SIZE)


def test_random_noise_gives_a_square():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200)).astype(np.uint8))
    assert seen(noise).image.size == (SIZE, SIZE)


def test_a_large_photo_is_cleaned_as_a_small_copy_and_shows_the_drawing(tmp_path, monkeypatch):
    photo = Image.new("L", (4000, 3000), 255)
    photo.paste(drawing().resize((1400, 1400), Image.Resampling.BICUBIC), (1900, 600))
    lit(photo, falling_light((3000, 4000), 0.6)).convert("RGB").save(tmp_path / "photo.jpg")
    cleaned = []
    clean_ink = cleaning.clean_ink
    monkeypatch.setattr(cleaning, "clean_ink", lambda grey: cleaned.append(grey.size) or clean_ink(grey))
    intake = read_image(tmp_path / "photo.jpg", square(SIZE, "ink"))
    assert [max(size) <= 480 for size in cleaned] == [True]  # of 4000: a hundredth of the pixels
    assert np.abs(np.asarray(intake.image).astype(int) - wanted()).mean() < 10


def test_what_a_person_is_shown_is_the_whole_picture_and_not_the_ink_alone():
    sheet = Image.new("L", (260, 130), 255)
    sheet.paste(drawing(), (150, 10))
    shown = np.asarray(views.seen(sheet, square(SIZE, "ink"), shown=True).shown)
    assert shown[:, :56].min() == 255
    assert shown[:, 56:].min() < 100


def test_no_picture_for_a_person_is_made_where_nobody_asks_for_it():
    for frame in ("ink", "whole"):
        assert views.seen(drawing(), square(SIZE, frame)).shown is None
