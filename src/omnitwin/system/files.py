"""Files that are complete or absent: write in a private folder beside the target, fsync, rename.

What is written takes the place of what was there: of a link itself, never of what it points to.
"""

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from omnitwin.errors import CannotWrite
from omnitwin.system.locks import TEMPORARY_PREFIX, make_folder, private_folder
from omnitwin.system.plain import NotPlain, is_link, odd, open_alone, open_plain

PAUSES = (0.05, 0.1, 0.2, 0.4) if os.name == "nt" else ()  # seconds; virus scanners hold new files for a moment


@contextmanager
def replacing(target: Path, replace: Callable[[Path, Path], None] = os.replace) -> Iterator[Path]:
    """Yield a path beside target to write to. On success it replaces target in one step, on failure it is removed.

    Raises CannotWrite if the folder or the file cannot be written.
    """
    try:
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


def open_unlinked(path: Path, mode: str, **how: Any) -> IO[Any]:
    """Open a file to write in place. Raises CannotWrite if it is a link (also a hard one) or no file, else OSError."""
    try:
        return open(path, mode, opener=open_alone, **how)
    except NotPlain as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}", "Remove it.") from error


def check_replaceable(target: Path) -> None:
    """Raise CannotWrite if what the user names for a result is there already and no plain file, but a link or a device.

    Call it before the work whose result goes there.
    """
    with suppress(OSError):  # nothing is there, or it will be told when the file is written
        if reason := odd(target):
            raise CannotWrite(f"cannot write {target}: {reason}", "Name another file.")


def check_writable(target: Path) -> None:
    """Raise CannotWrite if a file cannot be written at target. Call it before the work whose result goes there."""
    try:
        make_folder(target.parent)
        with tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=target.parent):
            pass
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}") from error
    if target.is_dir() and not is_link(target):
        raise CannotWrite(f"cannot write {target}: it is a folder")


def write_text(target: Path, text: str) -> None:
    """Write a text file as UTF-8 with the same bytes on every system. Raises CannotWrite."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def digest(path: Path, algorithm: str, largest: int | None = None) -> str:
    """Return the hexadecimal digest of a plain file. Raises OSError, also for more than the largest number of bytes."""
    with open(path, "rb", opener=open_plain) as file:
        if largest is not None and os.fstat(file.fileno()).st_size > largest:
            raise OSError(errno.EFBIG, f"it has more than {largest >> 20:,} MiB")
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
