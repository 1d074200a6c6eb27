"""Standard output and error if their reader has left, the disk is full, or they are closed.

The exit code is the answer of `compare`, so a failure to write must never change it without a message.
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

GONE = {errno.EPIPE, *([errno.EINVAL] if os.name == "nt" else [])}  # errors of a pipe without a reader


class Guarded:
    """A stream that falls silent once nobody reads it.

    Results that cannot be written raise CannotWrite, once. Messages that cannot be written are dropped.
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
        """Return True also for a terminal that was closed meanwhile; isatty says False then."""
        with suppress(OSError, ValueError):
            return stat.S_ISCHR(os.fstat(self.stream.fileno()).st_mode)
        return False

    def _fall_silent(self) -> None:
        """Drop what waits in a buffer, now and when Python ends."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard standard output and error. Letters outside their encoding are spelt out; closed streams lead nowhere."""
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
    """Open the null device for a closed stream: a file with its number would get the messages of C libraries."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
