"""Texts that mean something to a terminal, Rich, a page, matplotlib or a shell, and how they may be told."""

import re
from pathlib import Path

SEQUENCES = {  # to a terminal
    "colour": "\x1b[38;5;213mred\x1b[0m",
    "cleared screen": "\x1b[2J\x1b[1;1H",
    "link": "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
    "title": "\x1b]0;title\x07",
    "bell, backspace": "a\x07b\x08\x08",
    "over the line": "a\rb",
    "second line": "a\nomnitwin: all is well",
    "tab, form feed": "a\tb\x0bc\x0cd",
    "delete": "a\x7fb",
    "C1": "\x9b31ma\x85b\x90c\x9c",
    "right to left": "\u202egnp.exe\u2066a",
    "unseen": "a\u200bb\ufeffc\u00add\u2060e",
    "separators": "a\u2028b\u2029c",
    "no text": "\udcff\udc9b31m\udc80",
}
MARKUP = {  # to those who take text for more than text
    "Rich": "[red]x[/red][link=file]y[/link]",
    "Rich, unbalanced": "[/nothing][bold",
    "emoji": ":smile:",
    "HTML": "<script>alert(1)</script><img src=x>",
    "attribute": '" onerror="alert(1)" x=\'',
    "entity": "&lt;b&gt;&amp;&#27;",
    "comment": "--><svg onload=alert(1)><!--",
    "mathtext": "$\\frac{a}$ $x$ ^_{}",
    "mathtext, unbalanced": "$\\frac{",
    "format": "{0}{task.description}%s%(name)s",
    "shell": "$(touch pwned)`touch pwned`;touch pwned|'\"*?&",
}
LETTERS = {"combining": "e" + "\u0301" * 60, "long": "x" * 200, "wide": "\u6f22\u5b57\U0001f600"}
HOSTILE = {**SEQUENCES, **MARKUP, **LETTERS}
EVERYTHING = "".join(HOSTILE.values())
BY_RICH = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\r")  # styles, the cursor and its line


def as_file_name(text: str) -> str:
    """A text as one part of a path."""
    return text.replace("/", "\u2215").encode(errors="surrogateescape")[:250].decode(errors="surrogateescape")


def spelt(text: str) -> str:
    """As it may be told: what is not seen, as Python spells it."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def in_one_line(text: str) -> str:
    """As an error tells it: spelt out, and any white space a space."""
    return spelt(" ".join(text.split()))


def assert_harmless(said: str, by_rich: bool = False) -> None:
    """Nothing but printable text in lines; by_rich: and what Rich itself sends to a terminal."""
    assert SEQUENCES["colour"] not in said
    said = BY_RICH.sub("", said) if by_rich else said
    bad = {letter for letter in said if letter != "\n" and not letter.isprintable()}
    assert not bad, f"{sorted(map(ascii, bad))} in {said!r}"


def place_named(folder: Path, text: str, ending: str = "") -> Path:
    """A path below a folder that has all of a text in its parts."""
    parts = [text[start : start + 100] for start in range(0, len(text), 100)]
    return folder.joinpath(*map(as_file_name, parts[:-1]), as_file_name(parts[-1]) + ending)
