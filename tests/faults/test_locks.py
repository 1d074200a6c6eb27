"""One holder for a folder, who is named; what dead ones left is cleared, and nothing else."""

import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from killing import forked, left_over

from omnitwin.config import TrainConfig
from omnitwin.errors import CannotWrite, FolderInUse
from omnitwin.files import replacing
from omnitwin.locks import LOCK_FILE, TEMPORARY_PREFIX, hold
from omnitwin.workflows.training import train

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@contextmanager
def another_process(doing):
    """A fork that enters the context `doing` and stays there until it is killed; its number."""
    reader, writer = os.pipe()
    child = forked()
    if not child:
        with suppress(BaseException), doing:
            os.write(writer, b".")
            signal.pause()
        os._exit(1)
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"."
        yield child
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_folder_that_is_held_names_its_holder(tmp_path):
    with another_process(hold(tmp_path)) as child, pytest.raises(FolderInUse) as refused, hold(tmp_path):
        pass
    assert f"process {child} on " in refused.value.line()
    assert refused.value.exit_code == 3


def test_the_lock_of_a_killed_holder_is_free_and_leaves_nothing(tmp_path):
    with another_process(hold(tmp_path)):
        assert (tmp_path / LOCK_FILE).exists()
    with hold(tmp_path):
        pass
    assert left_over(tmp_path) == []


def test_who_waits_says_so_once_and_then_goes_on(tmp_path):
    said = []
    with another_process(hold(tmp_path)) as child:

        def told(text):
            said.append(text)
            os.kill(child, signal.SIGKILL)

        with hold(tmp_path, waiting=told):
            pass
    assert len(said) == 1
    assert f"process {child} on " in said[0]


def test_a_second_training_of_a_run_changes_nothing_in_it(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with another_process(hold(run)):
        before = sorted((path, path.stat().st_mtime_ns) for path in run.iterdir())
        with pytest.raises(FolderInUse, match="is in use by process"):
            train(TrainConfig(dataset="synthetic", output=run))
        assert sorted((path, path.stat().st_mtime_ns) for path in run.iterdir()) == before


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / LOCK_FILE).symlink_to(mine)
    with pytest.raises(CannotWrite, match="its lock file is a link"), hold(folder):
        pass
    assert mine.read_text() == "mine"


def test_left_overs_are_cleared_and_nothing_else(tmp_path):
    (tmp_path / f"{TEMPORARY_PREFIX}abc").mkdir()
    (tmp_path / f"{TEMPORARY_PREFIX}abc" / "weights.safetensors").write_text("half")
    (tmp_path / f"{TEMPORARY_PREFIX}old.safetensors").write_text("half")
    kept = [tmp_path / name for name in (".omnitwinned", ".hidden", "omnitwin-x", "weights.safetensors")]
    for path in kept:
        path.write_text("kept")
    with hold(tmp_path):
        pass
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_link_that_looks_like_a_left_over_is_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file.txt").write_text("mine")
    held = tmp_path / "held"
    held.mkdir()
    (held / f"{TEMPORARY_PREFIX}link").symlink_to(mine)
    with hold(held):
        pass
    assert (mine / "file.txt").read_text() == "mine"


def test_what_another_process_is_writing_is_no_left_over(tmp_path):
    with another_process(replacing(tmp_path / "file.txt")):
        there = left_over(tmp_path)
        with hold(tmp_path):
            pass
        assert [path for path in left_over(tmp_path) if path in there] == there
        assert there


def test_whoever_writes_a_file_clears_what_a_killed_process_left_beside_it(tmp_path):
    with another_process(replacing(tmp_path / "figure.png")):
        assert len(left_over(tmp_path)) == 2  # the folder, and the lock in it
    assert len(left_over(tmp_path)) == 2
    with replacing(tmp_path / "other.png") as temporary:
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["other.png"]


def test_a_file_in_place_of_a_folder_is_said_to_be_one(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(CannotWrite, match="it is a file"), hold(tmp_path / "run"):
        pass


def test_a_folder_that_was_made_to_be_held_goes_where_nothing_came_of_it(tmp_path):
    with hold(tmp_path / "new"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "file.txt") as temporary:
            Path(temporary).write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_link_where_everyone_may_put_one_is_not_followed(tmp_path):
    mine, shared = tmp_path / "mine.txt", tmp_path / "shared"
    mine.write_text("mine")
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "file.txt").symlink_to(mine)
    with (
        pytest.raises(CannotWrite, match="a link that someone else may have put there"),
        replacing(shared / "file.txt"),
    ):
        pass
    assert mine.read_text() == "mine"


def test_a_link_of_ones_own_keeps_pointing(tmp_path):
    mine, link = tmp_path / "mine.txt", tmp_path / "link.txt"
    mine.write_text("old")
    link.symlink_to(mine)
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert mine.read_text() == "new"
