"""Pages as people's files have them: what is no part of the drawing is left out, and what is no drawing is said.

The drawing alone, on the same paper, is what each page has to come out as. Kinds are drawn here, none is a file.
"""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from omnitwin import load
from omnitwin.errors import BadImage
from omnitwin.images.frames import NOTE
from omnitwin.images.intake import read_picture
from omnitwin.images.values import grey_of
from omnitwin.images.views import THICKENED, read_any, seen
from omnitwin.recipes import square
from omnitwin.reports.pages import BLANK, EMPTY_FORM, SEVERAL, TEXT

SIDE, PAPER, INK, PEN = 480, 238, 45, 12
VIEW = square(28, "ink")
CLOSE = 15  # levels: mean difference; another drawing of as much ink is beyond 40


def sheet(paper=PAPER, mode="L"):
    return Image.new(mode, (SIDE, SIDE), paper)


def drawn(page, ink=INK, pen=PEN, shift=(0, 0)):
    """A hook, a bow across it, and a dot, with round ends as of a pen."""
    draw = ImageDraw.Draw(page)
    for points in (((170, 150), (168, 300), (230, 322), (300, 300)), ((150, 230), (220, 205), (310, 215), (330, 170))):
        places = [(x + shift[0], y + shift[1]) for x, y in points]
        draw.line(places, fill=ink, width=pen, joint="curve")
        for x, y in places:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)
    x, y = 285 + shift[0], 260 + shift[1]
    draw.ellipse((x - pen, y - pen, x + pen, y + pen), fill=ink)
    return page


def differs(page):
    """Mean difference from the drawing alone, in levels."""
    found, wanted = (seen(image, VIEW).pixels_CHW.astype(int) for image in (page, drawn(sheet())))
    return float(np.abs(found - wanted).mean())


def lined(*lines, width=3, level=60):
    page = drawn(sheet())
    for line in lines:
        ImageDraw.Draw(page).line(line, fill=level, width=width)
    return page


def hatched(step=44, slope=0.04):
    """Squared paper, scanned a little askew."""
    lines = []
    for start in range(-SIDE, 2 * SIDE, step):
        lines += [(start, -5, start + slope * SIDE, SIDE + 5), (-5, start, SIDE + 5, start - slope * SIDE)]
    return lined(*lines, width=2)


def cells():
    """A row of three cells of a form, the drawing in the middle one."""
    edges = [(20, 110, 460, 110), (20, 360, 460, 360)] + [(x, 110, x, 360) for x in (20, 125, 355, 460)]
    return lined(*edges)


def around(level=30, degrees=5, edge=60):
    """The sheet, crooked on a table."""
    turned = drawn(sheet()).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=level)
    table = Image.new("L", (turned.width + 2 * edge, turned.height + 3 * edge), level)
    table.paste(turned, (edge, edge))
    return table


def thumb():
    page = drawn(sheet()).convert("RGB")
    ImageDraw.Draw(page).ellipse((-70, 330, 75, 560), fill=(150, 100, 75))
    return page


def bordered(*polygon):
    page = drawn(sheet())
    ImageDraw.Draw(page).polygon(polygon, fill=12)
    return page


def stamped(colour):
    page = drawn(sheet().convert("RGB"), ink=(INK,) * 3)
    draw = ImageDraw.Draw(page)
    draw.ellipse((275, 270, 425, 420), outline=colour, width=4)
    draw.text((300, 325), "VOID", fill=colour, font=ImageFont.load_default(42))
    return page


