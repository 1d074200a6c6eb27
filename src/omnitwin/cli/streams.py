"""What the program says, wherever it leads: to a reader that has left, a disk that is full, or nowhere at all.

The exit code is the answer of `compare`, so what becomes of words may never change it behind the user's back.
"""

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from omnitwin.errors import CannotWrite

GONE = {errno.EPIPE, *([errno.EINVAL] if os.name == "nt" else [])}  # how systems say that a pipe has no reader


class Guarded:
    """A stream that falls silent where nobody reads it any more.

    Where it is for results and they cannot be written: CannotWrite, once. Messages that cannot be written are dropped.
    """

    def __init__(self, stream: IO[str], results: bool) -> None:
        self.stream, self.results = stream, results

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            gone = error.errno in GONE or (error.errno == errno.EIO and self._is_terminal())
            self._fall_silent()
            if self.results and not gone:
                reason = error.strerror or str(error)
                raise CannotWrite(
                    f"cannot write the result to standard output: {reason}", "Send it to another place."
                ) from error

    def _is_terminal(self) -> bool:
        """Also of one that was closed meanwhile, for which isatty is False."""
        with suppress(OSError, ValueError):
            return stat.S_ISCHR(os.fstat(self.stream.fileno()).st_mode)
        return False

    def _fall_silent(self) -> None:
        """What waits in a buffer goes nowhere, now and when Python ends."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Standard output and error, guarded; a letter that they do not have is spelt out; closed ones lead nowhere."""
    _fill_gaps()
    before = sys.stdout, sys.stderr
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (closed below)
    out, error = (stream if stream is not None else nowhere for stream in before)
    for stream in (out, error):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (cast(Any, Guarded(stream, results)) for stream, results in ((out, True), (error, False)))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        nowhere.close()


def _fill_gaps() -> None:
    """Have no file of ours opened as number 0, 1 or 2, where libraries in C would write their complaints into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
