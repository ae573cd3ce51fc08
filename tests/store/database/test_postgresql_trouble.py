"""Trouble with PostgreSQL: a clear word each, nothing half done, and no password anywhere."""

import contextlib
import logging
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from migrator.errors import InputError, MigratorError, NotStorable, StoreBusy, StoreError, StoreLost
from migrator.store import Owner, Store
from migrator.store.database.postgresql.faults import connect_trouble, database_trouble
from tests.builders import pair
from tests.server import MISSING, Server, made, running, sql
from tests.store.store_kit import NOW, change, planned

pytestmark = pytest.mark.server
PASSWORD = "hunter2 &%"


@pytest.mark.parametrize(
    ("sqlstate", "kind", "code"),
    [
        ("55P03", StoreBusy, "store_busy"),
        ("40P01", StoreBusy, "store_busy"),
        ("40001", StoreBusy, "store_busy"),
        ("53100", StoreError, "store_full"),
        ("53300", StoreLost, "too_many_connections"),
        ("28P01", InputError, "login"),
        ("3D000", InputError, "no_database"),
        ("42501", InputError, "no_right"),
        ("25006", StoreLost, "standby"),
        ("08006", StoreLost, "store_lost"),
        ("57P01", StoreLost, "store_lost"),
        ("25P03", StoreLost, "store_lost"),
        ("42P01", StoreError, "store_gone"),
        ("42703", StoreError, "column_missing"),
        ("XX001", StoreError, "store_damaged"),
        ("22003", NotStorable, "not_storable"),
        ("23505", StoreError, "store"),
    ],
)
def test_each_code_of_postgresql_has_its_word(sqlstate: str, kind: type[MigratorError], code: str) -> None:
    error = psycopg.errors.lookup(sqlstate)("INSERT INTO secrets VALUES ('4711')")
    found = database_trouble(error, "account acme")
    assert (type(found), found.code) == (kind, code)
    assert "account acme" in found.message
    assert "4711" not in f"{found.message} {found.hint}"
    assert found.exit_code == {StoreLost: 7, StoreBusy: 9, InputError: 2}.get(kind, 1)


@pytest.mark.parametrize(
    "words",
    [
        "the database system is starting up",
        "the database system is not yet accepting connections",
        "the database system is in recovery mode",
        "the database system is shutting down",
    ],
)
def test_a_server_that_is_not_ready_yet_is_waited_for(words: str) -> None:
    """Such a login has no code in the driver: it goes by the server's words."""
    found = connect_trouble(psycopg.OperationalError(f"connection failed: FATAL:  {words}"), "fleet")
    assert (type(found), found.code, found.exit_code) == (StoreLost, "store_unreachable", 7)


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    """A server that asks for passwords on loopback, and has few connections."""
    if running() is None:
        pytest.skip(MISSING)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with made(port, listen_addresses="127.0.0.1", max_connections="8") as server:
        sql(
            server.url(),
            f"CREATE ROLE ada LOGIN PASSWORD '{PASSWORD}'",
            "CREATE ROLE few LOGIN PASSWORD 'x' CONNECTION LIMIT 1",
            "CREATE DATABASE fleet",
            "CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0",
            "GRANT CREATE ON DATABASE latin TO ada",
        )
        (server.folder / "data" / "pg_hba.conf").write_text(
            "local all owner trust\nhost all ada,few 127.0.0.1/32 scram-sha-256\nhostssl all tom 127.0.0.1/32 trust\n"
        )
        sql(server.url(), "SELECT pg_reload_conf()")
        yield server


def over_tcp(
    strict: Server, user: str = "ada", password: str = PASSWORD, database: str = "fleet", more: str = ""
) -> str:
    """The address of a database there, with a password in it."""
    return f"postgresql://{user}:{quote(password)}@127.0.0.1:{strict.port}/{database}?connect_timeout=5{more}"


def refused(url: str, account: str = "acme", **options: Any) -> MigratorError:
    """The error of an open, which shows no password, nor where it came from."""
    with pytest.raises(MigratorError) as caught:
        Store.open(url, account=account, now=NOW, **options)
    error = caught.value
    for text in (error.message, error.hint, repr(error), str(error.__cause__), repr(error.problems[0].as_dict())):
        assert "hunter2" not in text
        assert quote(PASSWORD) not in text
    assert error.__suppress_context__ or error.__context__ is None
    return error


