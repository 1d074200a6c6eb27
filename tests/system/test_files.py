import hashlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from omnitwin.errors import CannotWrite
from omnitwin.system import plain
from omnitwin.system.files import check_replaceable, digest, open_unlinked, replacing, write_text
from omnitwin.system.locks import make_folder


def write_half(target, failure):
    with replacing(target) as temporary:
        temporary.write_text("half")
        raise failure


def test_a_failure_leaves_neither_target_nor_temporary_file(tmp_path):
    with pytest.raises(RuntimeError):
        write_half(tmp_path / "new.txt", RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_content_as_it_was(tmp_path):
    target = tmp_path / "old.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(target, KeyboardInterrupt)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_old_content_is_there_until_the_new_one_is_complete(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        assert temporary.parent.parent == target.parent  # a rename is atomic within one file system only
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_reader_with_the_old_file_open_keeps_reading_the_old_content(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with target.open() as reader:
        write_text(target, "new, and longer")
        assert reader.read() == "old"


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "file.txt", "ü")
    assert (tmp_path / "a" / "b" / "file.txt").read_bytes() == "ü".encode()


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_file_is_as_readable_as_the_umask_allows(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "file.txt") as temporary:
            temporary.unlink()  # as a library does that replaces the file by one of its own
            temporary.touch(mode=0o600)
    finally:
        after = os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == mode
    assert after == mask  # reading the umask must not change it


def link_to(target, entry):
    entry.symlink_to(target)


def hard_link_to(target, entry):
    os.link(target, entry)


def pipe(target, entry):
    os.mkfifo(entry)


def listening_socket(target, entry):
    with socket.socket(socket.AF_UNIX) as end:
        here = os.getcwd()
        os.chdir(entry.parent)  # a socket's path has at most 107 bytes
        try:
            end.bind(entry.name)
        finally:
            os.chdir(here)


def endless_device(target, entry):
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    try:
        os.mknod(entry, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except OSError:
        pytest.skip("no devices here")


def link_to_a_link(target, entry):
    (entry.parent / "middle").symlink_to(target)
    entry.symlink_to("middle")


def link_to_itself(target, entry):
    entry.symlink_to(entry.name)


ODD = [link_to, link_to_a_link, link_to_itself, pipe, listening_socket, endless_device]
POSIX = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices of POSIX")


@POSIX
@pytest.mark.parametrize("odd", [*ODD, hard_link_to])
def test_what_is_written_takes_the_place_of_an_entry_and_leaves_alone_what_that_leads_to(tmp_path, odd):
    """The rule was once that the user's own links are followed. What he unpacks from an archive holds his own links."""
    mine, entry = tmp_path / "mine.txt", tmp_path / "folder" / "entry.txt"
    entry.parent.mkdir()
    mine.write_text("mine")
    odd(mine, entry)
    write_text(entry, "new")
    assert (entry.is_symlink(), entry.read_text(), mine.read_text()) == (False, "new", "mine")


@POSIX
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_plain_file_is_neither_read_nor_waited_for_nor_written_in_place(tmp_path, odd):
    mine, entry = tmp_path / "mine.txt", tmp_path / "entry.txt"
    mine.write_text("mine")
    odd(mine, entry)
    for reading in (plain.read_text, plain.open_plain, lambda path: digest(path, "sha256")):
        with pytest.raises(plain.NotPlain, match=r"it is a (link to|pipe|socket|device)"):
            reading(entry)
    with pytest.raises(CannotWrite, match="it is a"):
        open_unlinked(entry, "w")
    with pytest.raises(CannotWrite, match="it is a"):
        check_replaceable(entry)
    assert mine.read_text() == "mine"


@POSIX
def test_a_user_may_name_a_link_to_a_file_but_nothing_endless(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("file")
    with open(tmp_path / "link", opener=plain.open_named) as file:
        assert file.read() == "mine"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to the pipe").symlink_to("pipe")
    for name in ("pipe", "link to the pipe"):
        with pytest.raises(plain.NotPlain, match="it is a pipe"):
            plain.open_named(tmp_path / name)


def test_a_small_text_is_read_up_to_its_limit_and_no_further(tmp_path):
    (tmp_path / "text").write_text("ü" * 500)
    assert plain.read_text(tmp_path / "text", 1000) == "ü" * 500
    with pytest.raises(OSError, match="more than 999 bytes"):
        plain.read_text(tmp_path / "text", 999)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 << 40)  # terabytes that take no room
    with pytest.raises(OSError, match="more than 1,048,576 bytes"):
        plain.read_text(tmp_path / "sparse")


@POSIX
def test_all_files_below_a_folder_are_found_but_no_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for name in ("top/1", "top/a/2", "top/a/b/3", "outside/4"):
        (tmp_path / name).write_text("")
    (tmp_path / "top" / "loop").symlink_to(tmp_path / "top")
    (tmp_path / "top" / "out").symlink_to(tmp_path / "outside")
    found = {os.path.relpath(entry.path, tmp_path / "top") for entry in plain.files_below(tmp_path / "top")}
    assert found == {"1", "a/2", "a/b/3", "loop", "out"}


@pytest.fixture
def deep_folder(tmp_path):
    """A folder in a folder, 1,200 times: more than a function may call itself."""
    folder = str(tmp_path / "deep")
    os.mkdir(folder)
    for _ in range(1200):
        folder += "/d"
        os.mkdir(folder)
    with open(f"{folder}/file", "w"):
        pass
    yield tmp_path / "deep"
    for path in tmp_path.iterdir():
        subprocess.run(["rm", "-rf", path], check=True)


@POSIX
def test_folders_in_folders_are_walked_however_deep(deep_folder):
    assert [entry.name for entry in plain.files_below(deep_folder)] == ["file"]


@POSIX
def test_a_left_over_with_folders_in_folders_stops_nobody(deep_folder):
    deep_folder.rename(deep_folder.with_name(".omnitwin-writing-abcdefgh"))
    write_text(deep_folder.with_name("file.txt"), "new")
    assert deep_folder.with_name("file.txt").read_text() == "new"


def test_a_file_where_a_folder_should_be_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"cannot make the folder .*file"):
        write_text(tmp_path / "file" / "child.txt", "")
    with pytest.raises(CannotWrite, match=r"cannot make the folder .*file"):
        make_folder(tmp_path / "file")


def test_a_folder_where_the_file_should_be_is_refused_and_left_alone(tmp_path):
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(CannotWrite, match=r"cannot write .*folder"):
        write_text(tmp_path / "folder", "")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of a file as Linux does")
def test_a_full_disk_is_cannot_write_and_leaves_nothing(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from omnitwin.errors import CannotWrite
from omnitwin.system.files import write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_text(Path(sys.argv[1]), "x" * 100_000)
except CannotWrite as error:
    sys.exit(0 if "too large" in str(error) else str(error))
sys.exit("no error")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "file.txt")], check=True)
    assert list(Path(tmp_path).iterdir()) == []


def test_digest_is_that_of_the_whole_file(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    assert digest(tmp_path / "file", "sha256") == hashlib.sha256(content).hexdigest()
