"""A receiver of notices on loopback that keeps what it gets."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Got", "Receiving", "receiving"]


@dataclass(frozen=True, slots=True)
class Got:
    """One POST."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiving:
    """What came, and how it is answered."""

    url: str = ""
    status: int = 200
    reply: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    waits_s: float = 0.0
    is_endless: bool = False
    got: list[Got] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiving]:
    """Run a receiver in a thread."""
    desk = Receiving()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            desk.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(desk.waits_s)
            try:
                self.send_response(desk.status)
                for name, value in desk.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(desk.reply)
                while desk.is_endless:
                    self.wfile.write(desk.reply * 1000)
            except OSError:
                pass  # nobody waits for it any more

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    desk.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/T0/hunter2"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield desk
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
