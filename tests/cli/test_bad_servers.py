"""Servers that do everything wrong: `omnitwin download` ends within its limits with one line, and recovers after each.

Each way is played by a real server that need not speak HTTP. Then the same address serves what it should, and the
same command must bring the right files, whatever the bad one left behind.
"""

import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from local_server import Line, Play, RawServer, playing

from omnitwin.config import SourceConfig
from omnitwin.data import acquire, omniglot
from omnitwin.errors import OmnitwinError
from omnitwin.system.exchange import Limits
from omnitwin.system.fetch import fetch, part_path

STEMS = {"images_background": "training", "images_evaluation": "test", "all_runs": "official runs"}
FIRST = "images_background.zip"  # that the command asks for
LARGEST = 1 << 20  # bytes that a zip may have here
CALM = Limits()  # for ways that are refused whenever they come
# For ways that would take for ever. `whole` is below the first pause: one attempt, the others are tested in test_fetch.
STRICT = Limits(silence=0.15, answer=0.2, window=0.2, least=4_000, whole=0.9)
SLACK = 5.0  # seconds that a busy machine may add
LONGEST_LINE = 700  # characters
MEMORY = 64 << 20  # bytes that a download may add to what the process had at most
OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = f"{OK}Transfer-Encoding: chunked\r\n\r\n"
WRONG_PART = "sends another part of the file than was asked for"
NO_SIZE = "tells no proper size"


@dataclass(frozen=True, kw_only=True)
class Way:
    """play: what the server does, given the right file, too. says: in the line on stderr; empty: the download succeeds.

    left: the part that an earlier download left, made of the right file
    """

    play: Callable[[Line, bytes], None]
    says: str
    limits: Limits = CALM
    left: Callable[[bytes], bytes] | None = None
    early: bool = False
    tls: bool = False


def sends(text: str, then: str = "close") -> Callable[[Line, bytes], None]:
    """Send a text and close; or `wait`, or `reset`."""

    def play(line: Line, body: bytes) -> None:
        line.send(text)
        if then == "wait":
            line.wait()
        elif then == "reset":
            line.reset()

    return play


def drips(text: str, before: str = "") -> Callable[[Line, bytes], None]:
    def play(line: Line, body: bytes) -> None:
        line.send(before)
        while True:
            line.drip(text)

    return play


def floods(text: str, before: str = "") -> Callable[[Line, bytes], None]:
    def play(line: Line, body: bytes) -> None:
        line.send(before)
        line.flood(text)

    return play


