"""Download a file over https: with a largest size, resumed after a break, tried again after growing pauses.

http is allowed to this machine only.
"""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from omnitwin import __version__
from omnitwin.errors import BadInput, CannotWrite, DownloadFailed
from omnitwin.system.files import open_unlinked
from omnitwin.system.locks import make_folder

CHUNK = 1 << 16  # bytes read at a time
ATTEMPTS = 5
FIRST_PAUSE = 1.0  # seconds before the second attempt; doubled each time
TIMEOUT = 30.0  # seconds without a byte
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # HTTP status that may change at the next attempt
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


Advance = Callable[[int], None]


def check_url(url: str) -> None:
    """Raise BadInput unless an address is https (or http to this machine) and printable ASCII without spaces."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise BadInput(f"{url} is not an address: {error}", "Give a folder, a zip file or a base URL.") from error
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput(f"{url} is not an address", "Spell out spaces and letters that are not ASCII, such as %20.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise BadInput(f"{url} is not an https address", "Only https is fetched (and http from this machine itself).")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Refuse a redirect away from https, even to this machine: no other server may reach what listens here."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        try:
            check_url(newurl)
        except BadInput as error:
            raise DownloadFailed(f"{req.full_url} redirects to {newurl}, which is not https", "") from error
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise DownloadFailed(f"{req.full_url} redirects to {newurl}, away from https", "")
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
) -> Path:
    """Download url into the part file of target and return its path. The caller checks the file and moves it.

    largest: bytes that the file may have at most
    started: called once with the size in bytes (0 if unknown) and the bytes of an earlier attempt; returns a callable
    that takes the bytes of each advance
    pause: waits for a number of seconds
    note: called with a line before each wait: what failed, and when it is tried again

    Raises DownloadFailed after ATTEMPTS, or at once if another attempt cannot help; CannotWrite if the disk fails.
    """
    check_url(url)
    part = part_path(url, target)
    make_folder(part.parent)
    transfer = _Transfer(url, part, largest, started)
    last: _TryAgain | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            seconds = FIRST_PAUSE * 2 ** (attempt - 1)
            note(f"{_host(url)}: {last}. Trying again in {seconds:.0f} s (attempt {attempt + 1} of {ATTEMPTS}).")
            pause(seconds)
        try:
            transfer.attempt()
            return part
        except _TryAgain as problem:
            last = problem
        except OSError as error:
            raise CannotWrite(f"cannot write {part}: {error.strerror or error}") from error
    raise DownloadFailed(f"{url}: {last}; tried {ATTEMPTS} times")


def _host(url: str) -> str:
    """Return `example.org` for `https://example.org/a.zip`."""
    return urlsplit(url).netloc


def _words(error: Exception) -> str:
    """Return what went wrong, without the number of the system's error."""
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


class _TryAgain(Exception):
    """A failure of the network that may pass."""


class _Transfer:
    def __init__(self, url: str, part: Path, largest: int, started: Callable[[int, int], Advance]) -> None:
        self.url, self.part, self.largest, self.started = url, part, largest, started
        self.advance: Advance | None = None
        self.furthest = 0  # bytes that progress has counted

    def attempt(self) -> None:
        """Download what is missing. Raises _TryAgain if the network fails, OSError if the disk does."""
        there = self.part.lstat().st_size if os.path.lexists(self.part) else 0
        answer = self._open(there)
        if answer is None:
            return
        with answer:
            if there and answer.status != http.client.PARTIAL_CONTENT:
                there = 0  # the server sends the whole file again
            length = answer.headers.get("Content-Length") or ""
            total = there + int(length) if length.isdecimal() else None
            self._check_size(total or 0)
            if self.advance is None:
                self.advance = self.started(total or 0, there)
                self.furthest = there
            with open_unlinked(self.part, "ab" if there else "wb") as file:
                while chunk := self._read(answer):
                    there += len(chunk)
                    self._check_size(there)
                    file.write(chunk)
                    self.advance(max(0, there - self.furthest))
                    self.furthest = max(self.furthest, there)
        if total is not None and there < total:
            raise _TryAgain(f"broke off after {there:,} of {total:,} bytes")

    def _check_size(self, size: int) -> None:
        if size > self.largest:
            self.part.unlink(missing_ok=True)
            raise DownloadFailed(f"{self.url} has {size:,} bytes or more, above the {self.largest:,} it may have", "")

    def _open(self, there: int) -> Any:
        try:
            return _open(self.url, there)
        except urllib.error.HTTPError as error:
            error.close()
            if error.headers.get("Content-Range") == f"bytes */{there}":
                return None  # the part was whole already
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.part.unlink(missing_ok=True)  # longer than the file on the server: start again
            elif error.code not in PASSING_STATUS:
                raise DownloadFailed(f"{self.url} answers {error.code} {error.reason}") from error
            raise _TryAgain(f"answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgain(_words(error)) from error

    def _read(self, answer: Any) -> bytes:
        try:
            chunk: bytes = answer.read(CHUNK)
            return chunk
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgain(_words(error)) from error


def _open(url: str, there: int) -> Any:
    headers = {"User-Agent": f"omnitwin/{__version__}", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
    opener = urllib.request.build_opener(_CheckedRedirects)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
