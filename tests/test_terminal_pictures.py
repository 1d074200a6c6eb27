"""The pictures in docs/pictures are what the program prints today, but for what machines differ in."""

import re
from xml.etree import ElementTree

import pytest
from drawn_once import draw_once
from scripts import load_script

TEXT = "{http://www.w3.org/2000/svg}text"
ROUNDING = 0.00011  # of a printed probability, between machines
STRAY_PIXELS = 0.005  # share of cells: a synthetic drawing may differ in a pixel by a machine's arithmetic
TRAINED = r"[\d.]+ (?=% of 750 random pairs)"  # how well the demo's own network does: it depends on the machine
RUN = {"demo": "omnitwin demo --iterations 2"}  # the picture has the whole training


@pytest.fixture(scope="module")
def terminal():
    """The script; the data sets that it shows are drawn once for all pictures."""
    with pytest.MonkeyPatch.context() as patch:
        draw_once(patch)
        yield load_script("docs/terminal.py")


def words(picture):
    """The text of a picture, line by line."""
    lines = {}
    for element in ElementTree.fromstring(picture).iter(TEXT):
        lines.setdefault(element.get("y"), []).append(element.text)
    text = "\n".join("  ".join(parts) for parts in lines.values())
    return re.sub(TRAINED, "N ", re.sub(r"fp32 on .*", "fp32", text))


def without_probabilities(text):
    return re.sub(r"\d\.\d{4}", "P", text)


def probabilities(text):
    return [float(number) for number in re.findall(r"\d\.\d{4}", text)]


def cells(picture):
    """The colour of each half character that belongs to a drawing."""
    found = {}
    for colour, path in re.findall(r'<path fill="(#\w+)" d="([^"]*)"', picture):
        for column, line, count in re.findall(r"M(\d+) (\d+)h(\d+)v1", path):
            found |= {(int(column) + step, int(line)): colour for step in range(int(count))}
    return found


@pytest.mark.parametrize(
    "name", ["compare", pytest.param("demo", marks=pytest.mark.slow), "images", "pairs", "predictions"]
)
def test_a_picture_shows_what_its_command_prints(terminal, name):
    command = terminal.COMMANDS[name]
    kept = (terminal.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    fresh = terminal.svg(command, terminal.screen(RUN.get(name, command)))
    assert without_probabilities(words(kept)) == without_probabilities(words(fresh))
    assert probabilities(words(kept)) == pytest.approx(probabilities(words(fresh)), abs=ROUNDING)
    before, after = cells(kept), cells(fresh)
    assert before.keys() == after.keys()
    assert sum(before[cell] != after[cell] for cell in before) <= STRAY_PIXELS * len(before)


def test_every_picture_is_drawn_by_the_script_and_none_is_left_over(terminal):
    names = {*terminal.COMMANDS, terminal.CURVE}
    assert {path.name for path in terminal.FOLDER.iterdir()} == {f"{name}.svg" for name in names}


def test_the_curve_has_the_loss_of_every_iteration(terminal):
    picture = terminal.curve(iterations=2, batch_size=8, holdout=0)
    kept = (terminal.FOLDER / f"{terminal.CURVE}.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(picture).tag == ElementTree.fromstring(kept).tag
    assert "n = 2 iterations" in picture
    assert "n = 300 iterations" in kept


def test_a_picture_has_no_times_and_no_folders(terminal):
    for name in terminal.COMMANDS:
        text = words((terminal.FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
        assert not terminal.TIMES.search(text)
        assert not re.search(r"/home/|/root/|/tmp/|~", text)


def test_half_blocks_become_two_rectangles_and_equal_neighbours_one(terminal):
    black, grey, dark = "0;0;0", "9;9;9", "8;8;8"
    blocks = [f"\x1b[38;2;{upper};48;2;{black}m▀" for upper in (grey, grey, dark)]
    picture = terminal.svg("omnitwin", ["".join(blocks)])
    upper, lower = ["#090909", "#090909", "#080808"], ["#000000"] * 3
    assert cells(picture) == {
        (column, line): colour for line, row in ((2, upper), (3, lower)) for column, colour in enumerate(row)
    }
    assert picture.count("v1h") == 3


def test_text_from_the_terminal_is_escaped_and_keeps_its_columns(terminal):
    texts = list(ElementTree.fromstring(terminal.svg("omnitwin", ["a<b   c & d"])).iter(TEXT))
    assert [element.text for element in texts] == ["$ omnitwin", "a<b", "c & d"]
    assert float(texts[2].get("x")) == pytest.approx(6 * terminal.WIDTH)
