"""Servers on this machine that are not the carriers: one with a certificate of its own, and a proxy."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["refusing_proxy", "untrusted"]

SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwYhxdUEe0lnLWkzL
6pDDNNX1PuLN4thhlhpPhHpo0dehRANCAASBWxF9bJrVmwScf/wJJ0Wb5sSsp+gl
3Pure8Vuu5UUlbBNbMFj6Mm/A6mx55/iJiCBESlBZrhqNFRP0tY3fV/K
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBoTCCAUegAwIBAgIUZOO4yEHbxSL1M8G8oXiwRtABOC0wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMY2Fycmllci50ZXN0MCAXDTI2MTEyOTE0MjkyM1oYDzIxMjYx
MTA1MTQyOTIzWjAXMRUwEwYDVQQDDAxjYXJyaWVyLnRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAASBWxF9bJrVmwScf/wJJ0Wb5sSsp+gl3Pure8Vuu5UUlbBN
bMFj6Mm/A6mx55/iJiCBESlBZrhqNFRP0tY3fV/Ko28wbTAdBgNVHQ4EFgQUOJoC
ZCeezbFJLUsfaXevUQUr+m4wHwYDVR0jBBgwFoAUOJoCZCeezbFJLUsfaXevUQUr
+m4wDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEw
CgYIKoZIzj0EAwIDSAAwRQIhAMZbk/5Tw+C7CuRRlYB8mxw9NeMPyfnEii/ZppTj
2FazAiA47gHRxRxZvYkJXLBPKkiVK4L+P/jiIqzTS5KfbuA+jw==
-----END CERTIFICATE-----
"""
"""A key that protects nothing, and its certificate for this machine, good for a hundred years."""


@contextmanager
def untrusted(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A carrier with a certificate of its own making. Yields: its address, and what it was sent, by connection."""
    (folder / "own.pem").write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    received: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        received.append(b"")
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as safe:
            received[-1] = safe.recv(1000)

    with _serving(answer) as port:
        yield f"https://127.0.0.1:{port}/api", received


@contextmanager
def refusing_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that refuses everybody. Yields: its address with a password, and what it was asked."""
    asked: list[str] = []

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(10_000).decode())
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with _serving(answer) as port:
        yield f"http://me:s3cret-word@127.0.0.1:{port}", asked


@contextmanager
def _serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Answer one connection after another in a thread. Yields: the port."""

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
