"""`omnitwin duplicates`: transcripts with exit codes, tables and pages, and names that mean harm."""

import csv
import io
import json
import os
from html.parser import HTMLParser

import pytest
import torch
from checkpoints import written_anew
from drawn_things import copied, drawing, folder_of_things
from hostile import HOSTILE, as_file_name, assert_harmless, spelt

from omnitwin.answers.verifier import open_verifier
from omnitwin.model.locating import BUNDLED_WEIGHTS

TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "figure", "img", "figcaption"}
TAGS |= {"span", "br"}
LIMIT = ("--min-probability", "0.9")


@pytest.fixture
def things(tmp_path, monkeypatch):
    """Two things in two variants each, and a copy of one of them; the working folder is beside them."""
    folder = folder_of_things(tmp_path / "things", variants=2, things=("bow", "star"))
    copied(folder / "bow" / "0.png", folder / "bow (1).png")
    monkeypatch.chdir(tmp_path)
    return folder


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_is_there_twice_is_told_group_by_group_and_the_exit_code_is_1(run, things):
    outcome = run("duplicates", "things", *LIMIT)
    assert outcome.code == 1
    told = lines(outcome.out)
    assert told[0] == "Group 1: 3 files, look-alikes"
    assert told[1].startswith("keep things/bow (1).png 105 x 105, ")
    assert told[1].endswith(" B, 2001-09-09")
    assert told[2].startswith("copy things/bow/0.png 105 x 105, ")
    probability, role, file, *_ = told[3].split()
    assert (role, file) == ("look-alike", "things/bow/1.png")
    assert 0.9 <= float(probability) <= 1
    assert told[4] == "Group 2: 2 files, look-alikes"
    assert "1 exact copy and 2 look-alikes in 2 groups among 5 images of things" in told
    assert told[-1].startswith("Nothing was deleted or moved: keep is a proposal")
    assert (things / "bow (1).png").exists()


def test_nothing_twice_exits_0(run, things):
    outcome = run("duplicates", things / "star", "--min-probability", "0.999999")
    assert outcome.code == 0
    assert "0 exact copies and 0 look-alikes among 2 images of" in outcome.out
    assert "deleted" not in outcome.out


@pytest.mark.parametrize("words", [(), ("--min-probability", "0.9"), ("--min-probability", "0.1")])
def test_how_many_pairs_are_false_is_always_told(run, things, words):
    point, threshold = open_verifier().operating, open_verifier().threshold
    (said,) = [line for line in run("duplicates", things, *words).out.splitlines() if "compared reach" in line]
    assert "of 6 pairs compared reach probability " in said  # of 4 different pictures
    if words == ("--min-probability", "0.1"):
        assert "How many of them are false is not known" in said
    else:
        about = "less than" if words else "about"
        assert f"{about} {6 * point.far:.2g} would" in said
        low, high = (f"{100 * bound:.1f}" for bound in point.far_interval)
        assert f"FAR {100 * point.far:.1f} % ({low} to {high})" in said.replace(" of a lower limit", "")
    assert f"{float(words[1]) if words else threshold:.4g}" in said


def test_json_has_what_the_text_has_and_no_pixels(run, things):
    outcome = run("duplicates", things, *LIMIT, "--json")
    report = json.loads(outcome.out)
    assert outcome.code == 1
    roles = [[file["role"] for file in group["files"]] for group in report["groups"]]
    assert roles == [["keep", "copy", "look-alike"], ["keep", "look-alike"]]
    assert report["false_pairs"]["compared"] == 6
    assert report["places"] == [str(things)]
    assert (report["recipe"], report["linkage"], report["copies"]) == ("strong", "complete", 1)
    assert "picture" not in outcome.out


def test_quiet_answers_by_exit_code_alone(run, things):
    outcome = run("duplicates", things, *LIMIT, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "")
    outcome = run("duplicates", things / "star", "--min-probability", "0.9999999", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_csv_has_a_row_a_file_in_a_file_and_on_standard_output(run, things, tmp_path):
    outcome = run("duplicates", things, *LIMIT, "--csv", tmp_path / "found.csv")
    assert "Group 1" in outcome.out
    text = (tmp_path / "found.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["role"] for row in rows] == ["keep", "copy", "look-alike", "keep", "look-alike"]
    assert rows[1]["copy_of"] == str(things / "bow (1).png") == rows[0]["file"]
    assert rows[1]["sha256"] == rows[0]["sha256"]
    assert rows[0]["modified"] == "2001-09-09T01:46:40Z"
    assert run("duplicates", things, *LIMIT, "--csv", "-").out == text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere is no folder. Give a folder of images, or an index"),
        (("things/bow/0.png",), "is no folder"),
        (("things", "things/bow"), "things/bow is, or lies in, things."),
        (("things", "--linkage", "single"), "no linkage is called 'single'. Use average or complete."),
        (("things/bow", "things/star", "--linkage", "average"), "a linkage has no effect between two folders"),
        (("things", "--min-probability", "2"), "a threshold is a probability between 0 and 1, not 2.0"),
        (("things", "--far", "0"), "a FAR is a share of pairs between 0 and 1, not 0.0"),
        (("things", "--far", "0.1", "--min-probability", "0.5"), "Give --far or --min-probability, not both."),
        (("things", "--json", "--csv", "-"), "--json and --csv - both write to standard output"),
        (("things", "--html", "page.txt"), "page.txt does not end like a page"),
        (("things", "--csv", "things/bow/0.png"), "things/bow/0.png does not end like CSV"),
    ],
)
def test_bad_input_exits_2_with_one_line_and_a_next_step(run, things, words, said):
    outcome = run("duplicates", *words, "--quiet")
    assert outcome.code == 2
    assert said in outcome.complaint()


