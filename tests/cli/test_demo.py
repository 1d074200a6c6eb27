"""`omnitwin demo`: everything at once, and nothing left behind."""

import signal
import tempfile

import pytest

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
    assert "750 random pairs of different images" in outcome.out
    assert "of 750 pairs of synthetic/test" in outcome.out
    assert "every pair of the 240 images" in outcome.out
    assert outcome.out.count("Target: ") == 6
    assert "2 iterations" in outcome.err


def test_demo_trains_the_fast_recipe_and_asks_it_about_files(run):
    outcome = run("demo", "--iterations", 1)
    assert "Training fast" in outcome.err
    answers = [line for line in outcome.out.splitlines() if "that both show the same" in line]
    assert len(answers) == 2
    assert all(line.startswith(("same: ", "different: ")) for line in answers)
    assert outcome.out.count("character01-hand1.png") >= 2


def test_demo_leaves_nothing_behind(run, home, temporary):
    run("demo", "--iterations", 1)
    assert not home.exists()
    assert list(temporary.iterdir()) == []


def test_demo_names_no_folder_that_is_gone_when_it_ends(run, temporary):
    outcome = run("demo", "--iterations", 1)
    assert "Network: the one just trained (fast, 1 iteration" in outcome.out
    assert str(temporary) not in outcome.out + outcome.err


def test_demo_names_the_commands_that_come_next(run):
    text = run("demo", "--iterations", 1).out
    lines = [line.split() for line in text.splitlines() if line.startswith("  omnitwin ")]
    assert [words[1] for words in lines] == ["compare", "train", "eval", "report"]
    assert lines[1] == ["omnitwin", "train", "--recipe", "fast"]


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
    assert "Accuracy" not in outcome.out
    assert list(temporary.iterdir()) == []


def test_no_such_device_exits_2(run):
    outcome = run("demo", "--device", "banana")
    assert outcome.code == 2
    assert "'banana'" in outcome.complaint()
