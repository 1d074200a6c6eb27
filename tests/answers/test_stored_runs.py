"""Runs as a user of the library lists, renames and removes them: nothing else is touched, and no link is followed."""

import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from omnitwin.answers.runs import find_runs, list_runs, remove_runs, rename_run, written
from omnitwin.errors import BadCheckpoint, BadInput, FolderInUse
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS, Choice, read_default, write_default
from omnitwin.system.files import digest
from omnitwin.system.locks import hold
from omnitwin.system.paths import WEIGHTS_FILE

HOLDS = "import sys, pathlib, omnitwin.system.locks as l\nwith l.hold(pathlib.Path(sys.argv[1])):\n print()\n input()"


@pytest.fixture
def runs(home):
    folder = home / "data" / "runs"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def make(runs):
    """make(name) is the folder of a finished run: the bundled weights stand for its own."""

    def make(name, age=0.0):
        folder = runs / name
        folder.mkdir()
        weights = folder / "weights.safetensors"
        weights.write_bytes(BUNDLED_WEIGHTS.read_bytes())
        (folder / "metrics.jsonl").write_text("{}\n")
        then = time.time() - age
        for path in folder.iterdir():
            os.utime(path, (then, then))
        return folder

    return make


@pytest.fixture
def held():
    """held(folder) lets another process hold the folder until the test ends."""
    processes = []

    def held(folder):
        command = [sys.executable, "-c", HOLDS, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        process.stdout.readline()

    yield held
    for process in processes:
        process.communicate(b"\n")


def names():
    return [run.name for run in list_runs().runs]


def test_a_run_is_listed_with_what_its_checkpoint_says_of_it_and_the_bytes_of_its_files(make):
    folder = make("first", age=7200)
    (run,) = list_runs().runs
    known = read_description(BUNDLED_WEIGHTS)
    assert (run.name, run.folder, run.data) == ("first", folder, known.dataset)
    assert (run.iteration, run.held_out_eer) == (known.iteration, known.metrics.get("held_out_eer"))
    assert run.bytes == BUNDLED_WEIGHTS.stat().st_size + 3
    assert 7200 <= run.age < 7300
    assert (run.chosen, run.holder, run.problem) == (False, None, None)


def test_a_file_from_after_the_last_year_that_a_date_has_hides_no_run():
    """Not every disk keeps such a time, so the system's answer is made here."""
    changed, size = written([SimpleNamespace(name=WEIGHTS_FILE, lstat=lambda: SimpleNamespace(
        st_mtime=4e11, st_mode=stat.S_IFREG, st_size=3))])  # fmt: skip
    assert datetime.fromtimestamp(changed, UTC).year == 9999
    assert size == 3


def test_the_newest_run_comes_first(make):
    for name, age in (("b", 50), ("a", 100), ("c", 10)):
        make(name, age)
    assert names() == ["c", "b", "a"]


def test_without_a_runs_folder_there_are_no_runs(home):
    assert names() == []
    assert not home.exists()


def test_a_run_that_stopped_before_its_first_checkpoint_is_listed_by_its_config(runs):
    (runs / "begun").mkdir()
    recipe = '{"name": "fast", "iterations": 1200}'
    (runs / "begun" / "config.json").write_text(f'{{"recipe": {recipe}, "dataset": "omniglot/training"}}')
    (run,) = list_runs().runs
    assert (run.recipe, run.data, run.iteration, run.iterations) == ("fast", "omniglot/training", 0, 1200)
    assert run.problem is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"recipe": 1, "dataset": 2}', b"[" * 9999, b"\xff"])
@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "state.safetensors"])
def test_a_damaged_run_is_listed_with_its_problem_and_can_be_removed(make, runs, name, text):
    make("sound")
    (runs / "damaged").mkdir()
    (runs / "damaged" / name).write_bytes(text)
    (damaged,) = find_runs(["damaged"])
    assert name in damaged.problem
    assert sorted(names()) == ["damaged", "sound"]
    remove_runs(["damaged"])
    assert names() == ["sound"]


def test_files_that_vanish_while_a_run_is_saving_are_passed_over(make):
    folder = make("a")
    there = sorted(folder.iterdir())
    gone = [folder / "weights.safetensors.new", folder / ".new" / "weights.safetensors", there[0] / "x"]
    assert written([*gone, *there]) == written(there) == (there[0].stat().st_mtime, list_runs().runs[0].bytes)


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permissions there")
def test_a_run_that_may_not_be_read_is_listed_with_its_problem_beside_the_others(make, tmp_path):
    make("sound")
    folder = make("closed")
    folder.chmod(0o311)
    user = os.geteuid()
    if user == 0:  # root may read every folder, so somebody else lists them
        for place in tmp_path.parents:
            if place.stat().st_uid == 0 and not place.stat().st_mode & 0o001:
                place.chmod(place.stat().st_mode | 0o011)
        tmp_path.chmod(0o755)
        os.seteuid(65534)
    try:
        problems = {run.name: run.problem for run in list_runs().runs}
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
    assert problems == {"sound": None, "closed": f"{folder} cannot be read: Permission denied"}


def test_removed_runs_leave_nothing_and_others_stay(make, runs):
    for name in ("a", "b", "c"):
        make(name)
    removal = remove_runs(["a", "c", "a"])
    assert removal.removed == ("a", "c")
    assert removal.bytes == 2 * (BUNDLED_WEIGHTS.stat().st_size + 3)
    assert [path.name for path in runs.iterdir()] == ["b"]


