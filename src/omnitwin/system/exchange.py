"""One HTTP exchange under limits of time and speed, whatever the server does and whenever it does it.

urllib speaks HTTP, follows redirects and asks the proxies. It reads through a socket that asks a watch before it
waits: no thread, no signal, and Ctrl-C works at any time. docs/LOG.md says why no other client.
"""

import http.client
import io
import socket
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import Any

LARGEST_REST = 1 << 20  # bytes of an exchange that are not the file's: headers and the frames of chunks


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a download may take. Only the system's look-up of a name has a limit of its own."""

    silence: float = 30.0  # seconds without a byte; also for a connection, and for a whole TLS handshake
    answer: float = 60.0  # seconds from the first connection of an attempt to the end of the head of the file's answer
    window: float = 60.0  # seconds in which `least` bytes of the file must arrive: 1 kB/s. GPRS, the slowest link that
    least: int = 60_000  # is still met, has 3 to 5
    whole: float = 3 * 3600.0  # seconds for a file with all attempts: the larger official zip at 1 kB/s takes 2.6 hours


LIMITS = Limits()


class TooSlow(TimeoutError):
    """A limit of time or speed is passed."""


class Watch:
    """Hold one exchange, redirects included, to the limits. Whatever reads asks `left` before it waits."""

    def __init__(self, limits: Limits, ends: float) -> None:
        self.limits, self.ends = limits, ends  # ends: when the time of the caller is over
        self.began = time.monotonic()
        self.until = self.began + limits.answer
        self.answered = False
        self.received = self.gained = self.mark = 0  # bytes: of all, of the file, of the file when the window began

    def left(self) -> float:
        """Return the seconds that the next byte may take. Raises OSError if a limit is passed."""
        if self.received - self.gained > LARGEST_REST:
            raise ConnectionError(f"sends more than {LARGEST_REST:,} bytes that are not of the file")
        seconds = min(self.until, self.ends) - time.monotonic()
        if seconds <= 0:
            passed = time.monotonic() - self.began
            told = f"{self.gained:,} bytes in {passed:.0f} s" if self.answered else f"no answer in {passed:.0f} s"
            raise TooSlow(f"too slow: {told}")
        return min(seconds, self.limits.silence)

    def begin_file(self) -> None:
        self.answered = True
        self.until = time.monotonic() + self.limits.window

    def gain(self, count: int) -> None:
        """Count bytes of the file. The window begins again whenever enough of them have come."""
        self.gained += count
        if self.gained - self.mark >= self.limits.least:
            self.mark = self.gained
            self.until = time.monotonic() + self.limits.window


class _WatchedReader(io.RawIOBase):
    """Read from a socket, each time for no longer than the watch allows."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, watch: Watch) -> None:
        self.sock, self.raw, self.watch = sock, raw, watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self.sock.settimeout(self.watch.left())
        try:
            count = self.raw.readinto(buffer)
        except TimeoutError as error:
            self.watch.left()
            raise TooSlow(f"too slow: nothing for {self.watch.limits.silence:.0f} s") from error
        self.watch.received += count or 0
        return count

    def close(self) -> None:
        super().close()
        self.raw.close()


class _WatchedResponse(http.client.HTTPResponse):
    """Read everything through the watch: status, headers (also a proxy's), frames and trailers."""

    def __init__(self, sock: socket.socket, *how: Any, watch: Watch, **more: Any) -> None:
        super().__init__(sock, *how, **more)
        self.fp = io.BufferedReader(_WatchedReader(sock, self.fp.detach(), watch))


class WatchedHandler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(self._connection, http.client.HTTPConnection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(self._connection, http.client.HTTPSConnection), req)

    def _connection(self, kind: type[http.client.HTTPConnection], host: str, **how: Any) -> http.client.HTTPConnection:
        connection = kind(host, **how)
        connection.response_class = partial(_WatchedResponse, watch=self.watch)  # type: ignore[assignment]
        connection._create_connection = self._connect  # type: ignore[attr-defined]
        return connection

    def _connect(self, place: tuple[str, int], timeout: object, source: object) -> socket.socket:
        """Connect as socket.create_connection does, which gives each of a name's addresses the whole time."""
        problem: OSError = ConnectionError("no address")
        for *_, address in socket.getaddrinfo(*place, type=socket.SOCK_STREAM):
            seconds = self.watch.left()
            try:
                return socket.create_connection(address[:2], seconds)  # type: ignore[arg-type]
            except OSError as error:
                problem = error
        raise problem
