"""Files that are complete or absent: write to a temporary file beside the target, fsync, rename."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omnitwin.errors import CannotWrite

TEMPORARY_PREFIX = ".omnitwin-"  # what a killed process may leave behind; never read


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path in target's folder; on success it replaces target in one step, on failure it is gone.

    Raises CannotWrite where the folder cannot be made or the file not written.
    """
    target = target.resolve()  # a link keeps pointing where it points; its target is what gets replaced
    temporary: Path | None = None
    try:
        make_folder(target.parent)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp, and safetensors, make files that only the user can read
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def check_writable(target: Path) -> None:
    """CannotWrite where a file could not be written there: asked before the work whose result it is to hold."""
    make_folder(target.parent)
    try:
        with tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=target.parent):
            pass
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}") from error
    if target.is_dir():
        raise CannotWrite(f"cannot write {target}: it is a folder")


def write_text(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return folder


def digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
