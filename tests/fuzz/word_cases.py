"""Command lines: options of every command with words and numbers that nobody meant, and odd variables.

`words`: anything at all, all that comes before the work; the workflows are stood in for by a refusal, so that no word
can start hours of it. `work`: what is refused, if at all, by the work itself; sizes stay small, and everything is real.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import typer
from damage import any_text
from harness import Case
from tensor_cases import drawings, trained
from zip_cases import fake_omniglot

from omnitwin.answers import choosing, comparison
from omnitwin.cli import COMMANDS, app
from omnitwin.cli.recipes import KINDS as FIELDS
from omnitwin.config import BASELINES, DATASETS, EXAMS, SCOPES, SUBSETS
from omnitwin.data import acquire
from omnitwin.data import show as browsing
from omnitwin.errors import CannotRun
from omnitwin.exams import evaluation, reporting
from omnitwin.gallery import duplicates, grouping, mapping
from omnitwin.recipes import ENCODERS, RECIPES
from omnitwin.training import planning, training

NUMBERS = ("0", "-1", "1", "2", "7", "1e3", "nan", "-nan", "inf", "-inf", "1e400", "-1e400", "1e-400", "0.5", "-0.5")
NUMBERS += (
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 400,
    "0x10",
    "1_000",
    " 5 ",
    "",
    "-0",
    "+3",
    "\uff11\uff12",
    "٣",
    "0,5",
    "1.5.2",
    "½",
)
WORDS = (*EXAMS, "all", *DATASETS, *SUBSETS, *SCOPES, *BASELINES, *RECIPES, *ENCODERS)
WORDS += ("auto", "cpu", "cuda", "cuda:0", "cuda:99", "cuda:x", "mps", "meta", "fp32", "bf16", "newest", "bundled")
WORDS += ("90s", "1.5h", "1e400h", "9" * 400 + "h", "00m", "٣s", "-5m")
CHANGING = ("--install-completion", "--show-completion")  # the first writes into the user's shell
STUBBED = (
    (comparison, "compare"),
    (comparison, "rank"),
    (training, "train"),
    (planning, "plan"),
    (evaluation, "evaluate"),
    (acquire, "download"),
    (browsing, "show"),
    (reporting, "report_run"),
    (choosing, "choose"),
    (duplicates, "duplicates"),
    (grouping, "group"),
    (mapping, "map_gallery"),
)


def words_case(random: Random, folder: Path) -> Case:
    words: list[str] = []
    if random.random() < 0.2:
        words += ["--home", _inside(_text(random), folder)]
    if random.random() < 0.05:
        words += [_text(random) or "x"]
    command = random.choice(list(COMMANDS))
    words.append(command)
    for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
        words += _option(command, random, folder)
    for _ in range(random.choice((0, 0, 1, 2, 3))):
        words.insert(random.randint(len(words) - 1, len(words)), _inside(_text(random), folder))
    if random.random() < 0.05:
        words.append(random.choice(("--help", "--version", "-h", "--", "-", "-q", "--json")))
    return Case(words=tuple(words), variables=_variables(random, folder), within=_stubbed, shown=command == "demo")


def work_case(random: Random, folder: Path) -> Case:
    make = random.choice((_compare, _compare, _show, _train, _eval, _use, _env, _download))
    words = make(random, folder)
    return Case(
        words=words, codes=(0, 1, 2, 3, 4), variables=_variables(random, folder, real=True), shown="--figure" in words
    )


@contextmanager
def _stubbed() -> Iterator[None]:
    def refuse(*words: Any, **named: Any) -> None:
        raise CannotRun("as far as the words go", "")

    with pytest.MonkeyPatch.context() as patch:
        for module, name in STUBBED:
            patch.setattr(module, name, refuse)
        yield


@cache
def _parameters(command: str) -> tuple[tuple[str, bool, type], ...]:
    """Of each option of a command: its spelling, whether it takes a value, and of which type."""
    return tuple(
        (word, not one.is_flag, one.type_descriptor.annotation)
        for one in typer.main.get_command(app).commands[command].params
        for word in one.opts
        if word.startswith("-") and word not in CHANGING
    )


def _option(command: str, random: Random, folder: Path) -> list[str]:
    word, takes_value, kind = random.choice([*_parameters(command), ("--" + (_text(random) or "x"), False, str)])
    if not takes_value and random.random() < 0.9:
        return [word]
    if word == "--override":
        value = f"{random.choice([*FIELDS, _text(random)])}{random.choice(('=', '=', '=', '', '=='))}{_value(random)}"
    elif kind is Path:
        value = _inside(_text(random), folder)
    elif kind in (int, float):
        value = random.choice(NUMBERS) if random.random() < 0.9 else _text(random)
    else:
        value = _value(random)
    return random.choice(([word, value], [word, value], [f"{word}={value}"], [word]))


def _value(random: Random) -> str:
    return (
        random.choice(
            (random.choice(NUMBERS), random.choice(WORDS), random.choice(("true", "none", "0.9,0.99", "1,2,3")))
        )
        if random.random() < 0.7
        else _text(random)
    )


def _text(random: Random) -> str:
    """Any text that can be a word of a command line: without NUL, bytes that are no UTF-8 as Python hands them on."""
    content = any_text(random).encode("utf-8", "surrogatepass")
    return os.fsdecode(content.replace(b"\0", b"") + random.choice((b"", b"", b"\xff\x80")))


def _inside(text: str, folder: Path) -> str:
    """A path that leads nowhere but into the folder, as the case may write there."""
    plain = text.replace("..", "_").replace("/", "_")
    plain = "x" + plain if plain.startswith("~") else plain
    return random_place(plain, folder)


def random_place(name: str, folder: Path) -> str:
    return name if len(name) % 2 else f"{folder}/{name}"


def _variables(random: Random, folder: Path, real: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    if random.random() < 0.15:
        found["OMNITWIN_HOME"] = random.choice(
            (_inside(_text(random), folder), f"{folder}/new/er", "~nobody-at-all/x", "/dev/null/x")
        )
    if random.random() < 0.1:
        local = (
            "",
            "/nowhere",
            "http://",
            "https://[",
            "ftp://x/y",
            "file:///etc",
            "http://example.com/x",
            "://",
            "a://b",
            str(folder),
        )
        found["OMNITWIN_MIRROR"] = random.choice(local) if real or random.random() < 0.7 else _text(random)
    if random.random() < 0.2:
        found["COLUMNS"] = random.choice(
            ("", "0", "-5", "1", "7", "abc", "1e3", "99999", "999999999999", "\uff19", _text(random))
        )
    if random.random() < 0.1:
        found["LINES"] = random.choice(("0", "-5", "abc", "999999999999"))
    if random.random() < 0.1:
        found["TERM"] = random.choice(("", "dumb", "unknown", "xterm-256color", _text(random)))
    if random.random() < 0.05:
        found[random.choice(("NO_COLOR", "OMNITWIN_OFFLINE", "TERMINAL_WIDTH", "PYTHONUTF8"))] = _text(random)
    return found


def _few(random: Random, *pairs: tuple[str, tuple[str, ...]]) -> list[str]:
    """Some of these options, each with one of its values."""
    words: list[str] = []
    for name, values in random.sample(pairs, random.choice((0, 1, 1, 2))):
        words += [name, random.choice(values)]
    return words


ANY_NUMBER = tuple(number for number in NUMBERS if len(number) < 5000)
DEVICES = ("auto", "cpu", "cuda", "cuda:99", "cuda:x", "mps", "meta", "", "\x1b[31m")


def _compare(random: Random, folder: Path) -> tuple[str, ...]:
    figure = tuple(
        f"{folder}/{name}"
        for name in ("f.png", "f.pdf", "f.txt", "f", "missing/f.png", "n" * 300 + ".png", "\x1b[31m.png")
    )
    own = str(trained(random.choice(("small", "fast"))))
    words = _few(
        random,
        ("--threshold", ANY_NUMBER),
        ("--device", DEVICES),
        ("--figure", figure),
        ("--checkpoint", ("bundled", "newest", "", ".", "/", own, "\x1b[31m", "n" * 300, "../..", "*")),
    )
    files = [random.choice(drawings()) for _ in range(random.choice((2, 2, 3)))]
    return ("compare", *words, *random.choice(((), ("--json",), ("--show-input",), ("--quiet",))), "--", *files)


def _show(random: Random, folder: Path) -> tuple[str, ...]:
    words = _few(
        random,
        ("--images", ("0", "1", "9", "840", "841", "99999999999999999999", "-1")),
        ("--pairs", ("0", "1", "300", "-1")),
        ("--seed", ANY_NUMBER),
        ("--set", ("test", "held-out", "", "\x1b[31m")),
        ("--figure", (f"{folder}/f.png", f"{folder}/f", f"{folder}/f.webp")),
    )
    return ("show", "--data", "synthetic", *words, *random.choice(((), ("--json",), ("--quiet",))))


def _train(random: Random, folder: Path) -> tuple[str, ...]:
    words = _few(
        random,
        ("--seed", ANY_NUMBER),
        ("--learning-rate", ANY_NUMBER),
        ("--holdout", ("-1", "0", "1", "5", "6", "7", "999999999999999999999")),
        ("--encoder", (*ENCODERS, "", "\x1b[31m")),
        ("--image-size", ("0", "1", "7", "8", "16", "28", "33", "-8")),
        ("--name", ("x", "", ".", "..", "a/b", "n" * 300, "\x1b[31m", "newest", " ", "a\nb", "-x")),
        (
            "--output",
            (f"{folder}/run", f"{folder}/a/b", "/dev/null/x", f"{folder}/" + "n" * 300, f"{folder}/two\nlines"),
        ),
        ("--max-time", ("1s", "0.000001", "1e400h", "9" * 400 + "h", "0", "x")),
        ("--precision", ("fp32", "bf16", "auto", "fp8")),
        ("--device", DEVICES),
    )
    for _ in range(random.choice((0, 0, 1, 2))):
        name = random.choice(
            [name for name in FIELDS if name not in ("image_size", "iterations", "batch_size", "batches")]
        )
        few = FIELDS[name] is int and name != "seed"
        words += ["--override", f"{name}={random.choice(('0', '1', '2', '3', '-1', '9' * 400) if few else ANY_NUMBER)}"]
    small = (
        "--recipe",
        random.choice(("small", "fast")),
        "--iterations",
        "1",
        "--batch-size",
        random.choice(("8", "16")),
    )
    end = random.choice((("--dry-run",), (), ("--quiet",), ("--json",), ("--dry-run", "--json")))
    return ("train", "--data", "synthetic", *small, *words, *end)


def _eval(random: Random, folder: Path) -> tuple[str, ...]:
    words = _few(
        random,
        ("--way", ("2", "3", "12", "13", "999999999999999999999", "1")),
        ("--shot", ("1", "2", "19", "20", "999999999999999999999")),
        ("--seed", ANY_NUMBER),
        ("--seeds", ("1", "2", "0")),
        ("--scope", (*SCOPES, "")),
        ("--set", (*SUBSETS, "")),
        ("--device", DEVICES),
        ("--precision", ("fp32", "bf16", "auto", "fp8")),
        ("--show", ("0", "1", "99999999999999999999")),
        ("--figures", (f"{folder}/figures", "/dev/null/x", f"{folder}/" + "n" * 300)),
    )
    who = (
        ("--baseline", "pixels")
        if random.random() < 0.3
        else ("--checkpoint", str(trained(random.choice(("small", "fast")))))
    )
    small = (
        "--batches",
        "1",
        "--batch-size",
        "4",
        "--episodes",
        "3",
        "--exam",
        random.choice(("pairs", "one-shot", "all-pairs", "same-alphabet", "official")),
    )
    return ("eval", "--data", "synthetic", *small, *who, *words, *random.choice(((), ("--json",), ("--quiet",))))


def _use(random: Random, folder: Path) -> tuple[str, ...]:
    name = random.choice(
        ("bundled", "newest", "", ".", "/", "*", "\x1b[31m", "n" * 300, str(trained("fast")), str(folder))
    )
    return ("use", "--", name) if random.random() < 0.8 else ("use",)


def _env(random: Random, folder: Path) -> tuple[str, ...]:
    return random.choice((("env",), ("env", "--json")))


def _download(random: Random, folder: Path) -> tuple[str, ...]:
    fake = fake_omniglot()
    (folder / "n").mkdir()
    places = (
        str(fake.zips),
        str(fake.folders),
        str(folder / "n"),
        "",
        ".",
        "n" * 300,
        "http://example.com",
        "https://[",
        "\x1b[31m",
        str(fake.zip_of("test")),
        str(fake.folder_of("training")),
    )
    return ("download", "--from", random.choice(places), *random.choice(((), ("--json",), ("--quiet",), ("--force",))))