def test_a_far_that_is_not_known_exits_2_and_says_how_to_measure_it(run, things):
    outcome = run("duplicates", things, "--far", "1e-4", "--quiet")
    assert outcome.code == 2
    said = outcome.complaint()
    assert "no threshold of the bundled weights is known for a FAR of 0.0001: its FAR is 0.04" in said
    assert said.endswith("omnitwin calibrate --data LABELLED-FOLDER --target far=0.0001")


def test_a_far_that_the_threshold_keeps_is_granted(run, things):
    report = json.loads(run("duplicates", things, "--far", "0.06", "--json").out)
    assert report["threshold"] == open_verifier().threshold


@pytest.mark.usefixtures("trained")
def test_a_network_without_a_distance_between_embeddings_is_refused(run, things):
    outcome = run("duplicates", things, "--quiet")
    assert outcome.code == 2
    assert "has no distance between embeddings" in outcome.complaint()


@pytest.mark.parametrize("command", ["duplicates", "group", "map"])
def test_weights_that_lead_to_no_number_find_nothing_and_exit_3(run, things, tmp_path, command):
    huge = {
        name: torch.full((32,), 3e38)
        for name in ("encoder.members.0.blocks.0.norm.weight", "encoder.members.0.blocks.0.norm.bias")
    }
    written_anew(BUNDLED_WEIGHTS, tmp_path / "huge.safetensors", tensors=huge, record={"familiarity": None})
    outcome = run(command, things, "--checkpoint", tmp_path / "huge.safetensors", "--quiet")
    assert outcome.code == 3
    assert "huge.safetensors gives no answer" in outcome.complaint()


def test_files_that_cannot_be_read_are_named_in_a_line_each_and_do_not_stop_the_rest(run, things):
    (things / "broken.png").write_text("no image")
    outcome = run("duplicates", things, *LIMIT, "--quiet")
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert str(things / "broken.png") in line


class Tags(HTMLParser):
    """The tags of a page with those attributes that no picture is in, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, [(name, None if name == "src" else value) for name, value in attrs]))

    def handle_data(self, data):
        self.text += data


def test_the_page_shows_each_file_with_its_picture_and_asks_no_network(run, things, tmp_path):
    page = tmp_path / "found.html"
    run("duplicates", things, *LIMIT, "--html", page, "--quiet")
    text = page.read_text(encoding="utf-8")
    tags = Tags(text)
    assert [tag for tag, _ in tags.tags].count("img") == 5
    assert text.count('src="data:image/jpeg;base64,') == 5
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert "default-src 'none'" in text
    assert text.count('class="keep"') == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_names_that_mean_harm_are_told_as_they_are_and_spoil_nothing(run, tmp_path, text):
    name = as_file_name(text)
    folder = tmp_path / "all"
    for path in (folder / name / "a.png", folder / f"{name[:100]}.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing("bow", 0).save(tmp_path / "drawn.png")
        copied(tmp_path / "drawn.png", path)
    told = run("duplicates", folder)
    assert told.code == 1
    assert spelt(name) in told.out
    assert_harmless(told.out + told.err)
    table, page = tmp_path / "found.csv", tmp_path / "found.html"
    printed = run("duplicates", folder, "--csv", "-").out  # not to a terminal: names as they are
    assert run("duplicates", folder, "--csv", table, "--html", page, "--quiet").code == 1
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert {str(folder / name / "a.png")} < {row["file"] for row in rows}
    assert len(list(csv.DictReader(io.StringIO(printed, newline="")))) == 2
    tags = Tags(page.read_text(encoding="utf-8"))
    assert {tag for tag, _ in tags.tags} <= TAGS
    assert not any(name.startswith("on") for _, attributes in tags.tags for name, _ in attributes)
    assert spelt(name) in tags.text
    report = json.loads(run("duplicates", folder, "--json").out)
    assert str(folder / name / "a.png") in {file["file"] for file in report["groups"][0]["files"]}


def test_a_name_that_a_spreadsheet_takes_for_a_formula_begins_with_the_folder(run, tmp_path, monkeypatch):
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("=1+1.png", "@sum.png"):
        drawing("bow", 0).save(folder / name)
    monkeypatch.chdir(folder)
    rows = list(csv.reader(io.StringIO(run("duplicates", ".", "--csv", "-").out)))
    assert [row[2] for row in rows[1:]] == ["./=1+1.png", "./@sum.png"]
