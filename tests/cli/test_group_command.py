"""`omnitwin group`: transcripts with exit codes."""

import csv
import io
import json

import pytest
from drawn_things import THINGS, folder_of_things


@pytest.fixture
def things(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return folder_of_things(tmp_path / "things")


def test_groups_are_told_with_their_number_and_their_agreement_with_the_folders(run, things):
    outcome = run("group", "things", "--min-probability", "0.9", "--labels-from-folders")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[:4] == ["Group 1: 3 images", "  things/arch/0.png", "  things/arch/1.png", "  things/arch/2.png"]
    assert "4 groups of 12 images of things: 4 of two or more, 0 images alone (complete linkage)" in lines
    (rand,) = [line for line in lines if line.startswith("Adjusted Rand index")]
    assert rand.startswith("Adjusted Rand index 1.000 (")
    assert rand.endswith(" to 1.000) against 4 class folders, 12 images")
    assert "compared reach probability 0.9" in outcome.out


def test_text_json_and_csv_agree(run, things, tmp_path):
    words = ("group", things, "--min-probability", "0.9", "--linkage", "average")
    report = json.loads(run(*words, "--json").out)
    assert len(report["groups"]) == len(THINGS)
    assert (report["linkage"], report["agreement"]) == ("average", None)
    rows = list(csv.DictReader(io.StringIO(run(*words, "--csv", "-").out)))
    assert [(int(row["group"]), row["file"]) for row in rows] == [
        (group["number"], file) for group in report["groups"] for file in group["files"]
    ]
    assert {row["images"] for row in rows} == {"3"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere is no folder"),
        (("things/bow", "--labels-from-folders"), "things/bow has no class folders"),
        (("things", "--linkage", "ward"), "no linkage is called 'ward'"),
        (("things", "--min-probability", "0"), "a threshold is a probability between 0 and 1"),
    ],
)
@pytest.mark.usefixtures("things")
def test_bad_input_exits_2_with_one_line(run, words, said):
    outcome = run("group", *words, "--quiet")
    assert outcome.code == 2
    assert said in outcome.complaint()