def test_a_wrong_password_a_missing_database_and_missing_rights(strict: Server) -> None:
    told = {
        "login": over_tcp(strict, password="hunter2 wrong"),
        "no_database": over_tcp(strict, database="nowhere"),
        "no_right": over_tcp(strict),
        "server_encoding": over_tcp(strict, database="latin"),
        "tls": over_tcp(strict, more="&sslmode=require"),
        "store_unreachable": over_tcp(strict).replace(f":{strict.port}/", ":1/"),
        "state_url": over_tcp(strict, more="&sslmode=perhaps"),
    }
    assert {code: refused(url).code for code, url in told.items()} == {code: code for code in told}
    assert refused(over_tcp(strict, user="tom")).code == "login"
    assert "sslmode=require" in refused(over_tcp(strict, user="tom")).hint
    assert sql(strict.url("fleet"), "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'a_%'") == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://ada:hunter2@db",
        "postgresql://ada:hunter2@db/fleet?nonsense=1",
        "postgresql://ada:hunter2@[::1/fleet",
        "postgresql://ada:hunter2@db:port/fleet",
        "postgresql+psycopg://ada:hunter2@db/fleet",
        "mysql://ada:hunter2@db/fleet",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    assert refused(url).code == "state_url"


def test_a_certificate_that_nobody_can_check_is_no_reason_to_go_on_without(strict: Server, tmp_path: Path) -> None:
    more = f"&sslmode=verify-full&sslrootcert={tmp_path / 'none.pem'}"
    assert refused(over_tcp(strict, more=more)).code == "tls"


