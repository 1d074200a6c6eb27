"""A real web server on this machine that plays a script of answers and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
            if status == 206:
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
