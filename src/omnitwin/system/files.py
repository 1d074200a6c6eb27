"""Files that are complete or absent: write in a private folder beside the target, fsync, rename.

No link is followed that somebody else may have planted.
"""

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from omnitwin.errors import CannotWrite
from omnitwin.system.locks import TEMPORARY_PREFIX, make_folder, open_no_link, private_folder

MOST_LINKS = 40  # from one to the next, as Linux counts
PAUSES = (0.05, 0.1, 0.2, 0.4) if os.name == "nt" else ()  # seconds; virus scanners there hold new files for a moment


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside target to write to; on success it replaces target in one step, on failure it is gone.

    Raises CannotWrite where the folder cannot be made, the file not written, or target is a link of somebody else's.
    """
    try:
        target = followed(target)
        make_folder(target.parent)
        with private_folder(target.parent) as folder:
            temporary = folder / target.name
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            mode = stat.S_IMODE(os.fstat(handle).st_mode)  # what the umask leaves
            os.close(handle)
            yield temporary
            temporary.chmod(mode)  # safetensors makes files that only the user can read
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            _move(temporary, target)
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}") from error


def _move(source: Path, target: Path) -> None:
    for seconds in PAUSES:
        try:
            return os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
    return os.replace(source, target)


def followed(target: Path) -> Path:
    """Where a file is to be written: a link of the user's own keeps pointing, its target is what gets replaced.

    CannotWrite for a link that is neither the user's nor root's, or that lies where everyone may put one.
    """
    for _ in range(MOST_LINKS):
        if not target.is_symlink():
            return Path(os.path.realpath(target.parent), target.name)
        if _may_be_planted(target):
            raise CannotWrite(f"cannot write {target}: it is a link that someone else may have put there", "Remove it.")
        target = target.parent / target.readlink()
    raise CannotWrite(f"cannot write {target}: too many links")


def _may_be_planted(link: Path) -> bool:
    if not hasattr(os, "geteuid"):  # Windows: making links takes a privilege
        return False
    return link.lstat().st_uid not in (os.geteuid(), 0) or bool(link.parent.stat().st_mode & stat.S_IWOTH)


def open_unlinked(path: Path, mode: str, **how: Any) -> IO[Any]:
    """Open a file to write in place; CannotWrite where it is a link, of either kind, OSError where it cannot be."""
    try:
        return open(path, mode, opener=open_no_link, **how)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise CannotWrite(f"cannot write {path}: it is a link", "Remove it.") from error


def check_writable(target: Path) -> None:
    """CannotWrite where a file could not be written there: asked before the work whose result it is to hold."""
    try:
        target = followed(target)
        make_folder(target.parent)
        with tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=target.parent):
            pass
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}") from error
    if target.is_dir():
        raise CannotWrite(f"cannot write {target}: it is a folder")


def write_text(target: Path, text: str) -> None:
    """The same bytes on every system."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
