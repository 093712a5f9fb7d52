"""A small HTTP server on loopback that notes what it gets and answers what a test wants."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, str, bytes]  # status, Content-Type, body


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Where it listens, and what it got."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def answering(
    answer: Callable[[Request], Answer] | Answer, *, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Answer each request; with `tls` by HTTPS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            server.requests.append(request)
            status, kind, said = answer(request) if callable(answer) else answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_PUT(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.handle_error = lambda *_: None  # callers that give up early are part of the tests
    if tls:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    port = http.server_address[1]
    server = Server(f"http{'s' if tls else ''}://127.0.0.1:{port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
