"""One holder for a folder, who is named; what dead ones left is cleared, and nothing else."""

import errno
import json
import os
import shutil
import signal
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from killing import forked, left_over

from omnitwin.config import TrainConfig
from omnitwin.errors import CannotWrite, FolderInUse
from omnitwin.system import files, locks
from omnitwin.system.files import open_unlinked, replacing, write_text
from omnitwin.system.locks import LOCK_FILE, TEMPORARY_PREFIX, hold
from omnitwin.training.training import train

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


def test_the_name_of_the_holder_leaves_out_the_byte_that_windows_locks_against_readers(tmp_path):
    """https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-lockfileex; filelock locks byte 0."""
    with hold(tmp_path):
        written = (tmp_path / LOCK_FILE).read_bytes()
    assert written[:1] == b"\0"
    assert json.loads(written[1:])["pid"] == os.getpid()


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
    """Folders by the name that tempfile gives them alone: a home may be called `.omnitwin-home`."""
    left = tmp_path / f"{TEMPORARY_PREFIX}abc_1234"
    left.mkdir()
    (left / "weights.safetensors").write_text("half")
    names = (".omnitwinned", ".omnitwin-notes.txt", ".omnitwin-writing-x", f"{left.name}.txt", "weights.safetensors")
    kept = [tmp_path / name for name in names]
    for path in kept:
        path.write_text("kept")
    folders = [tmp_path / name for name in (".omnitwin-home", ".omnitwin-abcdefgh", f"{TEMPORARY_PREFIX}abc_12345")]
    for folder in folders:
        folder.mkdir()
        (folder / "weights.safetensors").write_text("kept")
    with hold(tmp_path):
        pass
    with replacing(tmp_path / "weights.safetensors") as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted(kept + folders)
    assert all((folder / "weights.safetensors").exists() for folder in folders)


def test_what_is_cleared_is_held_until_it_is_gone(tmp_path, monkeypatch):
    """Else its writer could lock it in between, and lose what it writes there."""
    left = tmp_path / f"{TEMPORARY_PREFIX}abc_1234"
    left.mkdir()
    real, held = shutil.rmtree, []

    def rmtree(folder, **how):
        held.append(locks._try(folder / LOCK_FILE) is None)
        real(folder, **how)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    locks.clear_left_overs(tmp_path)
    assert held == [True]
    assert list(tmp_path.iterdir()) == []


def test_many_who_write_into_one_folder_lose_nothing(tmp_path):
    def write(number):
        for turn in range(100):
            write_text(tmp_path / f"{number}.txt", str(turn))

    children = []
    for number in range(4):
        if not (child := forked()):
            try:
                write(number)
                os._exit(0)
            except BaseException as error:
                os.write(2, f"{error}\n".encode())
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert sorted((path.name, path.read_text()) for path in tmp_path.iterdir()) == [
        (f"{n}.txt", "99") for n in range(4)
    ]


def test_a_folder_that_was_made_anew_has_a_holder_of_its_own(tmp_path):
    folder = tmp_path / "run"
    with ExitStack() as first:
        first.enter_context(hold(folder))
        shutil.rmtree(folder)
        with another_process(hold(folder)):
            first.close()
            with pytest.raises(FolderInUse), hold(folder):
                pass


def test_a_disk_that_knows_no_locks_is_written_without(tmp_path, monkeypatch):
    def flock(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with hold(tmp_path), replacing(tmp_path / "file.txt") as temporary:
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_for_writing_that_cannot_be_locked_is_not_left(tmp_path, monkeypatch):
    def refuse(lock):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(locks, "_try", refuse)
    with pytest.raises(CannotWrite, match="No space left"), replacing(tmp_path / "file.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become two other users")
@pytest.mark.parametrize("alive", [True, False])
def test_the_lock_of_another_user_counts_while_she_lives_and_no_longer(tmp_path, alive):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    for parent in folder.parents:
        parent.chmod(parent.stat().st_mode | 0o011)

    def as_nobody():
        os.setresuid(65534, 65534, 65534)
        try:
            with hold(folder):
                return 0
        except FolderInUse:
            return 3

    with another_process(hold(folder)):
        if alive:
            assert outcome_of(as_nobody) == 3
    if not alive:
        assert outcome_of(as_nobody) == 0


def outcome_of(work):
    """What work, in a process of its own, comes to."""
    if not (child := forked()):
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_hard_link_in_place_of_the_lock_is_not_written_through(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    folder = tmp_path / "shared"
    folder.mkdir()
    os.link(mine, folder / LOCK_FILE)
    with pytest.raises(CannotWrite, match="its lock file is a link"), hold(folder):
        pass
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("mode", ["w", "a"])
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_file_that_grows_is_not_one_that_is_linked_to(tmp_path, mode, link):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    link(mine, tmp_path / "metrics.jsonl")
    with pytest.raises(CannotWrite, match="it is a link"):
        open_unlinked(tmp_path / "metrics.jsonl", mode, encoding="utf-8", newline="\n")
    assert mine.read_text() == "mine"


def test_folders_that_are_links_to_one_another_are_refused_in_one_line(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(CannotWrite), replacing(tmp_path / "one" / "file.txt"):
        pass


def test_a_place_that_is_taken_for_a_moment_is_tried_again(tmp_path):
    """A virus scanner takes it on Windows."""
    (tmp_path / "new.txt").write_text("new")
    tries = []

    def busy(source, target):
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "Permission denied")
        os.replace(source, target)

    files.move(tmp_path / "new.txt", tmp_path / "file.txt", pauses=(0.0, 0.0), replace=busy)
    assert (tmp_path / "file.txt").read_text() == "new"
    assert len(tries) == 3


def test_a_link_that_looks_like_a_left_over_is_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file.txt").write_text("mine")
    held = tmp_path / "held"
    held.mkdir()
    (held / f"{TEMPORARY_PREFIX}link_123").symlink_to(mine)
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


def test_a_folder_that_its_holder_removes_is_made_again_for_whoever_waits(tmp_path):
    first = hold(tmp_path / "new")
    first.__enter__()
    with hold(tmp_path / "new", waiting=lambda text: first.__exit__(None, None, None)):
        assert (tmp_path / "new" / LOCK_FILE).exists()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "file.txt") as temporary:
            Path(temporary).write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_pipe_in_place_of_the_lock_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / LOCK_FILE)
    with pytest.raises(CannotWrite, match="its lock file is a pipe"), hold(tmp_path):
        pass


def test_a_left_over_whose_lock_leads_elsewhere_is_left_alone(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    left = tmp_path / "held" / f"{TEMPORARY_PREFIX}abc_1234"
    left.mkdir(parents=True)
    (left / LOCK_FILE).symlink_to(mine)
    with hold(left.parent):
        pass
    assert (mine.read_text(), (left / LOCK_FILE).is_symlink()) == ("mine", True)
