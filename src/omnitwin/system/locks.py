"""One holder for a folder: a lock file that the system frees when its holder dies, and says who that is meanwhile.

What killed processes left in a folder is cleared by the next one that holds it, or writes there.
"""

import errno
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omnitwin.errors import CannotWrite, FolderInUse

LOCK_FILE = ".omnitwin.lock"
TEMPORARY_PREFIX = ".omnitwin-writing-"  # of folders in which files are written before they are moved to their place
TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + "[a-z0-9_]{8}")  # as tempfile completes it: nothing of the user's
POLL_SECONDS = 0.1
LOCKED_BYTE = 1 << 30  # on Windows, where nobody may read a byte that is locked: far behind the record
LARGEST_RECORD = 1000  # bytes
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK)  # disks that know none
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag; making links takes a privilege there


@contextmanager
def hold(folder: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Be the only holder of a folder, which is made where it is missing, and gone again where nothing came of it.

    Where another process holds it: FolderInUse, or waiting is told once who that is and it waits. CannotWrite where
    the folder cannot be written.
    """
    _check_name(folder)
    new = not folder.exists()
    make_folder(folder)
    lock = folder / LOCK_FILE
    try:
        handle = _wait_for(lock, folder, waiting)
    except OSError as error:
        raise CannotWrite(f"cannot lock {folder}: {_reason(error)}") from error
    try:
        _sign(handle)
        clear_left_overs(folder)
        yield
    finally:
        _release(lock, handle)
        if new:
            with suppress(OSError):  # not empty, as it should be
                folder.rmdir()


def _check_name(folder: Path) -> None:
    """CannotWrite for a name that is not Unicode: what is written there, safetensors could not read again."""
    try:
        os.fsencode(folder).decode()
    except UnicodeDecodeError as error:
        raise CannotWrite(f"cannot use {folder}: its name is not UTF-8", "Choose another folder.") from error


def make_folder(folder: Path) -> Path:
    """CannotWrite where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise CannotWrite(
            f"cannot make the folder {folder}: it is a file", "Choose another, or move it away."
        ) from error
    except OSError as error:
        raise CannotWrite(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return folder


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A folder for the time of writing, that nobody else can reach into; locked, so that it is not cleared in use."""
    clear_left_overs(parent)
    handle = None
    while handle is None:  # another process may take it for a left-over before it is locked, and remove it
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=parent))
        try:
            with suppress(FileNotFoundError):
                handle = _try(folder / LOCK_FILE)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    try:
        yield folder
    finally:
        _remove(folder, handle)


def clear_left_overs(folder: Path) -> None:
    """Remove what processes that are gone were writing in a folder, and nothing else."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if comes_and_goes(path) and path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                handle = _try(path / LOCK_FILE)
                if handle is not None:
                    _remove(path, handle)


def comes_and_goes(path: Path) -> bool:
    """Whether it is, by its name, a lock or what a process is writing, or was when it was killed."""
    return path.name == LOCK_FILE or TEMPORARY.fullmatch(path.name) is not None


def _remove(folder: Path, handle: int) -> None:
    """A folder of files in writing whose lock is held: until it is gone, or nobody else could begin to use it."""
    shutil.rmtree(folder, ignore_errors=True)
    _release(folder / LOCK_FILE, handle)  # Windows removes no open file, nor the folder around it
    with suppress(OSError):
        folder.rmdir()


def _wait_for(lock: Path, folder: Path, waiting: Callable[[str], None] | None) -> int:
    told = False
    while (handle := _try(lock)) is None:
        if waiting is None:
            raise FolderInUse(f"{folder} is in use by {_holder(lock)}")
        if not told:
            waiting(f"Waiting: {folder} is in use by {_holder(lock)}.")
            told = True
        time.sleep(POLL_SECONDS)
    return handle


def _try(lock: Path) -> int | None:
    """An open handle that holds the lock until it is closed, or None where another process has it."""
    while True:
        handle = _open(lock)
        try:
            free = _lock(handle)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                os.close(handle)
                raise
            return handle  # better without a lock than not at all
        if not free:
            os.close(handle)
            return None
        if _is_at(lock, handle):
            return handle
        os.close(handle)  # the holder before removed it just now: what is locked has no name, or another one


def _open(lock: Path) -> int:
    try:
        return open_no_link(lock, os.O_RDWR | os.O_CREAT)
    except PermissionError:  # another user's, in a folder of several: it can be locked, and not signed
        if not os.path.lexists(lock):
            raise
        return open_no_link(lock, os.O_RDONLY)


def open_no_link(path: str | Path, flags: int) -> int:
    """os.open for what is written in place; OSError (ELOOP) for a link of either kind, through which it would go on."""
    handle = os.open(path, flags & ~os.O_TRUNC | NO_FOLLOW, 0o666)
    if os.fstat(handle).st_nlink > 1:
        os.close(handle)
        raise OSError(errno.ELOOP, "it is a link")
    if flags & os.O_TRUNC:
        os.ftruncate(handle, 0)
    return handle


def _is_at(lock: Path, handle: int) -> bool:
    """Whether an open file is the one of that name: the folder may have been made anew meanwhile."""
    if os.name == "nt":  # where an open file keeps its name
        return True
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.lstat(lock))
    return False


def _lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        os.lseek(handle, LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        os.lseek(handle, 0, os.SEEK_SET)
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _release(lock: Path, handle: int) -> None:
    """Remove the lock file while it is still held, where the system can: afterwards it may be another holder's."""
    try:
        if _is_at(lock, handle):
            lock.unlink()
        os.close(handle)
    except OSError:  # Windows removes no open file
        os.close(handle)
        with suppress(OSError):
            lock.unlink()


def _sign(handle: int) -> None:
    """Say who holds the lock."""
    record = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):  # a full disk: the lock holds without
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(record).encode())


def _holder(lock: Path) -> str:
    """Who signed it: `process 12 on host since 2026-01-31 12:00:00`."""
    try:
        with open(os.open(lock, os.O_RDONLY | NO_FOLLOW), encoding="utf-8") as file:
            record = json.loads(file.read(LARGEST_RECORD))
        return f"process {record['pid']} on {record['host']} since {record['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


def _reason(error: OSError) -> str:
    return "its lock file is a link" if error.errno == errno.ELOOP else error.strerror or str(error)
