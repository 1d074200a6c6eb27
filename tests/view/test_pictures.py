"""Pictures in a terminal: the right size, ink darker than paper, and readable where there is no colour."""

import pytest
from terminals import framed, labelled, pair, picture, terminal

from omnitwin.reports.pictures import Picture
from omnitwin.view.pictures import RAMP, draw_images, draw_pairs, draw_picture, has_colour, pair_title

INK_BELOW_LEFT = picture(((255, 255), (0, 255)))  # one quarter of it
WIDTHS = (30, 80, 200)
COLOUR = {"colour": True}
NO_COLOUR = {
    "pipe": {},
    "no_color": {"colour": True, "no_color": True},
    "dumb": {"force_terminal": True, "color_system": None},
    "ascii": {"colour": True, "encoding": "ascii"},
    "latin-1": {"colour": True, "encoding": "latin-1"},
}


def printed(console, drawing):
    console.print(drawing)
    return console.file.lines()


def half_blocks(drawing, columns):
    """Grey levels, two rows a line, of a picture drawn in half blocks: the letter's colour above its background."""
    cells = [span.style for span in drawing.spans]
    lines = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    rows = []
    for line in lines:
        rows.append([cell.color.triplet for cell in line])
        rows.append([cell.bgcolor.triplet for cell in line])
    return rows


def test_a_colour_terminal_has_colour():
    assert has_colour(terminal(colour=True))


@pytest.mark.parametrize("kind", NO_COLOUR)
def test_pipes_and_terminals_without_colour_or_unicode_have_none(kind):
    assert not has_colour(terminal(**NO_COLOUR[kind]))


def test_the_variable_no_color_takes_colour_away(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour(terminal(colour=True))


def test_half_blocks_fill_columns_by_half_as_many_lines():
    lines = draw_picture(INK_BELOW_LEFT, 12, terminal(**COLOUR)).plain.splitlines()
    assert lines == ["▀" * 12] * 6


def test_half_blocks_show_each_pixels_grey():
    rows = half_blocks(draw_picture(INK_BELOW_LEFT, 4, terminal(**COLOUR)), 4)
    assert rows == [[(255,) * 3] * 4] * 2 + [[(0,) * 3] * 2 + [(255,) * 3] * 2] * 2


def test_half_blocks_show_the_colours_of_a_picture_in_colour():
    red, blue = (255, 0, 0), (0, 0, 255)
    drawn = Picture(width=2, height=2, pixels=bytes([*red, *blue, *blue, *red]), channels=3)
    rows = half_blocks(draw_picture(drawn, 2, terminal(**COLOUR)), 2)
    assert rows == [[red, blue], [blue, red]]


def test_a_picture_in_colour_is_a_ramp_of_its_lightness_without_colour():
    """Of ITU-R 601-2, as Pillow makes grey: red is darker than green, and lighter than black."""
    drawn = Picture(width=3, height=1, pixels=bytes([0, 0, 0, 255, 0, 0, 0, 255, 0]), channels=3)
    text = draw_picture(drawn, 3, terminal()).plain
    assert [RAMP.index(cell) for cell in text] == sorted((RAMP.index(cell) for cell in text), reverse=True)
    assert len(set(text)) == 3


def test_256_colours_are_the_nearest_of_them():
    """6 x 6 x 6 levels of 0, 95, 135, 175, 215 and 255, and greys from 8 in steps of 10 (xterm)."""
    cube = [(0, 95, 135, 175, 215, 255)[level] for level in range(6)]
    palette = [(r, g, b) for r in cube for g in cube for b in cube] + [(8 + 10 * k,) * 3 for k in range(24)]
    colours = [(200, 30, 40), (90, 60, 45), (12, 100, 230), (128, 128, 128), (255, 255, 255), (0, 0, 0)]
    drawn = Picture(width=6, height=6, pixels=bytes(sum(colours * 6, ())), channels=3)
    text = draw_picture(drawn, 6, terminal(force_terminal=True, color_system="256"))

    def distance(one, other):
        return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))

    for colour, span in zip(colours, text.spans, strict=False):
        chosen = palette[span.style.color.number - 16]
        assert distance(colour, chosen) == min(distance(colour, each) for each in palette)


def test_16_colours_are_too_few_for_a_picture_in_colour_but_enough_for_ink():
    drawn = Picture(width=2, height=2, pixels=bytes([200, 30, 40] * 4), channels=3)
    console = terminal(force_terminal=True, color_system="standard")
    assert "▀" not in draw_picture(drawn, 4, console).plain
    assert "▀" in draw_picture(INK_BELOW_LEFT, 4, console).plain


