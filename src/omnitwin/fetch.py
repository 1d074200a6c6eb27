"""Download a file: capped, resumed where it broke off, tried again with back-off; https, or http to this machine."""

import hashlib
import http.client
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
from omnitwin.files import make_folder

CHUNK = 1 << 16  # bytes read at a time
ATTEMPTS = 5
FIRST_PAUSE = 1.0  # seconds before the second attempt; doubled each time
TIMEOUT = 30.0  # seconds without a byte
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # HTTP answers that another attempt may change
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def check_url(url: str) -> None:
    """BadInput for a scheme that is neither https nor, on this machine, http."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise BadInput(f"{url} is not an https address", "Only https is fetched (and http from this machine itself).")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def part_path(url: str, target: Path) -> Path:
    """Where a download of url waits until it is whole; another address never continues it."""
    return target.with_name(f"{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")


def fetch(
    url: str,
    target: Path,
    largest: int,
    started: Callable[[int, int], Callable[[int], None]],
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring url into the part file of target and return its path; the caller checks it and moves it.

    started(total, there) is told the size in bytes and what an earlier attempt left, and returns what is told each
    advance. Raises DownloadFailed after ATTEMPTS, or at once where another attempt cannot help.
    """
    check_url(url)
    part = part_path(url, target)
    make_folder(part.parent)
    advance: Callable[[int], None] | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            there = part.stat().st_size if part.exists() else 0
            with _open(url, there) as answer:
                if there and answer.status != http.client.PARTIAL_CONTENT:
                    there = 0  # the server sends the whole file again
                total = there + int(answer.headers.get("Content-Length") or 0)
                if total > largest:
                    raise DownloadFailed(f"{url} has {total:,} bytes, more than the {largest:,} it may have", "")
                advance = advance or started(total, there)
                with part.open("ab" if there else "wb") as file:
                    while chunk := answer.read(CHUNK):
                        there += len(chunk)
                        if there > largest:
                            raise DownloadFailed(f"{url} sends more than the {largest:,} bytes it may have", "")
                        file.write(chunk)
                        advance(len(chunk))
            if there >= total:
                return part
            problem = f"broke off after {there:,} of {total:,} bytes"
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)  # longer than what is there now: begin again
            elif error.code not in PASSING_STATUS:
                raise DownloadFailed(f"{url} answers {error.code} {error.reason}") from error
            problem = f"answers {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        except OSError as error:
            raise CannotWrite(f"cannot write {part}: {error.strerror or error}") from error
    raise DownloadFailed(f"{url}: {problem}; tried {ATTEMPTS} times")


def _open(url: str, there: int) -> Any:
    headers = {"User-Agent": f"omnitwin/{__version__}", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
    opener = urllib.request.build_opener(_CheckedRedirects)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
