import os
import random
import socket
import ssl
import sys
import time
from dataclasses import replace

import pytest
from local_server import Answer, playing

from omnitwin.errors import BadInput, CannotWrite, DownloadFailed, OmnitwinError
from omnitwin.system import fetch as fetch_module
from omnitwin.system.exchange import LIMITS, Limits, TooSlow, Watch, WatchedHandler
from omnitwin.system.fetch import fetch, part_path

BODY = random.Random(0).randbytes(300_000)
LARGEST = 1_000_000
BROKEN = Answer(body=BODY, honour_range=True, cut_after=150_000)
WHOLE = Answer(body=BODY, honour_range=True)


class Progress:
    """Remembers what fetch told, and its pauses instead of sleeping them."""

    def __init__(self):
        self.starts, self.advances, self.pauses, self.notes = [], [], [], []

    def started(self, total, there):
        self.starts.append((total, there))
        return self.advances.append


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def bring(tmp_path, progress):
    """bring(url) is fetch with a target, a cap and no waiting."""

    def call(url, largest=LARGEST, limits=LIMITS):
        target = tmp_path / "target.zip"
        told = (progress.started, progress.pauses.append, progress.notes.append)
        return fetch(url, target, largest, *told, limits).part

    return call


def test_a_whole_download_has_all_bytes_in_one_request(serve, bring, progress):
    server = serve([WHOLE])
    assert bring(f"{server.url}/a.zip").read_bytes() == BODY
    assert server.paths == ["/a.zip"]
    assert "range" not in server.requests[0].headers
    assert (progress.starts, sum(progress.advances), progress.pauses) == ([(len(BODY), 0)], len(BODY), [])


def test_the_target_itself_is_left_to_the_caller(serve, bring, tmp_path):
    part = bring(f"{serve([WHOLE]).url}/a.zip")
    assert list(tmp_path.iterdir()) == [part]
    assert part.suffix == ".part"


def test_the_server_is_told_which_program_asks_and_to_send_the_bytes_as_they_are(serve, bring):
    server = serve([WHOLE])
    bring(server.url)
    assert server.requests[0].headers["user-agent"].startswith("omnitwin/")
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_download_that_broke_off_continues_where_it_broke_off(serve, bring, progress):
    server = serve([BROKEN, WHOLE])
    assert bring(server.url).read_bytes() == BODY
    assert [request.headers.get("range") for request in server.requests] == [None, "bytes=150000-"]
    assert (progress.starts, sum(progress.advances)) == ([(len(BODY), 0)], len(BODY))


def test_a_later_call_continues_what_an_earlier_one_left(serve, bring, progress):
    server = serve([BROKEN, Answer(status=404), WHOLE])
    with pytest.raises(DownloadFailed):
        bring(server.url)
    assert bring(server.url).read_bytes() == BODY
    assert server.requests[-1].headers["range"] == "bytes=150000-"
    assert progress.starts[-1] == (len(BODY), 150_000)


def test_a_server_without_ranges_sends_all_again_and_nothing_is_doubled(serve, bring):
    server = serve([Answer(body=BODY, cut_after=150_000), Answer(body=BODY)])
    assert bring(server.url).read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_part_that_is_longer_than_the_file_is_begun_anew(serve, bring, tmp_path):
    server = serve([WHOLE])
    part_path(server.url, tmp_path / "target.zip").write_bytes(BODY + b"more")
    assert bring(server.url).read_bytes() == BODY
    assert [request.headers.get("range") for request in server.requests] == [f"bytes={len(BODY) + 4}-", None]


def test_another_address_never_continues_the_part(serve, bring):
    broken, other = serve([BROKEN, Answer(status=404)]), serve([Answer(body=b"other" * 100_000, honour_range=True)])
    with pytest.raises(DownloadFailed):
        bring(broken.url)
    assert bring(other.url).read_bytes() == b"other" * 100_000
    assert "range" not in other.requests[0].headers


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_answer_that_will_not_change_fails_at_once(serve, bring, progress, status):
    server = serve([Answer(status=status)])
    with pytest.raises(DownloadFailed, match=f"{server.url} answers {status}"):
        bring(server.url)
    assert (len(server.requests), progress.pauses) == (1, [])


def test_a_busy_server_is_asked_again_after_1_and_2_seconds(serve, bring, progress):
    server = serve([Answer(status=503), Answer(status=503), WHOLE])
    assert bring(server.url).read_bytes() == BODY
    assert (len(server.requests), progress.pauses) == (3, [1.0, 2.0])


