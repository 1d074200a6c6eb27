"""Files that are complete or absent: write in a private folder beside the target, fsync, rename.

Links that somebody else may have planted are not followed.
"""

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from omnitwin.errors import CannotWrite
from omnitwin.system.locks import TEMPORARY_PREFIX, make_folder, open_no_link, private_folder

MOST_LINKS = 40  # links that lead to links, as in Linux
PAUSES = (0.05, 0.1, 0.2, 0.4) if os.name == "nt" else ()  # seconds; virus scanners hold new files for a moment


@contextmanager
def replacing(target: Path, replace: Callable[[Path, Path], None] = os.replace) -> Iterator[Path]:
    """Yield a path beside target to write to. On success it replaces target in one step, on failure it is removed.

    Raises CannotWrite if the folder or the file cannot be written, or if somebody else may have planted target as a
    link.
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
            move(temporary, target, replace=replace)
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}") from error


def move(
    source: Path,
    target: Path,
    pauses: Sequence[float] = PAUSES,
    replace: Callable[[Path, Path], None] = os.replace,
) -> None:
    """Replace target by source. Try again after each pause (seconds) while another program has target open."""
    for seconds in pauses:
        try:
            return replace(source, target)
        except PermissionError:
            time.sleep(seconds)
    return replace(source, target)


def followed(target: Path) -> Path:
    """Return the path behind the links at target, so that writing there keeps the user's own links.

    Raises CannotWrite for a link that belongs neither to the user nor to root, or that lies where everyone may write.
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
    """Open a file to write in place. Raises CannotWrite if it is a symbolic or a hard link, OSError otherwise."""
    try:
        return open(path, mode, opener=open_no_link, **how)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise CannotWrite(f"cannot write {path}: it is a link", "Remove it.") from error


def check_writable(target: Path) -> None:
    """Raise CannotWrite if a file cannot be written at target. Call it before the work whose result goes there."""
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
    """Write a text file as UTF-8 with the same bytes on every system. Raises CannotWrite."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