PAGES = {
    "line under": lambda: lined((90, 360, 410, 360)),
    "line across, slanting": lambda: lined((-5, 190, SIDE + 5, 240), width=4),
    "fold from corner to corner": lambda: lined((-2, 60, SIDE + 2, 420), width=2),
    "squared paper askew": hatched,
    "cells of a form": cells,
    "sheet on a table": around,
    "sheet turned the other way": lambda: around(degrees=-7),
    "lid on two sides": lambda: bordered((0, 0), (SIDE, 0), (SIDE, 26), (32, 26), (32, SIDE), (0, SIDE)),
    "torn corner": lambda: bordered((SIDE, SIDE), (SIDE - 95, SIDE), (SIDE, SIDE - 60)),
    "thumb": thumb,
    "black stamp": lambda: stamped((40, 40, 40)),
    "violet stamp": lambda: stamped((120, 60, 170)),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_what_is_no_part_of_the_drawing_is_left_out_and_said(page):
    assert differs(page()) < CLOSE
    assert seen(page(), VIEW).notes


def test_a_drawing_alone_is_said_nothing_of():
    found = seen(drawn(sheet()), VIEW)
    assert (found.notes, found.findings) == ((), ())


@pytest.mark.parametrize("paper", [40, 90])
def test_chalk_on_a_dark_board_is_no_sheet_on_a_table(paper):
    assert differs(drawn(sheet(paper), ink=225)) < CLOSE


def test_a_hairline_keeps_its_strokes_and_comes_out_as_a_pens():
    found = seen(drawn(sheet(), pen=1), VIEW)
    assert THICKENED in found.notes
    ink = 255 - found.pixels_CHW.astype(int)
    assert ink.mean() > 0.4 * (255 - seen(drawn(sheet()), VIEW).pixels_CHW.astype(int)).mean()


# ---- values


def test_a_few_hot_pixels_do_not_change_a_grey_of_sixteen_bits():
    values = np.asarray(drawn(sheet())).astype(np.uint16) * 4
    values[3, 3] = values[400, 17] = 65535
    assert differs(Image.fromarray(values)) < 3


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf, -9999, 3.4e38])
@pytest.mark.parametrize("unit", [1 / 255, 1, 16])
def test_values_for_no_data_are_paper(missing, unit):
    values = np.asarray(drawn(sheet())).astype(np.float32) * np.float32(unit)
    values[-20:] = missing
    assert differs(Image.fromarray(values)) < 3


def test_two_levels_far_apart_are_both_data():
    """A drawing of -9999 on -9998 and one of 0 on 60,000."""
    for paper, ink in ((-9998.0, -9999.0), (60_000.0, 0.0)):
        values = np.where(np.asarray(drawn(sheet())) == INK, ink, paper).astype(np.float32)
        grey = np.asarray(grey_of(Image.fromarray(values)))
        assert (int(grey.min()), int(grey.max())) == (0, 255)


@pytest.mark.parametrize("colours", [((235, 75, 95), (60, 165, 90)), ((120, 110, 225), (160, 112, 20))])
def test_colours_as_light_as_each_other_are_told_apart(colours):
    ink, paper = colours
    light = np.array([0.299, 0.587, 0.114])
    ink = tuple(round(float(level * (light @ paper) / (light @ ink))) for level in ink)
    assert differs(drawn(sheet(paper, "RGB"), ink=ink)) < CLOSE


def test_white_ink_on_nothing_is_laid_on_black():
    alpha = drawn(Image.new("L", (SIDE, SIDE), 0), ink=255)
    white = Image.merge("LA", [Image.new("L", alpha.size, 255), alpha])
    assert differs(white) < CLOSE


# ---- frames and pages


def half():
    page = drawn(sheet())
    page.paste(PAPER, (230, 0, SIDE, SIDE))
    return page


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_an_animation_that_draws_is_read_when_it_is_complete(tmp_path, suffix):
    path = tmp_path / f"drawing.{suffix}"
    half().save(path, save_all=True, append_images=[drawn(sheet())], duration=100)
    assert read_picture(path, lambda picture: picture.info[NOTE]) == "frame 2 was read: it completes the drawing"
    found = read_any(path, VIEW)
    assert "frame 2 was read: it completes the drawing" in found.notes
    assert np.abs(found.pixels_CHW.astype(int) - seen(drawn(sheet()), VIEW).pixels_CHW).mean() < CLOSE