def test_before_each_wait_it_is_said_what_failed_and_when_it_is_tried_again(serve, bring, progress):
    server = serve([Answer(status=503), Answer(status=503), WHOLE])
    bring(server.url)
    host = server.url.removeprefix("http://").split("/")[0]
    assert [note.partition(". ")[2] for note in progress.notes] == [
        "Trying again in 1 s (attempt 2 of 5).",
        "Trying again in 2 s (attempt 3 of 5).",
    ]
    assert all(note.startswith(f"{host}: answers 503 ") for note in progress.notes)


def test_a_download_that_succeeds_at_once_says_nothing_of_attempts(serve, bring, progress):
    bring(serve([WHOLE]).url)
    assert progress.notes == []


def test_it_gives_up_after_five_attempts_and_says_why(serve, bring, progress):
    server = serve([Answer(status=503)])
    with pytest.raises(DownloadFailed, match=r"answers 503 .*tried 5 times"):
        bring(server.url)
    assert (len(server.requests), progress.pauses) == (5, [1.0, 2.0, 4.0, 8.0])


def test_a_server_that_always_breaks_off_is_given_up_with_the_bytes_it_sent(serve, bring):
    server = serve([Answer(body=BODY, cut_after=1_000)])
    with pytest.raises(DownloadFailed, match="broke off after 1,000 of 300,000 bytes"):
        bring(server.url)


def test_a_server_that_is_not_there_is_asked_again(serve, bring, progress):
    with pytest.raises(DownloadFailed, match="tried 5 times"):
        bring("http://127.0.0.1:1/a.zip")
    assert len(progress.pauses) == 4


def test_a_file_announced_too_large_is_refused_before_a_byte_is_kept(serve, bring, tmp_path):
    server = serve([WHOLE])
    with pytest.raises(DownloadFailed, match="300,000 bytes or more, above the 299,999"):
        bring(server.url, largest=len(BODY) - 1)
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_just_the_largest_size_is_taken(serve, bring):
    assert bring(serve([WHOLE]).url, largest=len(BODY)).read_bytes() == BODY


def test_a_file_of_unannounced_size_is_taken_whole(serve, bring):
    assert bring(serve([Answer(body=BODY, tell_length=False)]).url).read_bytes() == BODY


