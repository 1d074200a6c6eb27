"""Plain files: looked at before they are opened, so that no link is followed and no pipe or device waited for.

Whoever made a folder may have put anything into it. A path that the user names may be a link; what is below it may not.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

LARGEST_TEXT = 1 << 20  # bytes of a small text file of omnitwin's; a choice has 200, a run's config some 3,000
MOST_ENTRIES = 100_000  # in a folder with all that is below it; Omniglot's have under 35,000
# Windows has none of these flags: there is the look before, and making links takes a privilege
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
CAREFUL = NO_FOLLOW | getattr(os, "O_NONBLOCK", 0)
JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0)  # of Windows: a link to a folder, for which it asks nothing
FOLDER = "it is a folder"
KINDS = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))  # all others are devices


class NotPlain(OSError):
    """What is there is no plain file. The reason is its strerror: `it is a pipe`."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EINVAL, reason)


def is_link(path: Path) -> bool:
    """Return whether a path is a symbolic link or a junction. False if it does not exist."""
    try:
        return _is_link(path.lstat())
    except (OSError, ValueError):
        return False


def is_plain(path: Path) -> bool:
    """Return whether a path is a plain file, and no link to one."""
    try:
        return odd(path) is None
    except (OSError, ValueError):
        return False


def odd(path: str | Path) -> str | None:
    """Return why a path is no plain file, such as `it is a link to X`; None if it is one. Raises OSError if missing."""
    there = os.lstat(path)
    if _is_link(there):
        return f"it is a link to {os.readlink(path)}"
    return None if stat.S_ISREG(there.st_mode) else f"it is a {_kind(there)}"


def open_plain(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a plain file like os.open, also as the opener of open(). Raises NotPlain, or OSError."""
    try:
        if reason := odd(path):
            raise NotPlain(reason)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    return _opened(path, flags | CAREFUL)


def open_alone(path: str | Path, flags: int) -> int:
    """Open a plain file to write in place. Raises NotPlain also for a hard link, or OSError."""
    handle = open_plain(path, flags & ~os.O_TRUNC)
    if os.fstat(handle).st_nlink > 1:
        os.close(handle)
        raise NotPlain("it is a link")
    if flags & os.O_TRUNC:
        os.ftruncate(handle, 0)
    return handle


def open_named(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a plain file, or what a link to one leads to, as the user may name it. Raises NotPlain, or OSError."""
    there = os.stat(path)
    if not stat.S_ISREG(there.st_mode):
        raise NotPlain(f"it is a {_kind(there)}")
    return _opened(path, flags | CAREFUL & ~NO_FOLLOW)


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """Return the text of a small plain file. Raises NotPlain, OSError, or UnicodeDecodeError."""
    with open(path, "rb", opener=open_plain) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest:,} bytes")
    return content.decode("utf-8")


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, and no link or junction to one. Raises OSError."""
    return entry.is_dir(follow_symlinks=False) and not (JUNCTION and _is_link(entry.stat(follow_symlinks=False)))


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield every entry below a folder that is no folder, whatever it is; links to folders are not followed.

    Raises OSError for a folder that may not be read, or for more than MOST_ENTRIES. What is gone by now is passed over.
    """
    folders, seen = [str(folder)], 0
    while folders:
        place = folders.pop()
        try:
            inside = os.scandir(place)
        except FileNotFoundError:
            continue
        with inside:
            for entry in inside:
                seen += 1
                if seen > MOST_ENTRIES:
                    raise OSError(errno.E2BIG, f"{folder} holds more than {MOST_ENTRIES:,} files")
                if is_folder(entry):
                    folders.append(entry.path)
                else:
                    yield entry


def _opened(path: str | Path, flags: int) -> int:
    handle = os.open(path, flags, 0o666)
    there = os.fstat(handle)
    if not stat.S_ISREG(there.st_mode):  # it was exchanged meanwhile
        os.close(handle)
        raise NotPlain(f"it is a {_kind(there)}")
    return handle


def _is_link(there: os.stat_result) -> bool:
    return stat.S_ISLNK(there.st_mode) or (JUNCTION != 0 and getattr(there, "st_reparse_tag", 0) == JUNCTION)


def _kind(there: os.stat_result) -> str:
    return next((name for is_kind, name in KINDS if is_kind(there.st_mode)), "device")