def test_blank_pages_before_the_drawing_are_passed_over_and_later_ones_not_looked_at(tmp_path):
    pages = [sheet(), sheet(250), half(), drawn(sheet())]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    found = read_any(tmp_path / "pages.tif", VIEW)
    assert found.notes == ("page 3 was read: nothing is on those before",)
    assert np.array_equal(found.pixels_CHW, seen(half(), VIEW).pixels_CHW)


def test_an_animation_that_wipes_out_is_read_at_its_beginning(tmp_path):
    drawn(sheet()).save(tmp_path / "wiped.gif", save_all=True, append_images=[half(), sheet()], duration=100)
    assert read_any(tmp_path / "wiped.gif", VIEW).notes == ()


def test_strokes_as_straight_as_a_ruler_makes_them_are_a_drawing():
    """A sign of straight strokes of one and two pixels, as they come out slanted: one pen drew them all."""
    page = Image.new("L", (120, 60), 235)
    draw = ImageDraw.Draw(page)
    for line, width in (((20, 50, 60, 10), 2), ((60, 10, 100, 50), 2), ((12, 40, 108, 26), 1)):
        draw.line(line, fill=40, width=width)
    found = seen(page, VIEW)
    assert (found.notes, found.findings) == ((), ())


def shadowed(strength, written=True):
    """A shadow with a hard edge over the left half of the drawing."""
    page = drawn(sheet()) if written else drawn(sheet(), shift=(140, 0))
    level = np.asarray(page, dtype=float)
    level[:, :240] *= strength
    return Image.fromarray(level.astype(np.uint8))


@pytest.mark.parametrize("strength", [0.5, 0.6])
def test_a_shadow_in_which_strokes_go_on_is_no_desk(strength):
    assert differs(shadowed(strength)) < CLOSE
    assert not any("dark" in note or "sheet" in note for note in seen(shadowed(strength), VIEW).notes)


# ---- nothing to compare


def test_an_empty_form_is_no_drawing_and_is_not_called_blank():
    form = sheet()
    ImageDraw.Draw(form).rectangle((60, 90, 400, 380), outline=50, width=4)
    found = seen(form, VIEW)
    assert found.findings == (EMPTY_FORM,)
    with pytest.raises(BadImage, match="only lines of a form"):
        read_any(form, VIEW)
    answer = load().compare(form, drawn(sheet()))
    assert (answer.verdict, answer.reasons) == ("unsure", ("the first image: an empty form, without a drawing",))
    with pytest.raises(BadImage, match="only lines of a form"):
        load().compare(form, form, always_answer=True)


def test_blank_paper_is_called_blank():
    assert seen(sheet(), VIEW).findings == (BLANK,)


@pytest.mark.parametrize("word", ["Nalomi", "Ferotas", "debulan"])
def test_a_printed_word_is_found_to_be_text(word):
    page = sheet()
    ImageDraw.Draw(page).text((60, 180), word, fill=30, font=ImageFont.load_default(72))
    assert seen(page, VIEW).findings == (TEXT,)


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (1, 3), (3, 1), (2, 2), (3, 3)])
def test_several_drawings_are_found_however_they_lie_and_a_single_one_of_several_strokes_is_not(rows, columns):
    page = Image.new("L", (columns * 200, rows * 200), 255)
    draw = ImageDraw.Draw(page)
    for number in range(rows * columns):
        left, top = 200 * (number % columns) + 60, 200 * (number // columns) + 60
        draw.line([left, top, left + 80, top + 70, left + 10, top + 80], fill=0, width=6)
        draw.line([left + 60, top, left + 75, top + 30], fill=0, width=6)  # a stroke by itself
    found = seen(page, square(28, "ink")).findings
    assert found == (SEVERAL,)
    assert seen(page.crop((0, 0, 200, 200)), square(28, "ink")).findings == ()
