"""`omnitwin runs`: what is asked, what is said, and how it ends."""

import json
import os
import subprocess
import sys

import pytest


def test_runs_lists_what_is_there_and_says_how_to_get_one_where_nothing_is(run, home):
    outcome = run("runs")
    assert outcome.code == 0
    assert "omnitwin train" in outcome.out


@pytest.mark.parametrize("columns", [40, 160])
def test_a_run_is_told_in_a_line_or_where_that_is_too_wide_in_two(run, monkeypatch, trained, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("runs").out.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "  default, chosen by omnitwin use"
    told = lines[1]
    assert "small" in told
    assert "3 of 3" in told
    assert "synthetic/training" in told
    assert (lines[0] == "trained") == (columns == 40)


def test_json_is_the_same_report(run, trained):
    report = json.loads(run("runs", "--json").out)
    assert [(each["name"], each["iteration"], each["chosen"]) for each in report["runs"]] == [("trained", 3, True)]


def test_rename_and_remove_say_what_they_did(run, trained):
    assert run("runs", "rename", "trained", "other").out.startswith("trained is now other; it still answers")
    run("use", "bundled", "-q")
    outcome = run("runs", "remove", "other", "--yes")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Removed 1 run, ")
    assert not trained.with_name("other").exists()


def test_the_run_in_use_is_refused_before_anything_is_asked(run, trained):
    outcome = run("runs", "remove", "trained", "--yes")
    assert outcome.code == 2
    assert "omnitwin use bundled" in outcome.complaint()
    assert trained.exists()


def test_without_a_terminal_nothing_is_removed_unless_yes_is_said(run, trained, monkeypatch):
    run("use", "bundled", "-q")
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        outcome = run("runs", "remove", "trained")
    assert outcome.code == 2
    assert "--yes" in outcome.complaint()
    assert trained.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(("answer", "stays"), [(b"y\n", False), (b"\n", True), (b"no\n", True)])
def test_on_a_terminal_it_is_asked_first(run, trained, answer, stays):
    import pty

    run("use", "bundled", "-q")
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    command = [sys.executable, "-m", "omnitwin", "runs", "remove", "trained"]
    ended = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=True)
    os.close(theirs)
    os.close(ours)
    assert "Remove for good? [y/N]" in ended.stderr
    assert str(trained) in ended.stderr
    assert trained.exists() == stays
    assert ("Nothing was removed." in ended.stderr) == stays


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "{}", "{}", "--checkpoint", "trainde"),
        ("use", "trainde"),
        ("report", "trainde"),
        ("train", "--resume", "trainde"),
        ("runs", "remove", "trainde", "--yes"),
        ("runs", "rename", "trainde", "other"),
    ],
)
def test_a_name_that_is_not_found_is_offered_the_one_that_is(run, trained, images, words):
    outcome = run(*(word.format(images[0]) for word in words))
    assert outcome.code == 3
    assert "Did you mean trained?" in outcome.complaint()