def redirects(place: str, then: str = "close") -> Callable[[Line, bytes], None]:
    return sends(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n", then)


def answers(headers: str, before: bytes = b"", after: bytes = b"", *, status: str = "200 OK") -> Callable[..., None]:
    """Send the right file under these headers; LENGTH stands for its bytes."""

    def play(line: Line, body: bytes) -> None:
        line.send(f"HTTP/1.1 {status}\r\n{headers.replace('LENGTH', str(len(body)))}\r\n")
        line.send(before + body + after)

    return play


def part(told: str, body: Callable[[bytes], bytes] = lambda whole: whole[len(whole) // 2 :]) -> Callable[..., None]:
    """Send a 206 with this Content-Range. START, LAST and TOTAL stand for what is right after half of the file."""

    def play(line: Line, whole: bytes) -> None:
        numbers = {"START": len(whole) // 2, "LAST": len(whole) - 1, "TOTAL": len(whole)}
        text = told
        for name, number in numbers.items():
            text = text.replace(name, str(number))
        line.send(f"HTTP/1.1 206 Partial Content\r\n{text}\r\n")
        line.send(body(whole))

    return play


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def wrong_half(body: bytes) -> bytes:
    return b"x" * (len(body) // 2)


def hops(line: Line, body: bytes) -> None:
    line.drip("HTTP/1.1 302 F\r\n", every=0.004)
    line.send(f"Location: /{time.monotonic_ns()}\r\n\r\n")


def hop_with_endless_body(line: Line, body: bytes) -> None:
    if line.path.startswith("/moved"):
        return serve_well(line, body)
    line.send(f"HTTP/1.1 302 Found\r\nLocation: /moved{line.path}\r\n\r\n")
    line.flood("x")


def always_onward(line: Line, body: bytes) -> None:
    redirects(f"/{time.monotonic_ns()}")(line, body)


def to_and_fro(line: Line, body: bytes) -> None:
    redirects("/b" if line.path == "/a" else "/a")(line, body)


def broken_after(share: float, then: str = "close") -> Callable[[Line, bytes], None]:
    def play(line: Line, body: bytes) -> None:
        line.send(f"{OK}Content-Length: {len(body)}\r\n\r\n")
        line.send(body[: int(share * len(body))])
        if then == "wait":
            line.wait()
        elif then == "reset":
            time.sleep(0.02)
            line.reset()
        elif then == "drip":
            line.drip(body[int(share * len(body)) :])

    return play


def tiny_chunks(line: Line, body: bytes) -> None:
    line.send(CHUNKED)
    for start in range(0, len(body), 50):
        piece = body[start : start + 50]
        line.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    line.send("0\r\n\r\n")


def both_lengths(line: Line, body: bytes) -> None:
    line.send(f"{OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
    line.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))


def chunks_that_end_early(line: Line, body: bytes) -> None:
    line.send(CHUNKED)
    line.send(b"%x\r\n%b" % (len(body), half(body)))


def keeps_open(line: Line, body: bytes) -> None:
    line.send(f"{OK}Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n")
    line.send(body)
    line.wait()


def serve_well(line: Line, body: bytes) -> None:
    start = line.first_byte
    if start >= len(body) > 0:
        line.send(f"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{len(body)}\r\n\r\n")
    elif start:
        told = f"bytes {start}-{len(body) - 1}/{len(body)}"
        line.send(
            f"HTTP/1.1 206 Partial Content\r\nContent-Range: {told}\r\nContent-Length: {len(body) - start}\r\n\r\n"
        )
        line.send(body[start:])
    else:
        line.send(f"{OK}Content-Length: {len(body)}\r\n\r\n")
        line.send(body)


def slow(play: Callable[[Line, bytes], None], **more: bool) -> Way:
    return Way(play=play, says="too slow|timed out", limits=STRICT, **more)


def resuming(play: Callable[[Line, bytes], None], says: str = WRONG_PART) -> Way:
    return Way(play=play, says=says, left=half)


def length(told: str) -> Way:
    return Way(play=answers(f"Content-Length: {told}\r\n"), says=NO_SIZE)


def refusal(play: Callable[[Line, bytes], None], says: str) -> Way:
    return Way(play=play, says=says)


DIGITS = "9" * 5_000
CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
WAYS = {
    # Never an answer
    "silence after the connection": slow(sends("", "wait")),
    "100 Continue without end": refusal(floods(CONTINUE), "sends more than 1,048,576 bytes that are not of the file"),
    "100 Continue without end, dripped": slow(drips(CONTINUE)),
    "100 Continue, its header without end": refusal(floods("a" * 99, "HTTP/1.1 100 Continue\r\nA: "), "header line"),
    "status line dripped": slow(drips("HTTP/1.1 200 " + "O" * 99)),
    "status line without end": refusal(floods("a", "HTTP/1.1 200 "), "status line"),
    "headers dripped": slow(drips("A: b\r\n", OK)),
    "headers without end": refusal(floods("A: b\r\n", OK), "more than 100 headers"),
    "long headers without end": refusal(floods(f"A: {'b' * 60_000}\r\n", OK), "sends more than"),
    "header without end": refusal(floods("b", f"{OK}A: "), "header line"),
    "TLS handshake of silence": slow(sends("", "wait"), tls=True),
    "TLS handshake dripped": slow(drips("\x16\x03\x03\x3f\xff\x02"), tls=True),
    "HTTP in answer to TLS": Way(play=sends(f"{OK}\r\n"), says="SSL", tls=True),
    # A body without end, or too slow
    "body dripped": slow(broken_after(0, "drip")),
    "body of no told length dripped": slow(drips("x", f"{OK}\r\n")),
    "half a body, then dripped": slow(broken_after(0.5, "drip")),
    "half a body, then silence": slow(broken_after(0.5, "wait")),
    "chunks of a byte dripped": slow(drips("1\r\nx\r\n", CHUNKED)),
    "chunk extension without end": refusal(floods("x", f"{CHUNKED}1;a="), "chunk size"),
    "long chunk extensions": refusal(floods(f"1;{'a' * 60_000}\r\nx\r\n", CHUNKED), "sends more than"),
    "trailers without end": refusal(floods("A: b\r\n", f"{CHUNKED}1\r\nx\r\n0\r\n"), "sends more than"),
    "trailers dripped": slow(drips("A: b\r\n", f"{CHUNKED}1\r\nx\r\n0\r\n")),
    "body without end": refusal(floods("x", f"{OK}\r\n"), "above the 1,048,576 it may have"),
    "chunks without end": refusal(floods("400\r\n" + "x" * 1024 + "\r\n", CHUNKED), "above the 1,048,576"),
    "body told too large": refusal(sends(f"{OK}Content-Length: 2000000\r\n\r\n", "wait"), "2,000,000 bytes or more"),
    **{
        f"{status} with a body without end": refusal(floods("x", f"HTTP/1.1 {status} No\r\n\r\n"), f"answers {status}")
        for status in (401, 404, 407, 416, 503)
    },
    # Part of a file
    "part from another byte": resuming(part("Content-Range: bytes 7-LAST/TOTAL\r\n")),
    "part that overlaps": resuming(part("Content-Range: bytes 0-LAST/TOTAL\r\n", lambda whole: whole)),
    "part to another byte": resuming(part("Content-Range: bytes START-START/TOTAL\r\n")),
    "part of another total": resuming(part("Content-Range: bytes START-LAST/9999999\r\n")),
    "part of a nonsensical range": resuming(part("Content-Range: bytes START-7/8\r\n")),
    "part of no range": resuming(part("")),
    "part of a garbled range": resuming(part(f"Content-Range: bytes {DIGITS}-[red]/*\r\n")),
    "part of an unsatisfied range": resuming(part("Content-Range: bytes */TOTAL\r\n")),
    "part of another length": resuming(part("Content-Range: bytes START-LAST/TOTAL\r\nContent-Length: 5\r\n")),
    "part longer than told": resuming(
        part("Content-Range: bytes START-LAST/TOTAL\r\n", lambda whole: whole), f"sends more than the|{WRONG_PART}"
    ),
    "several parts": resuming(part("Content-Type: multipart/byteranges; boundary=x\r\n", lambda whole: b"--x\r\n")),
    "part not asked for": refusal(part("Content-Range: bytes 0-LAST/TOTAL\r\n", lambda whole: whole), WRONG_PART),
    "no part, but another file's size": resuming(
        sends("HTTP/1.1 416 No\r\nContent-Range: bytes */7\r\n\r\n"), "answers 416"
    ),
    "the whole instead of the part": resuming(answers("Content-Length: LENGTH\r\n"), ""),
    # A size
    "length of 5,000 digits": length(DIGITS),
    "length below zero": length("-5"),
    "length with an underscore": length("1_000"),
    "length with a sign": length("+1000"),
    "length in superscript": length("\xb2"),
    "two lengths": length("5\r\nContent-Length: 6"),
    "length and chunks": refusal(both_lengths, ""),
    "body shorter than its length": refusal(broken_after(0.5), "broke off after [0-9,]+ of [0-9,]+ bytes"),
    "body longer than its length": refusal(answers("Content-Length: LENGTH\r\n", after=b"more"), ""),
    "length that cuts the body": refusal(answers("Content-Length: 100\r\n"), "nothing was kept"),
    "body of no told length cut": refusal(sends(f"{OK}\r\nPK"), "nothing was kept"),
    "chunks that end early": refusal(chunks_that_end_early, "IncompleteRead"),
    "chunk of a negative size": refusal(sends(f"{CHUNKED}-5\r\nhello"), "IncompleteRead"),
    "chunk of no size": refusal(sends(f"{CHUNKED}[red]\r\nhello"), "IncompleteRead"),
    "tiny chunks": refusal(tiny_chunks, ""),
    "gzip unasked": refusal(answers("Content-Encoding: gzip\r\n"), "comes as gzip, which was not asked for"),
    "gzip in chunks unasked": refusal(answers("Transfer-Encoding: gzip, chunked\r\n"), "comes as gzip, chunked"),
    # Not HTTP
    "HTTP/0.9": refusal(sends("<html>"), "<html>"),
    "garbage": refusal(sends("\x00\x1b[31m[red]\xff\r\n\r\n"), "red"),
    "HTTP of the future": refusal(sends("HTTP/9.9 200 OK\r\n\r\n"), "HTTP/9.9"),
    "status of 5,000 digits": refusal(sends(f"HTTP/1.1 {DIGITS} OK\r\n\r\n"), "HTTP/1.1 999"),
    **{
        f"status {status}": refusal(sends(f"HTTP/1.1 {status} What\r\n\r\n"), f"answers {status} What")
        for status in (103, 204, 207, 299, 304, 999)
    },
    "markup and escapes for a reason": refusal(
        sends("HTTP/1.1 404 [red]\x1b[1m\x00No[/red]\r\n\r\n"), r"answers 404 \[red\]\\x1b\[1m\\x00No\[/red\]"
    ),
    "reason of 60,000 letters": refusal(sends(f"HTTP/1.1 404 {'no ' * 20_000}\r\n\r\n"), "answers 404 no no"),
    "control characters in headers": refusal(answers("A\x00: \x1b\x07\r\nContent-Length: LENGTH\r\n"), ""),
    "closed at once": refusal(sends(""), "closed connection"),
    "reset at once": refusal(sends("", "reset"), "reset|closed connection"),
    "reset amid the headers": refusal(sends(f"{OK}Content-Le", "reset"), "reset|nothing was kept"),
    "reset amid the body": refusal(broken_after(0.5, "reset"), "reset"),
    "answer before the question": Way(play=sends(f"{OK}Content-Length: 2\r\n\r\nPK"), says="reset|kept", early=True),
    "connection kept after the body": refusal(keeps_open, ""),
    # Redirects
    "redirect to itself": refusal(redirects(f"/{FIRST}"), "infinite loop"),
    "redirect to and fro": refusal(to_and_fro, "infinite loop"),
    "redirects without end": refusal(always_onward, "infinite loop"),
    "redirects, each dripped": slow(hops),
    "redirect with a body without end": refusal(hop_with_endless_body, ""),
    "redirect to nowhere": refusal(redirects(""), "infinite loop"),
    "redirect without a place": refusal(sends("HTTP/1.1 302 Found\r\n\r\n"), "answers 302"),
    "redirect to a broken IPv6": refusal(redirects("http://[::1"), "leads to no address: Invalid IPv6"),
    "redirect to markup": refusal(redirects("http://[red]/"), "leads to no address"),
    "redirect to a port of letters": refusal(redirects("http://127.0.0.1:red/"), "no address"),
    "redirect to port 99999": refusal(redirects("http://127.0.0.1:99999/"), "no address"),
    "redirect to a port where nobody is": refusal(redirects("http://127.0.0.1:1/"), "refused"),
    "redirect to a file": refusal(redirects("file:///etc/hostname"), "not allowed"),
    "redirect to data": refusal(redirects("data:text/plain,PK"), "not allowed"),
    "redirect to ftp": refusal(redirects("ftp://127.0.0.1/a.zip"), "not https"),
    "redirect to another machine": refusal(redirects("http://example.org/"), "not https"),
    "redirect with a password": refusal(redirects("http://user:password@127.0.0.1/"), "no address"),
    "redirect up": refusal(redirects("../" * 9), "infinite loop"),
    "redirect to a megabyte": refusal(redirects("/" + "a" * (1 << 20)), "header line"),
    "redirect to 60,000 letters": refusal(redirects("/" + "a" * 60_000), "no address"),
    "redirect to control characters": refusal(redirects("http://127.0.0.1\x1b[31m\x00/"), "no address|not https"),
    "redirect to a label too long": refusal(redirects(f"https://{'a' * 70}.example/"), "leads to no address"),
    # What an earlier download left
    "another file's half": Way(play=serve_well, says="", left=wrong_half),
    "another file of the same size": Way(play=serve_well, says="", left=lambda body: b"x" * len(body)),
    "a longer file": Way(play=serve_well, says="", left=lambda body: body + b"more"),
    "a file above the largest size": Way(play=serve_well, says="", left=lambda body: body + bytes(LARGEST)),
}  # fmt: skip

THROUGH_THE_COMMAND = {
    "100 Continue without end",
    "headers dripped",
    "half a body, then dripped",
    "part from another byte",
    "length of 5,000 digits",
    "markup and escapes for a reason",
    "redirect to a broken IPv6",
    "redirect to markup",
    "another file's half",
}


@pytest.fixture
def server() -> Iterator[RawServer]:
    with playing(lambda line: None) as server:
        yield server


@pytest.fixture
def well(fake_omniglot) -> Play:
    """What a server does that is as it should be."""

    def play(line: Line) -> None:
        serve_well(line, body_of(fake_omniglot, line.path))

    return play


def body_of(fake_omniglot, path):
    stem = path.rpartition("/")[2].removesuffix(".zip")
    return fake_omniglot.zip_of(STEMS.get(stem, "training")).read_bytes()


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def peak_memory():
    """Return the most bytes that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def download_within(limits, monkeypatch):
    monkeypatch.setattr(acquire, "fetch", partial(fetch, limits=limits, pause=lambda seconds: None))


def through_the_library(run, url):
    """Return the exit code that the command line would give, and its line on stderr."""
    try:
        acquire.open_omniglot("training", SourceConfig(source=url))
    except OmnitwinError as error:
        return error.exit_code, error.line()
    return 0, ""


def through_the_command(run, url):
    outcome = run("download", "--from", url, "--quiet")
    return outcome.code, outcome.complaint() if outcome.code else outcome.out + outcome.err


def cases():
    """Every way through the library, which fetches one zip, and through the command, which fetches three."""
    for name in WAYS:
        yield pytest.param(name, through_the_library, id=f"{name}-library")
        marks = () if name in THROUGH_THE_COMMAND else pytest.mark.slow
        yield pytest.param(name, through_the_command, id=f"{name}-command", marks=marks)


@pytest.mark.parametrize(("name", "through"), [*cases()])
def test_every_way_ends_within_its_limit_with_one_line_and_the_same_call_recovers(
    name, through, run, server, well, fake_omniglot, home, monkeypatch
):
    way = WAYS[name]
    monkeypatch.setattr(omniglot, "LARGEST_ZIP", LARGEST)
    server.early = way.early
    server.play = lambda line: way.play(line, body_of(fake_omniglot, line.path))
    url = server.url.replace("http:", "https:") if way.tls else server.url
    cache = home / "cache" / "omniglot-py"
    part = part_path(f"{url}/{FIRST}", cache / FIRST)
    if way.left:
        cache.mkdir(parents=True)
        part.write_bytes(way.left(fake_omniglot.zip_of("training").read_bytes()))

    download_within(way.limits, monkeypatch)
    memory, start = peak_memory(), time.monotonic()
    code, line = through(run, url)
    assert time.monotonic() - start < STRICT.answer + STRICT.window + 2 * STRICT.silence + SLACK
    assert peak_memory() - memory < MEMORY
    stems = ["images_background"] if through is through_the_library else STEMS
    files = {f"cache/omniglot-py/{stem}{end}" for stem in stems for end in (".zip", ".safetensors")}
    parts = {part.relative_to(home).as_posix()}
    if way.says:
        assert code == 3, line
        assert re.search(way.says, line), line
        assert line.isprintable()
        assert len(line) < LONGEST_LINE
        assert files_below(home) <= parts
    else:
        assert (code, line) == (0, "")
        assert files_below(home) == files

    server.early, server.play = False, well
    download_within(CALM, monkeypatch)
    assert through(run, server.url) == (0, "")
    assert files_below(home) - (parts if way.tls else set()) == files
    for stem in stems:
        assert (cache / f"{stem}.zip").read_bytes() == fake_omniglot.zip_of(STEMS[stem]).read_bytes()


def test_ctrl_c_while_a_server_drips_ends_at_once_and_what_has_come_is_kept(run, server, well, fake_omniglot, home):
    body = fake_omniglot.zip_of("training").read_bytes()

    def play(line):
        line.send(f"{OK}Content-Length: {len(body)}\r\n\r\n")
        line.send(half(body))
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        line.wait()

    server.play, start = play, time.monotonic()
    outcome = run("download", "--from", server.url, "--quiet")
    assert time.monotonic() - start < SLACK
    assert outcome.code == 130
    assert outcome.complaint() == "omnitwin: interrupted."
    [part] = (home / "cache" / "omniglot-py").glob("*.part")
    assert part.read_bytes() == half(body)
    server.play = well
    assert run("download", "--from", server.url, "--quiet").code == 0


@pytest.mark.parametrize(
    "address",
    ["http://[::1", "https://", "https://:443", "https://[red]/", "https://127.0.0.1:port/", "https://127.0.0.1:99999/",
     "https://user:password@127.0.0.1/", "https://user@127.0.0.1/", "https://b\u00fccher.example/", "https://a b/",
     "https://127.0.0.1/\x1b[31m", "https://127.0.0.1/" + "a" * 100_000, "http://127.0.0.1\\@example.org/",
     "http://127.0.0.1%2eexample.org", "://", "https:///a", "\udcff://"],
)  # fmt: skip
def test_an_address_that_is_none_is_bad_input_in_one_short_line(run, address, home):
    code, line = through_the_library(run, address)
    assert code == 2
    assert len(line) < LONGEST_LINE
    assert line.isprintable()
    assert files_below(home) == set()


def test_an_address_that_is_none_exits_2_as_an_option_and_as_a_variable(run, monkeypatch):
    line = "omnitwin: http://[::1/a.zip is not an address: Invalid IPv6 URL. Give a folder, a zip file or a base URL."
    as_option = run("download", "--from", "http://[::1")
    monkeypatch.setenv("OMNITWIN_MIRROR", "http://[::1")
    as_variable = run("download")
    assert as_option.code == as_variable.code == 2
    assert as_option.complaint() == as_variable.complaint() == line.replace("a.zip", FIRST)


@pytest.mark.parametrize("address", ["https://127.0.0.1:1/%zz%", "https://a..b/", f"https://{'a' * 64}.example/"])
def test_an_address_where_nothing_can_be_exits_3(run, address, monkeypatch):
    download_within(STRICT, monkeypatch)
    code, line = through_the_library(run, address)
    assert code == 3
    assert len(line) < LONGEST_LINE


@pytest.mark.parametrize(
    "proxy",
    ["http://127.0.0.1:1", "127.0.0.1:1", "http://", "://", ":", "http://[::1", "http://[red]:1", "http://127.0.0.1:port",
     "http://127.0.0.1:99999", "http://user:pa%ss@127.0.0.1:1", "socks5://127.0.0.1:1", "file:///etc/hostname",
     "http://127.0.0.1:1/\x1b[31m", "http://" + "a" * 1_000],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_broken_proxy_exits_3_in_one_short_line(run, proxy, scheme, server, well, monkeypatch):
    server.play = well
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    download_within(STRICT, monkeypatch)
    code, line = through_the_library(run, server.url.replace("http", scheme))
    assert code == 3
    assert len(line) < LONGEST_LINE


def test_a_proxy_that_answers_without_end_is_left_too(run, server, monkeypatch):
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.delenv("no_proxy")
    server.play = lambda line: (line.send(OK), line.flood("A: b\r\n"))
    outcome = download_within(STRICT, monkeypatch) or run("download", "--from", "https://example.org", "--quiet")
    assert outcome.code == 3
    assert re.search("sends more than|too slow", outcome.complaint())