@pytest.mark.parametrize("kind", [*NO_COLOUR, "colour"])
@pytest.mark.parametrize(("width", "height", "lines", "drawn"), [(90, 30, 2, 12), (30, 90, 6, 4), (60, 60, 6, 12)])
def test_a_picture_keeps_its_aspect_in_a_box_of_its_columns(kind, width, height, lines, drawn):
    """12 columns: at most 12 across and, as a character is twice as high as wide, 6 lines down."""
    console = terminal(**(NO_COLOUR | {"colour": COLOUR})[kind])
    dark = Picture(width=width, height=height, pixels=bytes(width * height))
    rows = draw_picture(dark, 12, console).plain.split("\n")
    assert len(rows) == lines
    assert {len(row) for row in rows} == {12}
    assert {len(row.strip()) for row in rows} == {drawn}
    assert {(12 - drawn) // 2} == {len(row) - len(row.lstrip()) for row in rows}


def test_a_photo_without_white_or_black_takes_the_whole_ramp():
    levels = picture([[80, 130, 180]], scale=4)
    assert draw_picture(levels, 3, terminal()).plain.split("\n")[0] == f"{RAMP[-1]}{RAMP[4]}{RAMP[0]}"


def test_paper_that_is_nearly_even_is_not_stretched_into_noise():
    assert set(draw_picture(picture([[250, 245, 255]], scale=4), 3, terminal()).plain) <= {" ", "\n", RAMP[-1], RAMP[4]}


def test_half_blocks_reach_the_terminal_as_24_bit_colour():
    console = terminal(**COLOUR)
    printed(console, draw_picture(INK_BELOW_LEFT, 4, console))
    assert "38;2;255;255;255;48;2;255;255;255" in console.file.text()
    assert "38;2;0;0;0;48;2;0;0;0" in console.file.text()


@pytest.mark.parametrize("kind", NO_COLOUR)
def test_without_colour_ink_is_the_ramps_last_character_and_paper_a_space(kind):
    drawn = draw_picture(INK_BELOW_LEFT, 4, terminal(**NO_COLOUR[kind]))
    assert [line.rstrip() for line in drawn.plain.split("\n")] == ["", "@@"]


def test_darker_grey_is_never_a_lighter_character():
    shades = picture([[255 - 28 * step for step in range(10)]])
    line = draw_picture(shades, 10, terminal()).plain.split("\n")[0]
    assert line.ljust(10) == RAMP


def test_thin_strokes_are_not_averaged_away():
    assert "@" in draw_picture(framed(105), 12, terminal()).plain


def test_blank_paper_is_blank():
    assert draw_picture(picture([[255]]), 6, terminal()).plain.strip() == ""


def test_a_lone_black_picture_is_all_ink():
    assert set(draw_picture(picture([[0]]), 6, terminal()).plain) == {"@", "\n"}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [*NO_COLOUR, "colour"])
def test_pairs_stay_within_the_terminal(width, kind):
    console = terminal(width, **(NO_COLOUR | {"colour": COLOUR})[kind])
    assert max(len(line) for line in printed(console, draw_pairs([pair()] * 7, console))) <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["pipe", "colour"])
def test_images_stay_within_the_terminal(width, kind):
    console = terminal(width, **(NO_COLOUR | {"colour": COLOUR})[kind])
    images = [labelled(INK_BELOW_LEFT, "Japanese_(hiragana)/character01, drawing 12")] * 13
    assert max(len(line) for line in printed(console, draw_images(images, console))) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_without_unicode_only_ascii_is_written(width):
    console = terminal(width, colour=True, encoding="ascii")
    printed(console, draw_pairs([pair(score=0.25, predicted=True)] * 7, console))
    assert "@" in console.file.text()  # Paper is strict: other characters would have raised


@pytest.mark.parametrize("kind", ["ascii", "latin-1"])
@pytest.mark.parametrize("width", WIDTHS)
def test_long_labels_are_cut_with_letters_that_the_terminal_has(width, kind):
    console = terminal(width, **NO_COLOUR[kind])
    images = [labelled(INK_BELOW_LEFT, "Japanese_(hiragana)/character01, drawing 12")] * 13
    assert max(len(line) for line in printed(console, draw_images(images, console))) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_in_a_pipe_only_ascii_is_written(width):
    console = terminal(width)
    lines = printed(console, draw_pairs([pair(score=0.25, predicted=True)] * 7, console))
    assert "".join(lines).isascii()
    assert "\x1b" not in console.file.text()


@pytest.mark.parametrize("width", range(20, 201, 9))
def test_both_edges_of_every_picture_of_a_pair_are_seen(width):
    console = terminal(width)
    lines = printed(console, draw_pairs([pair(framed())] * 7, console))
    assert {line.count("@") % 4 for line in lines} == {0}
    assert not any("…" in line for line in lines)
    assert sum("@" in line for line in lines) > 0


@pytest.mark.parametrize("width", range(20, 201, 9))
def test_both_edges_of_every_image_are_seen(width):
    console = terminal(width)
    lines = printed(console, draw_images([labelled(framed(), "a")] * 20, console))
    assert {line.count("@") % 2 for line in lines} == {0}
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_pair_is_drawn_once(count):
    console = terminal(200)
    lines = printed(console, draw_pairs([pair()] * count, console))
    assert "\n".join(lines).count("similar") == count


def test_title_of_a_pair_says_similar_or_dissimilar():
    assert [pair_title(pair(similar=similar)).plain for similar in (True, False)] == ["similar", "dissimilar"]


@pytest.mark.parametrize(
    ("similar", "predicted", "verdict"),
    [(True, True, "right"), (False, False, "right"), (True, False, "WRONG"), (False, True, "WRONG")],
)
def test_title_of_a_scored_pair_says_target_prediction_and_score(similar, predicted, verdict):
    words = {True: "similar", False: "dissimilar"}
    title = pair_title(pair(similar=similar, predicted=predicted, score=0.12345))
    assert title.plain.split("\n") == [
        verdict,
        f"Target: {words[similar]}",
        f"Predicted: {words[predicted]}",
        "Score: 0.1235",
    ]


def test_labels_are_printed_without_control_characters():
    console = terminal()
    lines = printed(console, draw_images([labelled(INK_BELOW_LEFT, "[red]\x1b[2J")], console))
    assert any("[red]\\x1b[2J" in line for line in lines)
