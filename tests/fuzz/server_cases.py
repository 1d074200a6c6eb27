"""Answers of a server, damaged in their headers, frames and order; and what an earlier download left."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from damage import HOSTILE_TEXTS, damage
from harness import Case, run_program
from local_server import Line, playing
from zip_cases import NAMES, fake_omniglot

from omnitwin.system.exchange import Limits
from omnitwin.system.fetch import part_path

LIMITS = Limits(silence=0.3, answer=0.5, window=0.5, least=2_000, whole=2.5)  # with the first pause: two attempts
SECONDS = 10.0  # for both downloads
NUMBERS = ("9" * 5_000, "-1", "+5", "1_000", "\xb2", "0", "5, 6", "", "1e3", "0x10", "18446744073709551616")
PLACES = ("http://[::1", "http://[red]/", "file:///etc/passwd", "data:,x", "http://u:p@127.0.0.1/", "", "/", "//",
          "//[", "http://127.0.0.1:1/", "http://127.0.0.1:99999/", "/" + "a" * 60_000, "https://a..b/")  # fmt: skip
LINES = ("HTTP/1.1 100 Continue\r\n\r\n", "Transfer-Encoding: chunked", "Content-Encoding: gzip", "A: " + "b" * 70_000,
         "A: b\r\n" * 200, " folded", "no colon", "\x00: \x1b[31m", "Content-Length: 7")  # fmt: skip


def server_case(random: Random, folder: Path) -> Case:
    """One of three zips comes in a damaged answer; the same command then finds a good server, and the left part."""
    fake, home = fake_omniglot(), Path(os.environ["OMNITWIN_HOME"])
    bodies = {f"/{fake.stem_of(name)}.zip": fake.zip_of(name).read_bytes() for name in NAMES}
    wrong = random.choice(sorted(bodies))
    answer, ending, pieces = (
        _answer(bodies[wrong], random),
        random.choice(("close", "close", "wait", "reset")),
        random.random(),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    words = ("download", "--quiet", "--from", url)
    if random.random() < 0.3:
        cache = home / "cache" / "omniglot-py"
        cache.mkdir(parents=True)
        left = random.choice((bodies[wrong][:999], b"x" * random.randint(1, 5000), bodies[wrong] + b"more"))
        part_path(url + wrong, cache / wrong[1:]).write_bytes(left)

    def play(line: Line) -> None:
        if line.path != wrong:
            return _serve_well(line, bodies)
        if pieces < 0.1:
            line.drip(answer[:50])
        line.send(answer[50:] if pieces < 0.1 else answer)
        if ending == "wait":
            line.wait()
        elif ending == "reset":
            time.sleep(0.01)
            line.reset()

    @contextmanager
    def within() -> Iterator[None]:
        with playing(play, listener) as server:
            yield
            cache = home / "cache" / "omniglot-py"
            taken = (cache / wrong[1:]).exists()  # a zip may be packed in another way, if its pixels are right
            server.play = lambda line: _serve_well(line, bodies)
            again = run_program(words)
            assert again.code == 0, again.err
            for path, body in bodies.items():
                assert (cache / path[1:]).with_suffix(".safetensors").exists()
                assert (path == wrong and taken) or (cache / path[1:]).read_bytes() == body

    return Case(words=words, codes=(0, 3), variables={"OMNITWIN_OFFLINE": ""}, within=within, seconds=SECONDS)


def _serve_well(line: Line, bodies: dict[str, bytes]) -> None:
    body, start = bodies.get(line.path, b""), line.first_byte
    if not body:
        line.send("HTTP/1.1 404 Not Found\r\n\r\n")
    elif start >= len(body):
        line.send(f"HTTP/1.1 416 No\r\nContent-Range: bytes */{len(body)}\r\n\r\n")
    else:
        told = (
            f"HTTP/1.1 206 Part\r\nContent-Range: bytes {start}-{len(body) - 1}/{len(body)}"
            if start
            else "HTTP/1.1 200 OK"
        )
        line.send(f"{told}\r\nContent-Length: {len(body) - start}\r\n\r\n")
        line.send(body[start:])


def _answer(body: bytes, random: Random) -> bytes:
    """Return a whole answer: mostly headers with a line or two changed, then the body, or part of it."""
    lines, framed = random.choice(KINDS)(body, random)
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        place = random.randrange(len(lines) + 1)
        what = random.randrange(4)
        if what == 0 and lines:
            del lines[place - 1]
        else:
            lines.insert(place, random.choice((*LINES, *HOSTILE_TEXTS)))
    head = "\r\n".join((*lines, "", "")).encode("latin-1", "replace")
    if random.random() < 0.2:
        head = damage(head, random)
    answer = head + framed
    return answer[: random.randrange(len(answer))] if random.random() < 0.1 else answer


def _whole(body: bytes, random: Random) -> tuple[list[str], bytes]:
    length = str(len(body)) if random.random() < 0.7 else random.choice(NUMBERS)
    return ["HTTP/1.1 200 OK", f"Content-Length: {length}"], body


def _chunked(body: bytes, random: Random) -> tuple[list[str], bytes]:
    size = random.randint(200, 4000)
    frames = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + size]), body[at : at + size]) for at in range(0, len(body), size)
    )
    if random.random() < 0.5:
        frames = damage(frames, random)
    return ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], frames + b"0\r\nA: b\r\n\r\n"


def _part(body: bytes, random: Random) -> tuple[list[str], bytes]:
    told = random.choice(
        (f"bytes 999-{len(body) - 1}/{len(body)}", f"bytes 7-{len(body) - 1}/{len(body)}", "bytes */7", "")
    )
    return ["HTTP/1.1 206 Partial Content", f"Content-Range: {told}"], body[999:]


def _redirect(body: bytes, random: Random) -> tuple[list[str], bytes]:
    place = random.choice((*PLACES, *HOSTILE_TEXTS))
    return [f"HTTP/1.1 {random.choice((301, 302, 303, 307, 308))} Moved", f"Location: {place}"], b"moved" * 99


def _refusal(body: bytes, random: Random) -> tuple[list[str], bytes]:
    status = random.choice(
        (*range(100, 104), 201, 204, 206, 300, 304, 401, 404, 407, 416, 429, 500, 503, 999, 1000, -1)
    )
    return [f"HTTP/1.1 {status} {random.choice(HOSTILE_TEXTS)}", "WWW-Authenticate: Basic realm=x"], body


def _garbage(body: bytes, random: Random) -> tuple[list[str], bytes]:
    return [random.choice(HOSTILE_TEXTS)], random.randbytes(random.randrange(5000))


KINDS: tuple[Callable[[bytes, Random], tuple[list[str], bytes]], ...] = (
    _whole, _whole, _whole, _chunked, _chunked, _part, _redirect, _refusal, _garbage
)  # fmt: skip