def test_a_renamed_run_keeps_its_files_and_nothing_else_appears(make, runs):
    before = {path.name: path.read_bytes() for path in make("a").iterdir()}
    assert rename_run("a", "b").folder == runs / "b"
    assert {path.name: path.read_bytes() for path in (runs / "b").iterdir()} == before
    assert [path.name for path in runs.iterdir()] == ["b"]


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "no such run", "notes", "link", "file", ".hidden"])
def test_what_is_no_run_of_the_runs_folder_is_neither_removed_nor_renamed(make, runs, tmp_path, name):
    make("a")
    elsewhere = tmp_path / "elsewhere"
    (runs / "a").rename(elsewhere)
    (runs / "link").symlink_to(elsewhere)
    (runs / "notes").mkdir()
    (runs / "notes" / "diary.txt").write_text("mine")
    (runs / "file").write_text("mine")
    make(".hidden")
    before = sorted(map(str, tmp_path.rglob("*")))
    with pytest.raises(BadCheckpoint, match="no run is called"):
        remove_runs([name])
    with pytest.raises(BadCheckpoint, match="no run is called"):
        rename_run(name, "new")
    assert sorted(map(str, tmp_path.rglob("*"))) == before
    assert names() == []


def test_a_run_with_files_that_omnitwin_did_not_write_is_not_removed(make):
    folder = make("a")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"also holds notes\.txt"):
        remove_runs(["a"])
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "weights.safetensors").exists()


def test_a_link_in_a_run_is_no_file_of_ours_and_what_it_leads_to_stays(make, tmp_path):
    folder = make("a")
    (tmp_path / "mine.safetensors").write_text("mine")
    (folder / "best.safetensors").symlink_to(tmp_path / "mine.safetensors")
    with pytest.raises(BadInput, match=r"best\.safetensors"):
        remove_runs(["a"])
    assert (tmp_path / "mine.safetensors").read_text() == "mine"


def test_if_one_run_may_not_be_removed_none_is(make):
    make("a")
    (make("b") / "notes.txt").write_text("mine")
    for wrong in ("b", "nobody"):
        with pytest.raises((BadInput, BadCheckpoint)):
            remove_runs(["a", wrong])
    assert sorted(names()) == ["a", "b"]


def test_a_run_that_another_process_holds_is_listed_with_it_and_stays(make, held):
    held(make("a"))
    (run,) = list_runs().runs
    assert run.holder.startswith("process ")
    for change in (lambda: remove_runs(["a"]), lambda: rename_run("a", "b")):
        with pytest.raises(FolderInUse, match="in use by process"):
            change()
    assert names() == ["a"]


def test_a_lock_file_that_a_dead_process_left_holds_nothing(make):
    (make("a") / ".omnitwin.lock").write_text("")
    assert list_runs().runs[0].holder is None
    assert remove_runs(["a"]).removed == ("a",)


def chosen_as(name, folder):
    write_default(Choice(name, digest(folder / "weights.safetensors", "sha256")))


@pytest.mark.parametrize("spelling", ["{}", "{}/weights.safetensors"])
def test_the_run_that_answers_is_not_removed_until_another_is_chosen(make, spelling):
    folder = make("a")
    chosen_as("a" if spelling == "{}" else spelling.format(folder), folder)
    assert list_runs().runs[0].chosen
    with pytest.raises(BadInput, match="answers without --checkpoint"):
        remove_runs(["a"])
    write_default(Choice("bundled", None))
    remove_runs(["a"])
    assert names() == []


def test_the_run_that_answers_still_does_under_its_new_name(make):
    folder = make("a")
    chosen_as("a", folder)
    assert rename_run("a", "b").chosen
    assert read_default().name == "b"
    chosen_as(str(folder.with_name("b") / "weights.safetensors"), folder.with_name("b"))
    rename_run("b", "c")
    assert Path(read_default().name) == folder.with_name("c") / "weights.safetensors"


@pytest.mark.parametrize("new", ["", "newest", "bundled", "a/b", "..", "con", "x.", "a:b"])
def test_a_run_gets_no_name_that_means_something_else_or_that_some_system_refuses(make, new):
    make("a")
    with pytest.raises(BadInput, match="cannot name a run"):
        rename_run("a", new)
    assert names() == ["a"]


def test_a_name_that_is_taken_is_not_taken_again(make, runs):
    make("a")
    make("b")
    (runs / "notes").mkdir()
    for new in ("a", "b", "notes"):
        with pytest.raises(BadInput, match="is there already"):
            rename_run("a", new)


def test_a_wrong_name_is_offered_the_close_ones_or_else_the_first_few(make):
    for name in ("fast-monday", "fast-tuesday", "small", "x", "y"):
        make(name)
    with pytest.raises(BadCheckpoint) as close:
        find_runs(["fast-mondya"])
    assert close.value.hint.startswith("Did you mean fast-monday or fast-tuesday?")
    with pytest.raises(BadCheckpoint) as far:
        find_runs(["qqq"])
    assert far.value.hint == "Runs here: fast-monday, fast-tuesday, small and 2 more (omnitwin runs)."


def test_holding_a_run_in_this_process_does_not_outlast_it(make):
    folder = make("a")
    with hold(folder):
        pass
    assert list_runs().runs[0].holder is None
