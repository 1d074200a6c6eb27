"""`omnitwin index`, `search` and `embed`: what they print, and how they end."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import written_anew
from drawn_places import signature, write
from hostile import HOSTILE, as_file_name, assert_harmless

from omnitwin.gallery.indexes import list_indexes
from omnitwin.images.things import draw_thing
from omnitwin.model.locating import BUNDLED_WEIGHTS


@pytest.fixture
def photos(tmp_path):
    """Five drawings in two folders, one of them a copy of another."""
    folder = tmp_path / "photos"
    for name in ("a.png", "b.png", "deep/c.png", "deep/d.png"):
        write(folder / name, signature(name))
    (folder / "copy of a.png").write_bytes((folder / "a.png").read_bytes())
    return folder


@pytest.fixture
def query(photos, tmp_path):
    """The drawing of a.png, elsewhere."""
    path = tmp_path / "query.png"
    path.write_bytes((photos / "a.png").read_bytes())
    return path


def index(run, *words):
    outcome = run("index", *words, "--processes", "0", "--json")
    return json.loads(outcome.out), outcome


def test_a_folder_is_indexed_and_searched_with_these_words(run, photos, query, home):
    made = run("index", photos, "--processes", "0")
    lines = made.out.splitlines()
    assert (made.code, made.err) == (0, "Reading images: 5 images\n")
    assert lines[0] == f"5 images of {photos} in {home / 'data' / 'indexes' / 'photos'}"
    assert lines[1] == "5 new, 0 changed, 0 moved, 0 removed, 0 unchanged"
    assert re.fullmatch(r"5 images read and embedded in \d+\.\d\d s, \d+ images/s; \d\.\d kB", lines[2])
    assert lines[3].startswith("Embedded by the bundled weights (strong, ")
    found = run("search", query, "--top", "2")
    lines = found.out.splitlines()
    assert (found.code, found.err) == (0, "")
    assert lines[0].split() == ["rank", "probability", "verdict", "file"]
    assert [line.split(None, 3)[0::2] for line in lines[1:3]] == [["1", "same"], ["2", "same"]]
    assert [line.split(None, 3)[3] for line in lines[1:3]] == [str(photos / "a.png"), str(photos / "copy of a.png")]
    assert re.fullmatch(r"5 images of .*photos searched in \d\.\d\d s \(numpy\)", lines[3])
    again = run("index", photos)
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[1] == "0 new, 0 changed, 0 moved, 0 removed, 5 unchanged"


def test_text_json_and_csv_of_a_search_agree(run, photos, query, tmp_path):
    index(run, photos)
    told = json.loads(run("search", query, "--json").out)
    (answer,) = told["queries"]
    lines = run("search", query).out.splitlines()
    rows = list(csv.DictReader(io.StringIO(run("search", query, "--csv", "-").out)))
    assert run("search", query, "--csv", tmp_path / "found.csv", "--quiet").out == ""
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == rows
    assert len(answer["found"]) == len(rows) == 5
    for image, row, line in zip(answer["found"], rows, lines[1:], strict=False):
        assert (str(image["rank"]), image["file"], str(query)) == (row["rank"], row["path"], row["query"])
        assert float(row["probability"]) == image["probability"]
        assert line.split(None, 2)[:2] == [row["rank"], f"{image['probability']:.4f}"]
        assert line.endswith(f"  {row['path']}")
        assert row["verdict"] == {"unsure": "cannot tell"}.get(image["verdict"], image["verdict"])
    assert (told["images"], told["least"], told["bundled"]) == (5, told["threshold"], True)


def test_the_exit_code_says_whether_something_was_found(run, photos, query, tmp_path):
    index(run, photos)
    best = json.loads(run("search", query, "--json").out)["queries"][0]["found"][0]["probability"]
    assert run("search", query, "--min-probability", "0", "--quiet").code == 0
    assert run("search", query, "--min-probability", best, "--quiet").code == 0
    nothing = run("search", query, "--min-probability", "1")
    assert nothing.code == 1
    assert nothing.out.splitlines()[0] == "Nothing was found."
    assert run("search", tmp_path / "nowhere.png").code == 2
    assert run("search", query, "--index", "nothing").code == 2
    assert run("search", query, "--top", "0").code == 2
    assert run("search", query, "--min-probability", "2").code == 2


def test_images_that_cannot_be_judged_are_marked_and_exit_4(run, tmp_path):
    for name in ("query.png", "things/a.png"):
        write(tmp_path / name, draw_thing(np.random.default_rng(2)))
    index(run, tmp_path / "things")
    outcome = run("search", tmp_path / "query.png")
    assert outcome.code == 4
    assert "cannot tell" in outcome.out.splitlines()[1]
    assert "Cannot tell: 2 images (query.png, a.png): unlike any image" in outcome.out
    assert run("search", tmp_path / "query.png", "--always-answer").code == 0


def test_several_queries_are_answered_under_their_names(run, photos, query):
    index(run, photos)
    lines = run("search", query, photos / "b.png", "--top", "1").out.splitlines()
    assert [line for line in lines if line.endswith(":")] == [f"{query}:", f"{photos / 'b.png'}:"]
    assert str(photos / "b.png") not in [line.split()[-1] for line in lines if line.startswith("   1")]


def test_folders_are_searched_without_an_index(run, photos, query, home):
    outcome = run("search", query, "--in", photos / "deep", "--in", photos / "b.png", "--processes", "0", "--json")
    (answer,) = json.loads(outcome.out)["queries"]
    names = {os.path.relpath(image["file"], photos) for image in answer["found"]}
    assert names == {"b.png", "deep/c.png", "deep/d.png"}
    assert not (home / "data").exists()


def test_indexes_are_listed_and_dropped(run, photos):
    assert run("index", "--list").out.startswith("No indexes in ")
    index(run, photos, "--name", "mine")
    lines = run("index", "--list").out.splitlines()
    assert lines[0] == "mine"
    assert re.fullmatch(rf"  5 images, of {photos}, \d\.\d kB, updated now, network bundled", lines[1])
    assert run("index", "--drop", "mine").out.startswith("Removed the index mine, ")
    assert json.loads(run("index", "--list", "--json").out)["indexes"] == []
    assert "no index is called mine" in run("index", "--drop", "mine").complaint()
    assert (photos / "a.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs a name"),
        (("nowhere",), "nowhere cannot be used: No such file"),
        (("--list", "photos"), "--list goes alone"),
        (("--list", "--drop", "a"), "--list goes alone"),
        (("--drop", "a", "--rebuild"), "--drop goes alone"),
        (("photos", "--name", "a/b"), "cannot name an index"),
        (("photos", "--name", "a", "--output", "b"), "exclude each other"),
        (("photos", "--processes", "5000"), "from 0 to 1,024"),
        (("--from", "photos/a.png"), "needs a name"),
        (("--name", "new"), "does not say what images it is made of"),
    ],
)
def test_words_that_make_no_index_exit_2_with_one_line(run, photos, monkeypatch, home, words, said):
    monkeypatch.chdir(photos.parent)
    outcome = run("index", *words)
    assert outcome.code == 2
    assert said in outcome.complaint()
    assert list_indexes().indexes == ()


def test_files_that_cannot_be_read_are_named_and_cost_no_other(run, photos):
    (photos / "broken.png").write_text("no image")
    report, outcome = index(run, photos)
    assert (outcome.code, report["images"]) == (0, 5)
    assert [image["file"] for image in report["unread"]] == [str(photos / "broken.png")]
    assert f"omnitwin: {photos / 'broken.png'} is no image that Pillow can read" in outcome.err


def test_an_index_with_the_options_of_its_making(run, photos, tmp_path):
    (tmp_path / "list.csv").write_text("path\nphotos/a.png\nphotos/deep/c.png\n")
    by_list, _ = index(run, "--from", tmp_path / "list.csv", "--output", tmp_path / "mine")
    assert (by_list["images"], by_list["folder"]) == (2, str(tmp_path / "mine"))
    without, _ = index(run, photos, "--exclude", "deep", "--exclude", "copy*")
    assert without["images"] == 2
    refreshed, _ = index(run, "--name", "photos")
    assert (refreshed["images"], refreshed["unchanged"]) == (2, 2)
    rebuilt, _ = index(run, "--name", "photos", "--rebuild")
    assert (rebuilt["images"], rebuilt["embedded"]) == (2, 2)


def test_embeddings_are_written_for_other_programs(run, photos, tmp_path):
    outcome = run("embed", photos, "--output", tmp_path / "e.npz", "--processes", "0")
    assert (outcome.code, outcome.err) == (0, "Reading images: 5 images\n")
    assert re.match(rf"5 images embedded in \d\.\d\d s, 512 numbers each: {tmp_path / 'e.npz'}\n", outcome.out)
    with np.load(tmp_path / "e.npz") as file:
        assert file["embeddings"].shape == (5, 512)
    assert run("embed", photos, "--output", tmp_path / "e.json").code == 2
    assert run("embed", "--output", tmp_path / "e.npz").code == 2
    assert run("embed", photos).code == 2


def test_a_page_shows_thumbnails_of_what_was_found_and_a_grey_box_for_files_that_are_gone(run, photos, query, tmp_path):
    index(run, photos)
    page = tmp_path / "found.html"
    assert run("search", query, "--html", page, "--quiet").code == 0
    text = page.read_text(encoding="utf-8")
    assert (text.count("<img "), text.count('<div class="gone">')) == (6, 0)
    (photos / "deep" / "c.png").unlink()
    assert run("search", query, "--html", page, "--quiet").code == 0
    text = page.read_text(encoding="utf-8")
    assert (text.count("<img "), text.count('<div class="gone">')) == (5, 1)
    assert "picture" not in run("search", query, "--html", page, "--json").out


@pytest.mark.parametrize("option", ["--csv", "--html"])
def test_a_result_never_takes_the_place_of_an_image(run, photos, query, option):
    before = query.read_bytes()
    assert "does not end like" in run("search", query, "--in", photos, option, query).complaint()
    assert query.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="names that other systems do not take")
def test_hostile_names_do_no_harm_on_a_terminal_and_come_whole_through_csv(run, tmp_path):
    names = [as_file_name(text) + ".png" for text in HOSTILE.values()]
    for name in names:
        write(tmp_path / "photos" / name, signature(ascii(name)))
    (tmp_path / "photos" / "broken\x1b[2J\n.png").write_text("no image")
    made = run("index", tmp_path / "photos", "--processes", "0")
    query = tmp_path / "photos" / names[0]
    found = run("search", query, "--top", "100", "--min-probability", "0", "--csv", tmp_path / "found.csv")
    for said in (made.out, made.err, found.out, found.err):
        assert_harmless(said)
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        paths = {row["path"] for row in csv.DictReader(file)}
    assert paths == {str(tmp_path / "photos" / name) for name in names[1:]}


def test_no_command_of_galleries_imports_torch(photos, query, home):
    program = (
        "import sys\nfrom omnitwin.cli import main\nsys.argv[0] = 'omnitwin'\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    for words in (["index", photos, "--quiet"], ["search", query, "--quiet"], ["index", "--list"]):
        command = [sys.executable, "-c", program, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[-1] == "False", words


@pytest.mark.usefixtures("trained_twin")
def test_an_index_is_brought_up_to_date_by_the_network_that_made_it(run, photos):
    assert run("index", photos, "--checkpoint", "twin", "--quiet").code == 0
    for words in ((photos,), ("--name", photos.name)):
        outcome = run("index", *words, "--json")
        assert outcome.code == 0, outcome.err
        assert json.loads(outcome.out)["embedded"] == 0


@pytest.fixture
def trained_twin(home):
    """A run called twin: the bundled network's tensors under another name."""
    folder = home / "data" / "runs" / "twin"
    folder.mkdir(parents=True)
    written_anew(BUNDLED_WEIGHTS, folder / "weights.safetensors", record={"iteration": 1})
