"""Server of the pages: address, socket, and end by a signal."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from migrator.errors import InputError
from migrator.inputs.settings.settings import Settings
from migrator.pages.accounts.app import AccountsPages
from migrator.pages.app import Pages
from migrator.pages.door.access import Access, read_token
from migrator.pages.door.connections import MOST_CONNECTIONS, Connection
from migrator.store import Store
from migrator.store.register import Register

__all__ = ["ListenAddress", "address_of", "config_of", "serve", "serve_accounts"]

LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Address to listen at."""

    host: str
    port: int

    @property
    def shown(self) -> str:
        """Address as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


def address_of(text: str) -> ListenAddress:
    """Parse HOST:PORT.

    Raises: InputError.
    """
    host, colon, port = text.strip().rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if is_bracketed else host
    is_port = port.isascii() and port.isdecimal() and len(port) <= len(str(LARGEST_PORT)) and int(port) <= LARGEST_PORT
    if not colon or not name or not is_port or (":" in name and not is_bracketed):
        raise InputError(
            f"--listen {text!r} is not HOST:PORT",
            code="bad_address",
            hint="such as 127.0.0.1:8787, [::1]:8787 or 0.0.0.0:8787; port 0 takes any free one",
        )
    return ListenAddress(name, int(port))


def serve(url: str, settings: Settings, listen: str, token_file: Path | None, tell: Callable[[str], None]) -> None:
    """Serve the pages of a store until a signal ends it.

    Args:
        url: of the store, which must be there and of this tool's schema.
        settings: of this installation.
        listen: HOST:PORT.
        token_file: with the token that is asked for; None for none, on loopback alone.
        tell: says the address, and what a person should know of it.

    Raises: InputError, for an address or a token that cannot be used, or where there is no store; StoreError, for a
        store of another schema.
    """
    with Store.look(url, account=settings.account) as store:
        place = store.place
    _serve(f"the store {place}", lambda access: Pages(url, settings, access), listen, token_file, tell)


def serve_accounts(
    url: str,
    settings_of: Callable[[str], Settings],
    listen: str,
    token_file: Path | None,
    tell: Callable[[str], None],
) -> None:
    """Serve the pages over all accounts until a signal ends it.

    Args:
        url: of the database.
        settings_of: returns the settings for an account.
        listen: as for `serve`.
        token_file: as for `serve`.
        tell: as for `serve`.

    Raises: InputError, as `serve`, or where there is no register; StoreError.
    """
    register = Register.find(url, writable=False)
    if register is None:
        raise InputError(
            "a database holds the stores of many accounts: none was named, and none is registered",
            code="account_needed",
            hint="name one: --account NAME (MIGRATOR_ACCOUNT); `migrator fleet init` makes a list of all, to be shown",
        )
    with register:
        place = register.place
    _serve(place, lambda access: AccountsPages(url, settings_of, access), listen, token_file, tell)


def _serve(
    what: str,
    pages_for: Callable[[Access], Pages | AccountsPages],
    listen: str,
    token_file: Path | None,
    tell: Callable[[str], None],
) -> None:
    with _listening(address_of(listen), token_file) as (listener, access, is_loopback):
        port = listener.getsockname()[1]
        tell(f"http://{access.host}:{port}/ shows {what}, and changes nothing; Ctrl-C ends it")
        if not is_loopback:
            tell("warning: this is plain HTTP, open to others: TLS belongs in front of it (docs/serve.md)")
        pages = pages_for(access)
        try:
            _Server(config_of(pages)).run(sockets=[listener])
        finally:
            pages.close()


@contextmanager
def _listening(address: ListenAddress, token_file: Path | None) -> Iterator[tuple[socket.socket, Access, bool]]:
    """Bind the address, and check who may look there.

    Raises: InputError, where the address cannot be used, or needs a token.
    """
    token = None if token_file is None else read_token(token_file)
    with _bound(address) as listener:
        is_loopback = ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback
        if token is None and not is_loopback:
            raise InputError(
                f"--listen {address.shown}:{address.port} is open to other machines, and asks for no token",
                code="no_token",
                hint="write one, (umask 077; openssl rand -hex 32 > token), give it --token-file token, and put TLS in "
                "front (docs/serve.md); or listen at 127.0.0.1",
            )
        yield listener, Access(address.shown, token), is_loopback


@contextmanager
def _bound(address: ListenAddress) -> Iterator[socket.socket]:
    try:
        (family, kind, protocol, _, place), *_ = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unusable(address, error) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
            listener.listen()  # from here on, who connects waits for us
        except OSError as error:
            raise _unusable(address, error) from error
        yield listener


def _unusable(address: ListenAddress, error: OSError) -> InputError:
    return InputError(
        f"{address.shown}:{address.port} cannot be listened at: {error.strerror}",
        code="port_taken",
        hint="choose another with --listen; port 0 takes any free one",
    )


def config_of(pages: ASGIApp, connection: type[Connection] = Connection) -> uvicorn.Config:
    """Return the settings of the server, with the bounds of each connection."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        pages,
        lifespan="off",
        log_level="critical",
        access_log=False,  # a search would stand in it
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=connection,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )


class _Server(uvicorn.Server):
    """Server that ends in good order by Ctrl-C or SIGTERM."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