def test_a_password_of_the_address_is_used_and_shown_nowhere(strict: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sql(strict.url("fleet"), "GRANT CREATE ON DATABASE fleet TO ada")
    with Store.open(over_tcp(strict), account="acme", now=NOW) as store:
        planned(store, [change(1)])
        told = [store.place, repr(store._db), repr(store.info()), repr(store._db._engine), repr(vars(store._db))]
        kept = sql(strict.url("fleet"), "SELECT meta::text FROM a_acme.meta UNION ALL SELECT detail FROM a_acme.events")
    sql(strict.url("fleet"), "REVOKE CREATE ON DATABASE fleet FROM ada", "DROP SCHEMA a_acme CASCADE")
    for text in [*told, caplog.text, repr(kept), Path("/proc/self/cmdline").read_text()]:
        assert "hunter2" not in text


def test_a_server_without_a_connection_left(strict: Server) -> None:
    assert refused_for_lack(strict).code == "too_many_connections"
    assert refused_for_lack(strict).exit_code == 7


def refused_for_lack(strict: Server) -> MigratorError:
    url = over_tcp(strict, user="few", password="x")
    with psycopg.connect(url):
        return refused(url)


def test_a_server_that_is_only_read(strict: Server) -> None:
    """As a standby is, and whoever may connect there."""
    sql(strict.url("fleet"), "ALTER DATABASE fleet SET default_transaction_read_only TO on")
    found = refused(over_tcp(strict))
    sql(strict.url("fleet"), "SET default_transaction_read_only TO off", "ALTER DATABASE fleet RESET ALL")
    assert (found.code, found.exit_code) == ("standby", 7)


@pytest.fixture
def url() -> Iterator[str]:
    server = running()
    if server is None:
        pytest.skip(MISSING)
    yield server.url()
    sql(server.url(), "DROP SCHEMA IF EXISTS a_lost CASCADE")


def ended(url: str) -> None:
    """End the sessions of account `lost` at the server."""
    found = sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migrator lost'")
    assert found


def test_a_session_that_was_ended_is_told_and_none_takes_its_place(url: str) -> None:
    """Its temporary tables are gone, and whether its last transaction was kept is settled by reading."""
    with Store.open(url, account="lost", now=NOW) as store:
        ended(url)
        for use in (lambda: store.pairs.add([pair(1)], replace=False, now=NOW), store.version, store.plans.list):
            with pytest.raises(StoreLost) as caught:
                use()
            assert (caught.value.exit_code, caught.value.code) == (7, "store_lost")
        with pytest.raises(StoreLost):
            store.audit.head()
    with Store.open(url, account="lost", now=NOW) as store:
        assert list(store.pairs.all()) == []


def undone(store: Store, url: str) -> None:
    with store._db.write() as connection:
        connection.exec_driver_sql("DELETE FROM meta")
        ended(url)


def test_a_session_that_ends_within_a_write_keeps_nothing(url: str) -> None:
    with Store.open(url, account="lost", now=NOW) as store, pytest.raises(StoreLost):
        undone(store, url)
    with Store.open(url, account="lost", now=NOW) as store:
        assert store.lineage


def test_a_holder_that_stands_still_within_a_write_holds_the_account_for_half_a_minute_at_most(url: str) -> None:
    """A process that is stopped there, or whose machine is gone, must not keep its successor out."""
    with Store.open(url, account="lost", now=NOW) as store:
        assert store._db._driver_connection().execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("30s",)
        store._db._driver_connection().execute("SET idle_in_transaction_session_timeout TO 50")
        with Store.open(url, account="lost", now=NOW) as other, pytest.raises(StoreLost):
            stands_still(store, until=lambda: other.lease.acquire(Owner("oslo", 2, NOW), NOW, is_gone=lambda _: False))


def stands_still(store: Store, *, until: Callable[[], object]) -> None:
    with store._db.write() as connection:
        until()
        connection.exec_driver_sql("DELETE FROM meta")


class Pooler:
    """A pooler as PgBouncer is, on a socket of its own, in front of a server that asks for no password.

    Each client is given a number of its own. In transaction mode, a client has a session of the server for the length
    of a transaction alone: the free session that was used last.
    """

    def __init__(self, folder: Path, server: Server, *, lasts: bool) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.6432"))
        self.listener.listen()
        self.url = f"postgresql://owner@/postgres?host={folder}&port=6432"
        self._server, self._lasts = server, lasts
        self._free: list[socket.socket] = []
        self._startup, self._welcome, self._state = b"", b"", b"I"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for session in self._free:
            session.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        session: socket.socket | None = None
        with contextlib.suppress(OSError, EOFError, struct.error), client:
            self._startup = _startup_of(client)
            if self._lasts or not self._welcome:
                session = self._new_session()
            client.sendall(self._welcome)
            while True:
                if session is not None and not self._lasts and self._state == b"I":
                    self._free.append(session)
                    session = None
                kind, body = _message(client)
                if kind == b"X":
                    break
                if session is None:
                    session = self._free.pop() if self._free else self._new_session()
                session.sendall(kind + struct.pack("!i", len(body) + 4) + body)
                self._state = _answer(session, client) if kind in {b"Q", b"S"} else b"T"
        if session is not None:
            session.close()

    def _new_session(self) -> socket.socket:
        """A session of the server; clients are told of it under another number."""
        session = socket.socket(socket.AF_UNIX)
        session.connect(str(self._server.folder / f".s.PGSQL.{self._server.port}"))
        session.sendall(self._startup)
        welcome, kind = b"", b""
        while kind != b"Z":
            kind, body = _message(session)
            shown = struct.pack("!ii", 4711, 4711) if kind == b"K" else body
            welcome += kind + struct.pack("!i", len(shown) + 4) + shown
        self._welcome = welcome
        return session


def _startup_of(client: socket.socket) -> bytes:
    while True:
        size = _exactly(client, 4)
        body = _exactly(client, struct.unpack("!i", size)[0] - 4)
        if struct.unpack("!i", body[:4])[0] == 196608:
            return size + body
        client.sendall(b"N")  # neither TLS nor GSS


def _answer(session: socket.socket, client: socket.socket) -> bytes:
    """Hand an answer on, whole. Returns: the state of the transaction after it."""
    while True:
        kind, body = _message(session)
        client.sendall(kind + struct.pack("!i", len(body) + 4) + body)
        if kind == b"Z":
            return body


def _message(side: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(side, 1)
    return kind, _exactly(side, struct.unpack("!i", _exactly(side, 4))[0] - 4)


def _exactly(side: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = side.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


@pytest.mark.parametrize("lasts", [False, True])
def test_a_pooler_in_transaction_mode_is_noticed(url: str, tmp_path: Path, *, lasts: bool) -> None:
    server = running()
    assert server is not None
    with closing(Pooler(tmp_path, server, lasts=lasts)) as pooler:
        if lasts:
            Store.open(pooler.url, account="lost", now=NOW).close()
        else:
            assert refused(pooler.url, "lost").code == "pooled"
            assert sql(url, "SELECT 1 FROM pg_namespace WHERE nspname = 'a_lost'") == []


def test_nothing_of_postgresql_is_imported_for_a_file(tmp_path: Path) -> None:
    asked = (
        "import sys\n"
        "from migrator.cli.app.root import run\n"
        "assert run(['--help']) == 0\n"
        "from migrator.store import Store\n"
        f"Store.open('sqlite:///{tmp_path / 'state.db'}', now=0.0).close()\n"
        "OURS = ('psycopg', 'procrastinate', 'migrator.jobs', 'migrator.store.database.postgresql')\n"
        "found = [name for name in sys.modules if name.startswith(OURS)]\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_tool_without_the_driver_says_how_to_get_it(tmp_path: Path) -> None:
    asked = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from migrator.store import Store\n"
        "try:\n"
        "    Store.open('postgresql://ada:hunter2@db/fleet', account='acme', now=0.0)\n"
        "except Exception as error:\n"
        "    print(error.code, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "no_driver pip install 'migrator[fleet]'\n", done.stderr
