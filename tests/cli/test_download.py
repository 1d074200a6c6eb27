"""`omnitwin download`, and the commands that fetch what they miss, through the real entry point."""

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest


def test_download_says_what_it_fetched_and_then_has_nothing_to_do(run, fake_omniglot):
    first = run("download", "--from", fake_omniglot.zip_of("training").parent)
    assert first.code == 0
    assert "training: fetched; 2 alphabets, 3 characters, 60 drawings, verified" in first.out
    assert "official runs: fetched; 1 alphabet, 2 characters, 8 drawings, verified" in first.out
    second = run("download")
    assert second.code == 0
    assert second.out.endswith("Nothing to do.\n")
    assert "already here" in second.out


def test_download_prints_json(run, fake_omniglot):
    sets = json.loads(run("download", "--from", fake_omniglot.zip_of("training").parent, "--json").out)["sets"]
    assert [(one["name"], one["fetched"], one["images"]) for one in sets] == [
        ("training", True, 60),
        ("test", True, 60),
        ("official runs", True, 8),
    ]


def test_the_mirror_variable_is_a_source_and_the_option_beats_it(run, fake_omniglot, monkeypatch, tmp_path):
    monkeypatch.setenv("OMNITWIN_MIRROR", str(tmp_path / "nowhere"))
    assert "nowhere does not exist" in run("download").complaint()
    assert run("download", "--from", fake_omniglot.zip_of("training").parent).code == 0


def test_quiet_download_says_nothing(run, fake_omniglot):
    outcome = run("download", "--from", fake_omniglot.zip_of("training").parent, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_offline_download_exits_3_with_what_to_do(run, monkeypatch, fake_omniglot):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    outcome = run("download")
    assert outcome.code == 3
    assert "--from" in outcome.complaint()


def test_one_zip_of_the_runs_is_taken_where_the_test_set_is_there(run, fake_omniglot):
    assert run("download", "--from", fake_omniglot.zip_of("test")).code == 0
    outcome = run("download", "--from", fake_omniglot.zip_of("official runs"))
    assert outcome.code == 0
    assert "official runs: fetched" in outcome.out
    assert "Nothing to do." not in outcome.out


def test_a_source_that_is_not_there_exits_2(run, tmp_path):
    outcome = run("download", "--from", tmp_path / "nowhere")
    assert outcome.code == 2
    assert "does not exist" in outcome.complaint()


def test_train_and_eval_fetch_what_is_missing_and_say_so(run, fake_omniglot, monkeypatch):
    monkeypatch.setenv("OMNITWIN_MIRROR", str(fake_omniglot.zip_of("training").parent))
    small = ("--recipe", "small", "--holdout", 0, "--iterations", 1, "--batch-size", 4)
    trained = run("train", *small, "--device", "cpu", "--name", "a")
    assert trained.code == 0
    assert "packing images_background: 60 images" in trained.err
    measured = run("eval", "--batches", 1, "--batch-size", 4, "--device", "cpu")
    assert measured.code == 0
    assert "packing images_evaluation: 60 images" in measured.err
    assert "all_runs" not in measured.err
    official = run("eval", "--exam", "official", "--device", "cpu")
    assert official.code == 0
    assert "packing all_runs: 8 images" in official.err
    assert "of 4 trials of omniglot/test" in official.out


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_in_a_terminal_show_draws_with_half_blocks_and_colour():
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "PYTHONUTF8": "1"}
    words = ["show", "--data", "synthetic", "--set", "test", "--images", "1", "--pairs", "1"]
    command = [sys.executable, "-m", "omnitwin", *words]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        chunks = []
        with suppress(OSError):  # how Linux says that the other side has closed
            while chunk := os.read(ours, 1 << 16):
                chunks.append(chunk)
        os.close(ours)
    text = b"".join(chunks).decode()
    assert process.returncode == 0
    assert "▀" in text
    assert "\x1b[38;5;" in text
    assert "similar" in text


@pytest.mark.network
def test_the_official_address_still_serves_the_official_zips(run):
    assert run("download").code == 0