def test_a_file_of_unannounced_size_is_cut_short_at_the_cap(serve, bring, tmp_path):
    server = serve([Answer(body=BODY, tell_length=False)])
    with pytest.raises(DownloadFailed, match="above the 200,000 it may have"):
        bring(server.url, largest=200_000)
    assert len(server.requests) == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200_000


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.zip",
        "http://127.0.0.1@example.org/a.zip",
        "http://127.0.0.1.example.org/a.zip",
        "file:///etc/hostname",
        "ftp://127.0.0.1/a.zip",
        "data:text/plain,a",
        "a.zip",
    ],
)
def test_an_address_that_is_not_https_nor_this_machine_is_refused_unasked(bring, tmp_path, url, monkeypatch):
    monkeypatch.setattr(fetch_module, "_ask", lambda *arguments: pytest.fail("it was asked"))
    with pytest.raises(BadInput, match="not an https address"):
        bring(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/a.zip", "http://example.org/a.zip"])
def test_a_redirect_to_what_would_be_refused_is_refused(serve, bring, tmp_path, place):
    server = serve([Answer(status=302, headers={"Location": place})])
    with pytest.raises(OmnitwinError):
        bring(server.url)
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_on_this_machine_is_followed(serve, bring):
    server = serve({"/new.zip": WHOLE, "/old.zip": Answer(status=302, headers={"Location": "/new.zip"})})
    assert bring(f"{server.url}/old.zip").read_bytes() == BODY
    assert server.paths == ["/old.zip", "/new.zip"]


def test_a_redirect_that_never_ends_fails(serve, bring):
    server = serve([Answer(status=302, headers={"Location": "/again"})])
    with pytest.raises(DownloadFailed):
        bring(server.url)


@pytest.mark.parametrize("failure", [ssl.SSLError(1, "decryption failed"), OSError(113, "No route to host")])
def test_a_connection_that_fails_while_reading_is_tried_again(serve, bring, monkeypatch, failure):
    server = serve([WHOLE])
    real_open, opened = fetch_module._ask, []

    def failing_once(url, there, watch):
        answer = real_open(url, there, watch)
        if not opened:
            monkeypatch.setattr(answer, "read1", lambda size: (_ for _ in ()).throw(failure), raising=True)
        opened.append(url)
        return answer

    monkeypatch.setattr(fetch_module, "_ask", failing_once)
    assert bring(server.url).read_bytes() == BODY
    assert len(opened) == 2


def test_an_address_that_is_no_address_is_bad_input(bring):
    with pytest.raises(BadInput):
        bring("https://[half/a.zip")


@pytest.mark.parametrize("length", ["many", "9" * 5_000, "-5", "+5", "1_000", "0x10", "5, 6", "\u00b2"])
def test_a_length_that_is_no_plain_number_is_refused_at_once(serve, bring, length, tmp_path):
    server = serve([Answer(body=BODY, tell_length=False, headers={"Content-Length": length})])
    with pytest.raises(DownloadFailed, match="tells no proper size"):
        bring(server.url)
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("told", ["", "bytes 7-299999/300000", "bytes 150000-299999/300001", "bytes */300000"])
def test_after_a_wrong_part_the_whole_file_is_asked_for(serve, bring, tmp_path, told):
    wrong = Answer(status=206, body=BODY[150_000:], headers={"Content-Range": told})
    server = serve([BROKEN, wrong, WHOLE])
    assert bring(server.url).read_bytes() == BODY
    assert [request.headers.get("range") for request in server.requests] == [None, "bytes=150000-", None]


@pytest.mark.parametrize(("answers", "resumed"), [([WHOLE], False), ([BROKEN, WHOLE], True)])
def test_the_caller_learns_whether_the_file_came_in_parts(serve, tmp_path, answers, resumed):
    fetched = fetch(serve(answers).url, tmp_path / "a.zip", LARGEST, Progress().started, lambda seconds: None)
    assert fetched.resumed is resumed


def test_a_whole_file_that_came_earlier_may_be_of_another_file(serve, tmp_path):
    server = serve([WHOLE, Answer(status=416, headers={"Content-Range": f"bytes */{len(BODY)}"})])
    first = fetch(server.url, tmp_path / "a.zip", LARGEST, Progress().started)
    second = fetch(server.url, tmp_path / "a.zip", LARGEST, Progress().started)
    assert (first.resumed, second.resumed) == (False, True)


def test_a_server_too_slow_is_given_up_after_five_attempts_and_what_came_is_kept(bring, progress):
    quick = replace(LIMITS, silence=0.1)
    with playing(lambda line: (line.send("HTTP/1.1 200 OK\r\n\r\nPK"), line.wait())) as server:
        start = time.monotonic()
        with pytest.raises(DownloadFailed, match=r"too slow: nothing for 0 s; tried 5 times"):
            bring(server.url, limits=quick)
        assert time.monotonic() - start < 5 * quick.silence + 5
    assert len(server.asked) == 5
    assert len(progress.pauses) == 4


def test_no_attempt_begins_after_the_time_for_the_whole(serve, bring, progress):
    server = serve([Answer(status=503)])
    with pytest.raises(DownloadFailed, match=r"answers 503 .*tried 2 times"):
        bring(server.url, limits=replace(LIMITS, whole=1.9))  # the pause before the third is of 2 seconds
    assert progress.pauses == [1.0]


def test_a_server_that_is_just_fast_enough_may_take_many_windows(bring):
    limits = Limits(silence=5, answer=5, window=1, least=10, whole=60)  # of 20 bytes in that time

    def play(line):
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
        line.drip(BODY[:50], every=0.05)

    with playing(play) as server:
        start = time.monotonic()
        assert bring(server.url, limits=limits).read_bytes() == BODY[:50]
        assert time.monotonic() - start > 2 * limits.window
    assert len(server.asked) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such queue")
def test_many_addresses_of_a_name_share_the_time_of_one(monkeypatch):
    """A place whose queue is full answers no connection; the name has 50 addresses, all of it."""
    resolve = socket.getaddrinfo
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        place = full.getsockname()
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(place)

        def resolving(host, *more, **how):
            return resolve("127.0.0.1", *more, **how) * (50 if host == "many" else 1)

        monkeypatch.setattr(socket, "getaddrinfo", resolving)
        start = time.monotonic()
        handler = WatchedHandler(Watch(Limits(silence=0.1, answer=0.3), start + 60))
        with pytest.raises(TooSlow, match="no answer"):
            handler._connect(("many", place[1]), None, None)
        assert time.monotonic() - start < 3


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_a_part_that_is_no_file_of_our_own_is_refused_before_anyone_is_asked(serve, bring, tmp_path, kind):
    """A server that calls the part whole (416) would else have its target read, moved or waited for."""
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine" / "mine.txt"
    mine.write_bytes(BODY)
    server = serve([Answer(status=416, headers={"Content-Range": f"bytes */{len(str(mine))}"})])
    part = part_path(server.url, tmp_path / "target.zip")
    make = {"link": part.symlink_to, "hard link": part.hardlink_to, "pipe": os.mkfifo, "folder": os.mkdir}
    make[kind](part if kind in ("pipe", "folder") else mine)
    with pytest.raises(CannotWrite):
        bring(server.url)
    assert server.requests == []
    assert mine.read_bytes() == BODY
