"""Nothing from outside reaches the terminal but printable text, and JSON is JSON."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from terminals import pair, picture, terminal

from omnitwin.reports.pictures import Picture, ScoredPair
from omnitwin.view.console import clean, print_json, say


@dataclass(frozen=True)
class Answer:
    name: str
    loss: float
    place: Path
    pair: ScoredPair
    pictures: tuple[tuple[Picture, str], ...]
    versions: dict[str, str]
    nothing: None = None


def answer(loss=0.5):
    drawn = pair(score=0.25, predicted=False)
    return Answer("a[b]ü", loss, Path("runs", "one"), drawn, ((picture(), "label"),), {"torch": "2"})


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x202E, 0xDC80])
def test_no_control_character_survives_cleaning(code):
    cleaned = clean(f"a{chr(code)}b")
    assert cleaned.isprintable()
    assert cleaned.startswith("a\\")
    assert cleaned.endswith("b")


@pytest.mark.parametrize("text", ["", "plain text", "ünï 漢字 ✓", "[red]x[/red]", "C:\\folder"])
def test_printable_text_is_left_as_it_is(text):
    assert clean(text) == text


def test_said_text_is_one_line_however_narrow_the_terminal():
    console = terminal(width=10)
    text = " ".join(["word"] * 30)
    say(console, text)
    assert console.file.text() == text + "\n"


@pytest.mark.parametrize("text", ["[red]x", "[/nothing]", ":smile:", "[link=file:///x]y[/link]"])
def test_markup_is_said_as_it_is(text):
    console = terminal(colour=True)
    say(console, text)
    assert console.file.lines() == [text]


def test_a_line_break_in_said_text_does_not_make_a_second_line():
    console = terminal()
    say(console, "two\nlines")
    assert console.file.lines() == ["two\\nlines"]


def test_printed_json_has_every_field_but_the_pictures(capsys):
    print_json(answer())
    assert json.loads(capsys.readouterr().out) == {
        "name": "a[b]ü",
        "loss": 0.5,
        "place": str(Path("runs", "one")),
        "pair": {
            "left_label": "Greek/alpha, drawing 1",
            "right_label": "Greek/beta, drawing 2",
            "similar": True,
            "score": 0.25,
            "predicted": False,
        },
        "pictures": [["label"]],
        "versions": {"torch": "2"},
        "nothing": None,
    }


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_know_is_null(capsys, loss):
    print_json(answer(loss))
    text = capsys.readouterr().out
    assert json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))["loss"] is None


def test_json_lines_are_not_wrapped(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    print_json(Answer("long name " * 50, 0.5, Path(), pair(), (), {}))
    assert json.loads(capsys.readouterr().out)["name"] == "long name " * 50


def test_json_has_no_colours_even_where_they_are_forced(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_json(answer())
    assert "\x1b" not in capsys.readouterr().out
