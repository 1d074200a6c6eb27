"""Download a file over https: within limits of size, time and speed, resumed after a break, tried again after pauses.

http is allowed to this machine only. What the server sends, and when, is its own choice: nothing here waits for it
longer than Limits says, keeps more of it than the caller allows, or fails in another way than by DownloadFailed.
"""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, NamedTuple, NoReturn
from urllib.parse import urlsplit

from omnitwin import __version__
from omnitwin.errors import BadInput, CannotWrite, DownloadFailed
from omnitwin.system.exchange import LIMITS, Limits, TooSlow, Watch, WatchedHandler
from omnitwin.system.files import open_unlinked
from omnitwin.system.locks import make_folder

CHUNK = 1 << 16  # bytes read at a time, at most
ATTEMPTS = 5
FIRST_PAUSE = 1.0  # seconds before the second attempt; doubled each time
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # HTTP status that may change at the next attempt
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
LONGEST_URL = 2000  # characters; servers and proxies refuse longer ones
LONGEST_WORDS = 120  # characters of a server's text in a message
SIZE = re.compile("[0-9]{1,15}")  # of a file; Python's int takes 1_000 and +5, too
RANGE = re.compile("bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


Advance = Callable[[int], None]


class Fetched(NamedTuple):
    """part: the file that holds the download. resumed: whether it came in parts, which may be of different files."""

    part: Path
    resumed: bool


def check_url(url: str) -> None:
    """Raise BadInput unless an address is https (or http to this machine) and short printable ASCII without spaces."""
    shown = _short(url)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput(f"{shown} is not an address", "Spell out spaces and letters that are not ASCII, such as %20.")
    if len(url) > LONGEST_URL:
        raise BadInput(f"{shown} is no address: it has more than {LONGEST_URL:,} characters", "Give a shorter one.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"{shown} is not an address: {error}", "Give a folder, a zip file or a base URL.") from error
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise BadInput(f"{shown} is not an https address", "Only https is fetched (and http from this machine itself).")
    if not host or "@" in parts.netloc:
        raise BadInput(f"{shown} needs a host, without a user's name or password", "Give another address.")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Refuse a redirect away from https, even to this machine: no other server may reach what listens here."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        fp.close()  # urllib would read the body to its end, and it may have none
        onward = f"{_short(req.full_url)} redirects to {_short(newurl)}"
        try:
            check_url(newurl)
        except BadInput as error:
            raise DownloadFailed(f"{onward}, which is not https or no address", "") from error
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise DownloadFailed(f"{onward}, away from https", "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def part_path(url: str, target: Path) -> Path:
    """Return the file that holds a download of url until it is complete. Each address has its own."""
    return target.with_name(f"{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")


def fetch(
    url: str,
    target: Path,
    largest: int,
    started: Callable[[int, int], Advance],
    pause: Callable[[float], None] = time.sleep,
    note: Callable[[str], None] = lambda line: None,
    limits: Limits = LIMITS,
) -> Fetched:
    """Download url into the part file of target. The caller checks the file and moves it.

    largest: bytes that the file may have at most
    started: called once with the size in bytes (0 if unknown) and the bytes of an earlier attempt; returns a callable
    that takes the bytes of each advance
    pause: waits for a number of seconds
    note: called with a line before each wait: what failed, and when it is tried again

    Raises DownloadFailed after ATTEMPTS or limits.whole, or at once if another attempt cannot help; CannotWrite if the
    disk fails.
    """
    check_url(url)
    part = part_path(url, target)
    make_folder(part.parent)
    transfer = _Transfer(url, part, largest, started, limits)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            transfer.attempt()
            return Fetched(part, transfer.resumed)
        except _TryAgain as problem:
            last = problem
        except OSError as error:
            raise CannotWrite(f"cannot write {part}: {error.strerror or error}") from error
        seconds = FIRST_PAUSE * 2 ** (attempt - 1)
        if attempt == ATTEMPTS or time.monotonic() + seconds > transfer.ends:
            break
        note(f"{_host(url)}: {last}. Trying again in {seconds:.0f} s (attempt {attempt + 1} of {ATTEMPTS}).")
        pause(seconds)
    raise DownloadFailed(f"{_short(url)}: {last}; tried {attempt} time{'s' if attempt > 1 else ''}")


def _host(url: str) -> str:
    """Return `example.org` for `https://example.org/a.zip`."""
    return _short(urlsplit(url).netloc)


def _short(text: str) -> str:
    """Return a text from outside as one short line of printable characters."""
    text = " ".join(text[: 10 * LONGEST_WORDS].split())
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}..."


def _words(error: Exception) -> str:
    """Return what went wrong, without the number of the system's error."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError) and not isinstance(reason, TooSlow):
        return "timed out"  # ssl names its own source file
    if isinstance(reason, http.client.BadStatusLine) and not isinstance(reason, http.client.RemoteDisconnected):
        return f"answers in no HTTP: {_short(str(reason))}"
    return _short(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__)


class _TryAgain(Exception):
    """A failure of the network that may pass."""


class _Transfer:
    def __init__(
        self, url: str, part: Path, largest: int, started: Callable[[int, int], Advance], limits: Limits
    ) -> None:
        self.url, self.part, self.largest, self.started, self.limits = url, part, largest, started, limits
        self.ends = time.monotonic() + limits.whole
        self.advance: Advance | None = None
        self.furthest = 0  # bytes that progress has counted
        self.resumed = False

    def attempt(self) -> None:
        """Download what is missing. Raises _TryAgain if the network fails, OSError if the disk does."""
        there = self._kept()
        watch = Watch(self.limits, self.ends)
        answer = self._open(there, watch)
        if answer is None:
            self.resumed = True
            return
        with answer:
            there, total = self._extent(answer, there)
            self._check_size(total or 0)
            if self.advance is None:
                self.advance = self.started(total or 0, there)
                self.furthest = there
            self.resumed = there > 0
            watch.begin_file()
            with open_unlinked(self.part, "ab" if there else "wb") as file:
                while chunk := self._read(answer):
                    watch.gain(len(chunk))
                    there += len(chunk)
                    self._check_size(there)
                    file.write(chunk)
                    self.advance(max(0, there - self.furthest))
                    self.furthest = max(self.furthest, there)
        if total is not None and there > total:
            self._drop(f"sends more than the {total:,} bytes that it tells of")
        if total is not None and there < total:
            raise _TryAgain(f"broke off after {there:,} of {total:,} bytes")

    def _kept(self) -> int:
        """Return the bytes that are here. Raises CannotWrite for a link or whatever else is no file of our own."""
        if not os.path.lexists(self.part):
            return 0
        with open_unlinked(self.part, "ab") as file:
            there = os.fstat(file.fileno()).st_size
        if there > self.largest:
            self.part.unlink()
            return 0
        return there

    def _check_size(self, size: int) -> None:
        if size > self.largest:
            self.part.unlink(missing_ok=True)
            raise DownloadFailed(
                f"{_short(self.url)} has {size:,} bytes or more, above the {self.largest:,} it may have",
                "Something else lies there now.",
            )

    def _drop(self, why: str) -> NoReturn:
        """Remove the part, so that the next attempt asks for the whole file."""
        self.part.unlink(missing_ok=True)
        raise _TryAgain(why)

    def _extent(self, answer: http.client.HTTPResponse, there: int) -> tuple[int, int | None]:
        """Return the offset in the file at which the answer's bytes belong, and the file's size if it is told.

        there: the offset that was asked for
        """
        length = self._length(answer)
        if answer.status == http.client.OK:
            return 0, length  # the whole file, even if less was asked for
        if answer.status != http.client.PARTIAL_CONTENT:
            raise DownloadFailed(f"{_short(self.url)} answers {answer.status} {_short(answer.reason)}")
        told = RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        if told:
            first, last, total = map(int, told.groups())
            if first == there > 0 and last == total - 1 >= first and length in (None, total - first):
                return first, total
        self._drop("sends another part of the file than was asked for")

    def _length(self, answer: http.client.HTTPResponse) -> int | None:
        """Return the bytes that the answer has by its own word. Raises DownloadFailed if it can't be taken at it."""
        encodings = [text for name in ("Content-Encoding", "Transfer-Encoding") for text in _all(answer, name)]
        if any(encoding not in ("identity", "chunked") for encoding in encodings):
            raise DownloadFailed(f"{_short(self.url)} comes as {_short(', '.join(encodings))}, which was not asked for")
        lengths = set(_all(answer, "Content-Length"))
        if answer.chunked or not lengths:
            return None
        if len(lengths) > 1 or not SIZE.fullmatch(min(lengths)):
            told = _short(", ".join(sorted(lengths)))
            raise DownloadFailed(f"{_short(self.url)} tells no proper size (Content-Length: {told})")
        return int(min(lengths))

    def _open(self, there: int, watch: Watch) -> http.client.HTTPResponse | None:
        """Ask for the bytes from `there` on. Return the answer, or None if the part is whole already."""
        try:
            return _ask(self.url, there, watch)
        except urllib.error.HTTPError as error:
            error.close()
            told = f"answers {error.code} {_short(str(error.reason))}".strip()
            if there and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                if error.headers.get("Content-Range") == f"bytes */{there}":
                    return None
                self._drop(told)  # longer than the file on the server
            if error.code not in PASSING_STATUS:
                raise DownloadFailed(f"{_short(self.url)} {told}") from error
            raise _TryAgain(told) from error
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgain(_words(error)) from error
        except ValueError as error:  # how Python refuses an address, of a redirect or of a proxy
            raise DownloadFailed(f"{_short(self.url)} leads to no address: {_words(error)}") from error

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read1(CHUNK)  # what has come; `read` would lose it when a limit is passed
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgain(_words(error)) from error


def _all(answer: http.client.HTTPResponse, name: str) -> list[str]:
    return [text.strip().lower() for text in answer.headers.get_all(name, [])]


def _ask(url: str, there: int, watch: Watch) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"omnitwin/{__version__}", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
    opener = urllib.request.build_opener(_CheckedRedirects, WatchedHandler(watch))
    answer: http.client.HTTPResponse = opener.open(urllib.request.Request(url, headers=headers))
    return answer
