"""Real web servers on this machine that remember what they were asked: one plays a script, one need not speak HTTP."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer. cut_after: bytes of the body after which the connection is closed, None for all of them."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    tell_length: bool = True
    honour_range: bool = False
    cut_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    path: str
    headers: Mapping[str, str]  # names in lower case


@dataclass(frozen=True, kw_only=True)
class LocalServer:
    url: str
    requests: list[Request]

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


Script = Sequence[Answer] | Mapping[str, Answer]
Serve = Callable[[Script], LocalServer]


@contextmanager
def serving(script: Script) -> Iterator[LocalServer]:
    """Serve answers in order (the last one for ever), or by path with 404 for any other."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(
                Request(path=self.path, headers={name.lower(): value for name, value in self.headers.items()})
            )
            if isinstance(script, Mapping):
                answer = script.get(self.path, Answer(status=404))
            else:
                answer = script[min(len(requests), len(script)) - 1]
            self.play(answer)

        def play(self, answer: Answer) -> None:
            status, body = answer.status, answer.body
            wanted = self.headers.get("Range")
            if answer.honour_range and wanted:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                status = 206 if start < len(body) else 416
                body = body[start:]
            self.send_response(status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if status == 206 and answer.honour_range:
                self.send_header("Content-Range", f"bytes {start}-{len(answer.body) - 1}/{len(answer.body)}")
            if answer.tell_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: answer.cut_after])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield LocalServer(url=f"http://127.0.0.1:{server.server_port}", requests=requests)
        finally:
            server.shutdown()
            thread.join()


class Line:
    """A connection of a raw server: what a Play uses. Every method raises OSError once the client has gone."""

    def __init__(self, connection: socket.socket, path: str, first_byte: int) -> None:
        self.connection = connection
        self.path = path  # that was asked for
        self.first_byte = first_byte  # that was asked for by a Range; 0 without it

    def send(self, text: str | bytes) -> None:
        self.connection.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def drip(self, text: str | bytes, every: float = 0.02) -> None:
        """Send a byte at a time, with pauses in seconds."""
        for byte in text.encode("latin-1") if isinstance(text, str) else text:
            self.send(bytes([byte]))
            time.sleep(every)

    def flood(self, text: str | bytes) -> None:
        """Send the same text for ever."""
        many = (text.encode("latin-1") if isinstance(text, str) else text) * max(1, 4096 // len(text))
        while True:
            self.send(many)

    def wait(self) -> None:
        """Say nothing until the client has gone."""
        while self.connection.recv(1 << 16):
            pass

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Play = Callable[[Line], None]


@dataclass
class RawServer:
    """play: what it does with every connection; may be changed at any time. early: before it reads the request."""

    port: int
    play: Play
    early: bool = False
    asked: list[str] = field(default_factory=list)  # the paths, in order

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            request = b""
            while not self.early and b"\r\n\r\n" not in request:
                chunk = connection.recv(1 << 16)
                if not chunk:
                    return
                request += chunk
                if not request.startswith(b"GET "[: len(request)]):  # a TLS handshake
                    break
            words = request.decode("latin-1").split()
            start = re.search(r"^range: bytes=([0-9]+)-\r$", request.decode("latin-1"), re.IGNORECASE | re.MULTILINE)
            self.asked.append(words[1] if request.startswith(b"GET ") else "")
            self.play(Line(connection, self.asked[-1], int(start[1]) if start else 0))


@contextmanager
def playing(play: Play, listener: socket.socket | None = None) -> Iterator[RawServer]:
    """Serve bytes that need not be HTTP, each connection in a thread of its own."""
    with listener or socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(16) as pool:
        server, closing = RawServer(listener.getsockname()[1], play), list[bool]()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    if closing:
                        return connection.close()
                    pool.submit(server.serve, connection)

        accepting = pool.submit(accept)
        try:
            yield server
        finally:
            closing.append(True)
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port), 1).close()  # wakes it up
            accepting.result()
