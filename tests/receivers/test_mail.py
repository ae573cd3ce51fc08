"""Mail against a server on this machine: the message, and no word in the clear that should not be."""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from migrator.core.policy.outside import NoticeEvent
from migrator.receivers.mail import send_mail
from migrator.receivers.message import Message, NotDelivered
from tests.worlds.loopback import SELF_SIGNED

MESSAGE = Message.of("abc-7", NoticeEvent.STOPPED, 1_764_000_000.0, {"plan_id": "p1", "reason": "ä cap"}, detail=False)


@dataclass
class Post:
    """A mail server, and all that it was told."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    lines: list[bytes] = field(default_factory=list)
    mail: bytes = b""


@contextmanager
def post_office(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Post]:
    """Run a server that takes every mail."""
    post = Post(tls=tls)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            with suppress(OSError):
                self.talk()

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def talk(self) -> None:
            while line := self.rfile.readline():
                post.lines.append(line)
                word = line[:4].upper()
                if word == b"EHLO":
                    self.wfile.write(b"250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n" if post.tls else b"250 here\r\n")
                elif word == b"STAR" and post.tls is not None:
                    self.wfile.write(b"220 go\r\n")
                    self.connection = post.tls.wrap_socket(self.connection, server_side=True)
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
                elif word == b"DATA":
                    self.wfile.write(b"354 go\r\n")
                    while (part := self.rfile.readline()) != b".\r\n":
                        post.mail += part
                    self.wfile.write(b"250 ok\r\n")
                elif word == b"RCPT" and b"gone@" in line:
                    self.wfile.write(b"550 no such mailbox\r\n")
                else:
                    self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer((host, 0), Handler) as server:
        server.daemon_threads = True
        post.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield post
        server.shutdown()


def sent(
    post: Post,
    server: str = "127.0.0.1",
    password: str | None = None,
    recipients: tuple[str, ...] = ("a@example.com", "b@example.com"),
) -> None:
    send_mail(
        MESSAGE,
        server=server,
        port=post.port,
        sender="migrator@example.com",
        recipients=recipients,
        user=None if password is None else "me",
        password=password,
    )


def test_a_mail_has_its_number_and_is_told_to_be_automatic() -> None:
    with post_office() as post:
        sent(post)
    mail = message_from_bytes(post.mail, policy=default)
    assert (mail["Subject"], mail["From"]) == ("migrator: Stopped (p1)", "migrator@example.com")
    assert mail["To"] == "a@example.com, b@example.com"
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<abc-7@migrator.invalid>", "auto-generated")
    assert mail.get_content().splitlines() == ["ä cap.", "", "notice abc-7"]


def test_no_password_is_sent_in_the_clear() -> None:
    with post_office() as post, pytest.raises(NotDelivered, match="no password is sent without"):
        sent(post, password="s3cret")
    assert not any(line.upper().startswith(b"AUTH") for line in post.lines)


def test_another_machine_is_spoken_to_over_tls_alone() -> None:
    """127.0.0.2 is no name of this machine to us."""
    with post_office() as post:
        post_there = Post(port=post.port)
        with socketserver.TCPServer(("127.0.0.2", 0), _greeter(post_there)) as server:
            post_there.port = server.server_address[1]
            threading.Thread(target=server.handle_request, daemon=True).start()
            with pytest.raises(NotDelivered, match="the mail server offers no TLS"):
                sent(post_there, server="127.0.0.2")


def _greeter(post: Post) -> type[socketserver.StreamRequestHandler]:
    class Greeter(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 there\r\n")
            while line := self.rfile.readline():
                post.lines.append(line)
                self.wfile.write(b"250 there\r\n")

    return Greeter


def test_a_certificate_that_cannot_be_verified_ends_the_try(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text(SELF_SIGNED)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "own.pem")
    with post_office(tls) as post:
        with pytest.raises(NotDelivered, match="cannot be verified"):
            sent(post, password="s3cret")
        assert post.mail == b""
    with post_office(tls, "127.0.0.2") as post:  # no name of this machine to us
        with pytest.raises(NotDelivered, match="cannot be verified"):
            sent(post, server="127.0.0.2")
        assert post.mail == b""


def test_a_mail_without_a_password_goes_to_this_machine_whatever_its_certificate(tmp_path: Path) -> None:
    """A mail server as packages leave it has one that it signed itself; plain words would do here, too."""
    (tmp_path / "own.pem").write_text(SELF_SIGNED)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "own.pem")
    with post_office(tls) as post:
        sent(post)
    assert message_from_bytes(post.mail, policy=default)["Subject"] == "migrator: Stopped (p1)"
    assert b"STARTTLS\r\n" in post.lines


def test_a_mail_that_one_recipient_gets_is_not_sent_to_it_again_for_another() -> None:
    with post_office() as post:
        sent(post, recipients=("a@example.com", "gone@example.com"))
        with pytest.raises(NotDelivered, match="SMTPRecipientsRefused"):
            sent(post, recipients=("gone@example.com",))
