"""`omnitwin show --data PATH`: what is told of somebody's own images, in a terminal, in a pipe and as JSON."""

import json

import pytest
from drawn_places import draw_place, photo, signature, write
from PIL import Image

from omnitwin.recipes import RECIPES

CLASSES = {f"class {index:02}": 3 for index in range(10)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """10 classes of 3 photos; not to be changed."""
    return draw_place(tmp_path_factory.mktemp("my photos"), CLASSES)


def test_the_screen_says_how_the_images_were_understood(run, place):
    outcome = run("show", "--data", place, "--images", 2, "--pairs", 2)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == f"{place}: 30 images of 10 classes"
    facts = {line[:20].strip(): line[20:] for line in lines}
    assert facts["images a class"] == "3"
    assert facts["width"] == "40 pixels"
    assert facts["look"].startswith("photos in colour: 100.0 % in colour")
    assert facts["broken files"] == facts["same pixels"] == facts["nearly the same"] == "none"
    assert facts["split"] == "made by the names of the classes, seed 0: no class is in two parts"
    assert lines[-2] == f"Train on it: omnitwin train --data '{place}'"
    side = RECIPES["photo"].network.image_size
    assert lines[-1] == f"By their look: recipe photo, {side} x {side} pixels, in colours."


def test_the_command_to_go_on_with_takes_the_pattern_and_the_seed_along(run, place):
    words = ("--label-from", "class (\\d+)", "--split", "images", "--seed", 3)
    outcome = run("show", "--data", place, *words, "--images", 0, "--pairs", 0, "--json")
    step = json.loads(outcome.out)["next_step"]
    assert step["command"] == f"omnitwin train --data '{place}' --label-from 'class (\\d+)' --split images --seed 3"
    assert (step["recipe"], step["channels"]) == ("photo", 3)


def test_ink_is_trained_on_in_its_own_shape(run, tmp_path):
    own = draw_place(tmp_path, CLASSES, lambda seed: signature(seed, (160, 40)))
    step = json.loads(run("show", "--data", own, "--images", 0, "--pairs", 0, "--json").out)["next_step"]
    assert (step["recipe"], step["channels"]) == ("ink", 1)
    assert step["width"] > 2 * step["height"]


@pytest.mark.parametrize("columns", [20, 40, 100, 200])
def test_no_line_of_pictures_is_wider_than_the_terminal(run, place, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("show", "--data", place).out.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("8 random images"))
    pictures = [line for line in lines[start + 1 : -2] if "random pairs" not in line]
    assert max(map(len, pictures)) <= columns


def test_in_a_pipe_there_are_no_escape_sequences_and_progress_is_on_stderr(run, place):
    outcome = run("show", "--data", place)
    assert "\x1b" not in outcome.out + outcome.err
    assert outcome.err == "Reading images: 30 images\n"


def test_broken_files_and_links_are_named_and_the_code_is_0(run, tmp_path):
    own = draw_place(tmp_path, CLASSES)
    for number in range(7):
        (own / "class 00" / f"broken{number}.png").write_text("no picture")
    (own / "class 00" / "notes.txt").touch()
    outcome = run("show", "--data", own, "--images", 0, "--pairs", 0)
    assert outcome.code == 0
    assert "Broken: 7" in outcome.out
    assert outcome.out.count("is no image that Pillow can read") == 5
    assert "and 2 more (--json names all)" in outcome.out
    assert "1 file was passed over: it is no image by name" in outcome.out
    record = json.loads(run("show", "--data", own, "--json", "--images", 0, "--pairs", 0).out)
    assert len(record["broken"]) == 7


def test_a_set_that_cannot_be_trained_on_is_still_told_of(run, tmp_path):
    outcome = run("show", "--data", draw_place(tmp_path, {"a": 2, "b": 1}))
    assert outcome.code == 0
    assert "1 class has one image, which serves for dissimilar pairs only" in outcome.out
    assert outcome.out.splitlines()[-1] == ("It cannot be trained on: it has 2 classes, and training needs at least 4.")


def test_names_that_could_command_a_terminal_are_spelled_out(run, tmp_path):
    own = draw_place(tmp_path, {**CLASSES, "red\x1b[31m": 2, "two\nlines": 2})
    write(own / "red\x1b[31m" / "twin.png", photo(("class 01", 0)))
    (own / "two\nlines" / "broken\x07.png").touch()
    outcome = run("show", "--data", own, "--images", 40)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "\x07" not in outcome.out
    assert r"red\x1b[31m" in outcome.out
    assert json.loads(run("show", "--data", own, "--json").out)["classes"] == 12


def test_the_class_may_come_from_the_path(run, tmp_path):
    for person in range(5):
        for number in range(2):
            write(tmp_path / f"s{person}_{number}.png", photo((person, number)))
    record = json.loads(run("show", "--data", tmp_path, "--label-from", r"(s\d)_", "--json").out)
    assert (record["classes"], record["images"]) == (5, 10)


def test_a_table_is_shown_as_a_folder_is(run, tmp_path):
    draw_place(tmp_path / "images", CLASSES)
    lines = [f"images/{label}/{index}.png,{label}" for label in CLASSES for index in range(3)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines, "images/gone.png,x", "no path"]))
    record = json.loads(run("show", "--data", tmp_path / "list.csv", "--json").out)
    assert (record["classes"], record["images"]) == (10, 30)
    assert record["broken"] == [{"path": "images/gone.png", "reason": "does not exist"}]
    assert record["left_out"] == [{"path": "line 33", "reason": "has no label"}]


@pytest.mark.parametrize("part", ["training", "held-out", "test"])
def test_a_figure_shows_pictures_and_pairs_in_colour(run, place, tmp_path, part):
    assert run("show", "--data", place, "--set", part, "--quiet", "--figure", tmp_path / "look.png").code == 0
    with Image.open(tmp_path / "look.png") as figure:
        colours = figure.convert("RGB").resize((64, 64), Image.Resampling.NEAREST).getcolors(64 * 64)
    assert any(max(colour) - min(colour) > 60 for _, colour in colours)


def test_labels_of_different_depth_fit_on_one_figure(run, tmp_path):
    own = draw_place(tmp_path / "own", {"a": 2, "b/c": 2, "b/d/e": 2, "f, g": 2})
    assert run("show", "--data", own, "--quiet", "--figure", tmp_path / "look.png").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "gone"], "no data set is called 'gone', and there is no such folder or file"),
        (["--data", "synthetic", "--label-from", "x"], "--label-from has no effect on synthetic"),
        (["--data", ".", "--label-from", "("], "no regular expression"),
        (["--data", ".", "--set", "validation"], "validation"),
    ],
)
def test_wrong_words_are_refused_in_a_line(run, words, said):
    outcome = run("show", *words)
    assert outcome.code == 2
    assert said in outcome.complaint()


def test_no_torch_is_loaded_for_ones_own_images(place):
    import subprocess
    import sys

    program = (
        "import sys; from omnitwin.cli import main\n"
        "try: main(['show', '--quiet', '--data', sys.argv[1]])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(place)], check=True)
