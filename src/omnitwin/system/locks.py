"""Folders that one process uses at a time: a lock file that names its holder, and clearing after killed processes.

filelock asks the system for the lock itself; the system frees it when its holder dies. The rest is ours, for reasons
in docs/LOG.md: filelock's own FileLock leaves its file behind, locks through hard links, and fails on another user's
lock file and on disks without locks.
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
from omnitwin.system.plain import NotPlain, is_link, open_alone, open_plain

LOCK_FILE = ".omnitwin.lock"
TEMPORARY_PREFIX = ".omnitwin-writing-"  # of folders in which files are written before they are moved to their place
TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + "[a-z0-9_]{8}")  # as tempfile completes the name
POLL_SECONDS = 0.1
RECORD_START = 1  # bytes; filelock locks byte 0, which no other process can read on Windows then
LARGEST_RECORD = 1000  # bytes
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK)  # from disks without locks


@contextmanager
def hold(folder: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Lock a folder, creating it if needed and removing it if it stays empty.

    If another process holds it, raise FolderInUse; with waiting, call it once with a line that names the holder, and
    wait. Raises CannotWrite if the folder cannot be made or written.
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


def holder_of(folder: Path) -> str | None:
    """Return who holds a folder, or None. A lock file that a dead process left is removed."""
    lock = folder / LOCK_FILE
    if not os.path.lexists(lock):
        return None
    with suppress(OSError):
        handle = _try(lock)
        if handle is None:
            return _holder(lock)
        _release(lock, handle)
    return None


def _check_name(folder: Path) -> None:
    """Raise CannotWrite if the name is not Unicode: safetensors could not read the files back."""
    try:
        os.fsencode(folder).decode()
    except UnicodeDecodeError as error:
        raise CannotWrite(f"cannot use {folder}: its name is not UTF-8", "Choose another folder.") from error


def make_folder(folder: Path) -> Path:
    """Make a folder and its parents if needed, and return it. Raises CannotWrite."""
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
    """Yield a new folder to write in, which only this user can enter; it is removed afterwards.

    It is locked, so that clear_left_overs of another process leaves it alone.
    """
    clear_left_overs(parent)
    handle = None
    while handle is None:  # another process may remove it as a left-over before it is locked
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
    """Remove the private folders of dead processes from a folder, and nothing else."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if comes_and_goes(path) and path.is_dir() and not is_link(path):
            with suppress(OSError):
                handle = _try(path / LOCK_FILE)
                if handle is not None:
                    _remove(path, handle)


def comes_and_goes(path: Path) -> bool:
    """Return whether the name is that of a lock file or of a private folder."""
    return path.name == LOCK_FILE or TEMPORARY.fullmatch(path.name) is not None


def _remove(folder: Path, handle: int) -> None:
    """Remove a private folder while its lock is held, so that no other process begins to use it."""
    with suppress(RecursionError):  # somebody else's folders in folders, which stay
        shutil.rmtree(folder, ignore_errors=True)
    _release(folder / LOCK_FILE, handle)  # Windows removes neither an open file nor its folder
    with suppress(OSError):
        folder.rmdir()


def _wait_for(lock: Path, folder: Path, waiting: Callable[[str], None] | None) -> int:
    """Return a handle that holds the lock, after waiting for it if the caller wants to."""
    told = False
    while (handle := _try_in(folder, lock)) is None:
        if waiting is None:
            raise FolderInUse(f"{folder} is in use by {_holder(lock)}")
        if not told:
            waiting(f"Waiting: {folder} is in use by {_holder(lock)}.")
            told = True
        time.sleep(POLL_SECONDS)
    return handle


def _try_in(folder: Path, lock: Path) -> int | None:
    """Do as _try, in a folder that its last holder may just have removed, as it stayed empty."""
    try:
        return _try(lock)
    except FileNotFoundError:
        make_folder(folder)
        return _try(lock)


def _try(lock: Path) -> int | None:
    """Return an open handle that holds the lock until it is closed, or None if another process has it."""
    from filelock import lock_descriptor  # 20 ms, and only writing needs it

    while True:
        handle = _open(lock)
        try:
            free = lock_descriptor(handle, blocking=False)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                os.close(handle)
                raise
            return handle  # writing without a lock is better than no writing
        if not free:
            os.close(handle)
            return None
        if _is_at(lock, handle):
            return handle
        os.close(handle)  # the previous holder removed this file after it was opened here: try the next one


def _open(lock: Path) -> int:
    try:
        return open_alone(lock, os.O_RDWR | os.O_CREAT)
    except PermissionError:  # another user's lock file in a shared folder: it can be locked, but not signed
        if not os.path.lexists(lock):
            raise
        return open_alone(lock, os.O_RDONLY)


def _is_at(lock: Path, handle: int) -> bool:
    """Return whether the open file still has this name: its folder may have been removed and made again."""
    if os.name == "nt":  # an open file keeps its name there
        return True
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.lstat(lock))
    return False


def _release(lock: Path, handle: int) -> None:
    """Remove the lock file, then free the lock: after that the name may belong to the next holder's file."""
    try:
        if _is_at(lock, handle):
            lock.unlink()
        os.close(handle)
    except OSError:  # Windows removes no open file
        os.close(handle)
        with suppress(OSError):
            lock.unlink()


def _sign(handle: int) -> None:
    """Write into the lock file who holds it."""
    record = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):  # the disk is full: the lock holds without a name
        os.ftruncate(handle, 0)
        os.lseek(handle, RECORD_START, os.SEEK_SET)
        os.write(handle, json.dumps(record).encode())


def _holder(lock: Path) -> str:
    """Return who signed a lock file: `process 12 on host since 2026-01-31 12:00:00`."""
    try:
        with open(lock, "rb", opener=open_plain) as file:
            file.seek(RECORD_START)
            record = json.loads(file.read(LARGEST_RECORD))
        return f"process {record['pid']} on {record['host']} since {record['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


def _reason(error: OSError) -> str:
    if isinstance(error, NotPlain):
        return f"its lock file is{str(error.strerror).removeprefix('it is')}"
    return error.strerror or str(error)
