"""`omnitwin demo`: everything at once, and nothing left behind."""

import signal
import tempfile

import pytest

from omnitwin.answers.comparison import compare
from omnitwin.config import CompareConfig
from omnitwin.data.samples import write_samples
from omnitwin.training.trainer import Trainer


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where the demo's throw-away run lies."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def test_demo_trains_and_measures_without_the_network(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    outcome = run("demo", "--iterations", 2)
    assert outcome.code == 0
    assert " % of 750 random pairs are judged right" in outcome.out
    assert "2 iterations" in outcome.err


def test_demo_trains_the_fast_recipe_and_asks_it_about_files(run):
    outcome = run("demo", "--iterations", 1)
    assert "Training fast" in outcome.err
    assert outcome.out.count("-hand1.png") == 3
    assert outcome.out.count("probability 0.") == 2


def test_demo_fits_two_screens_of_40_lines_and_no_line_is_cut(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = run("demo", "--iterations", 1)
    lines = outcome.out.splitlines()
    assert len(lines) + len(outcome.err.splitlines()) <= 80
    assert max(map(len, lines)) <= 80


def test_the_pairs_of_the_demo_are_clear_to_the_bundled_weights(tmp_path, monkeypatch):
    """With all the characters that a user has, not with the few of other tests."""
    monkeypatch.undo()
    same, different = (
        compare(CompareConfig(first=first, second=second, checkpoint="bundled")).probability
        for first, second in write_samples(tmp_path)
    )
    assert same > 0.99
    assert different < 0.01


def test_demo_leaves_nothing_behind(run, home, temporary):
    run("demo", "--iterations", 1)
    assert not home.exists()
    assert list(temporary.iterdir()) == []


def test_demo_names_no_folder_that_is_gone_when_it_ends(run, temporary):
    outcome = run("demo", "--iterations", 1)
    assert str(temporary) not in outcome.out + outcome.err


def test_demo_names_the_commands_that_come_next(run):
    text = run("demo", "--iterations", 1).out
    lines = [line.split() for line in text.splitlines() if line.startswith("omnitwin ")]
    assert [words[1] for words in lines] == ["compare", "train", "eval", "report"]
    assert lines[1][:4] == ["omnitwin", "train", "--recipe", "fast"]


def test_quiet_says_nothing(run):
    outcome = run("demo", "--iterations", 1, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_control_c_ends_the_demo_with_130_and_leaves_nothing_behind(run, monkeypatch, temporary):
    step = Trainer.step

    def interrupted(self, iteration):
        signal.raise_signal(signal.SIGINT)
        return step(self, iteration)

    monkeypatch.setattr(Trainer, "step", interrupted)
    outcome = run("demo", "--iterations", 5)
    assert outcome.code == 130
    assert "judged right" not in outcome.out
    assert list(temporary.iterdir()) == []


def test_no_such_device_exits_2(run):
    outcome = run("demo", "--device", "banana")
    assert outcome.code == 2
    assert "'banana'" in outcome.complaint()
