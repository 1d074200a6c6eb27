import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from omnitwin.errors import CannotWrite
from omnitwin.system.files import digest, replacing, write_text
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


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
@pytest.mark.parametrize("content_before", ["old", None])
def test_a_link_still_points_to_its_target_which_has_the_new_content(tmp_path, content_before):
    target, link = tmp_path / "elsewhere" / "file.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    if content_before is not None:
        target.write_text(content_before)
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


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
