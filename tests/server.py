"""A PostgreSQL server for tests: started at the first use, in a private folder, and ended with the tests."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from migrator.store.tables import METADATA

__all__ = ["ALL", "MISSING", "Accounts", "Kept", "Server", "kept_there", "made", "running", "sql"]

MISSING = "no PostgreSQL here: initdb and postgres are not in PATH, nor in /usr/lib/postgresql"
_IN_ENGLISH = shutil.which("localedef") and Path("/usr/share/i18n/locales/en_US").exists()
LOCALE = os.environ.get("MIGRATOR_TEST_LOCALE") or (
    "en_US.UTF-8" if _IN_ENGLISH and os.environ.get("PYTEST_XDIST_WORKER", "")[-1:] in {"1", "3"} else "C.UTF-8"
)
"""How the server sorts: by bytes, and in half of the processes that share the tests by a language."""

ALL = os.environ.get("MIGRATOR_TEST_POSTGRESQL") == "all"
"""Whether all is run over PostgreSQL, or the share that `make test` has time for."""

PATIENCE_S = 60.0
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
}


@dataclass(frozen=True)
class Server:
    """A server on a socket in a folder; everybody there is the owner."""

    folder: Path
    programs: Path
    user: int | None
    port: int = 5432
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def url(self, database: str = "postgres", **query: str) -> str:
        """The address of a database."""
        more = "".join(f"&{name}={value}" for name, value in query.items())
        return f"postgresql://owner@/{database}?host={self.folder}&port={self.port}{more}"

    def _env(self) -> dict[str, str]:
        """The environment of a server whose language was made for it."""
        made = self.folder / "locale"
        return {**os.environ, "LOCPATH": str(made)} if made.is_dir() else dict(os.environ)

    def run(self, program: str, *words: str) -> None:
        """Run one of PostgreSQL's programs as the server's user."""
        subprocess.run(
            [self.programs / program, *words],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
            user=self.user,
            env=self._env(),
        )

    def start(self, **settings: str) -> None:
        """Start the server on its files, and wait until it answers."""
        chosen = {**_SETTINGS, "port": str(self.port), **settings}
        told = [f"-c{name}={value}" for name, value in chosen.items()]
        with (self.folder / "log").open("ab") as log:
            said_before = log.tell()
            process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *told],
                stdout=log,
                stderr=log,
                user=self.user,
                env=self._env(),
            )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if b"ready to accept connections" in (self.folder / "log").read_bytes()[said_before:]:
                self.processes.append(process)
                return
            time.sleep(0.02)
        process.kill()
        raise AssertionError((self.folder / "log").read_text(errors="replace"))

    def stop(self, how: signal.Signals) -> None:
        """Stop the server: SIGINT is its fast way, SIGQUIT its immediate one."""
        process = self.processes.pop()
        process.send_signal(how)
        process.wait(PATIENCE_S)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    return versions[-1].parent if versions else None


def _user() -> int | None:
    """The user that the server runs as: it refuses root. None for us."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError("PostgreSQL refuses root, and there is no user `postgres` or `nobody`")


@contextmanager
def made(port: int = 5432, **settings: str) -> Iterator[Server]:
    """A new server with new files."""
    programs = _programs()
    assert programs is not None, MISSING
    server = Server(Path(tempfile.mkdtemp(prefix="migrator-pg-")), programs, _user(), port)
    try:
        if server.user is not None:
            os.chown(server.folder, server.user, -1)
        if not LOCALE.startswith("C."):  # many machines have no other language: it is made for this server
            place = server.folder / "locale"
            place.mkdir()
            words = ("localedef", "-i", LOCALE.partition(".")[0], "-f", "UTF-8", str(place / LOCALE))
            subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)
        server.run(
            *("initdb", "-D", str(server.folder / "data"), "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8"),
            f"--locale={LOCALE}",
        )
        server.start(**settings)
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # its files are thrown away
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@cache
def running() -> Server | None:
    """The server that all tests of this process share; None where there are no programs for one."""
    if _programs() is None:
        return None
    keep = made()
    server = keep.__enter__()
    atexit.register(keep.__exit__, None, None, None)
    return server


def sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements as the owner. Returns: the rows of the last one."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return [] if cursor.description is None else cursor.fetchall()


_COUNT_ANEW = """
SELECT setval(oid::regclass, 1, false) FROM pg_class
WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace
"""


class Accounts:
    """Accounts for one test, by folder: taken from those that earlier tests are done with, and emptied for the next."""

    _free: ClassVar[list[str]] = []
    _numbers: ClassVar[Iterator[int]] = count(1)

    def __init__(self, server: Server) -> None:
        self.url = server.url()
        self._taken: dict[Path, str] = {}

    def of(self, folder: Path) -> str:
        """The account that stands for a store in a folder."""
        if folder not in self._taken:
            self._taken[folder] = self._free.pop() if self._free else f"t{next(self._numbers)}"
        return self._taken[folder]

    def give_back(self) -> None:
        """Empty what was taken. A session that a test left open must not hold an account, so nobody waits for it."""
        for account in self._taken.values():
            settings = (f"SET search_path TO a_{account}", "SET lock_timeout TO '5s'")
            rows = [f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables)]  # noqa: S608 - our own
            try:
                sql(self.url, "; ".join([*settings, *rows, _COUNT_ANEW]))
            except psycopg.Error:  # it was never made, or a test changed its tables
                sql(self.url, f"DROP SCHEMA IF EXISTS a_{account} CASCADE")
            self._free.append(account)
        self._taken.clear()


class Kept:
    """Where the stores of a test are kept: in its folders, or in accounts that stand for those."""

    accounts: ClassVar[Accounts | None] = None


@contextmanager
def kept_there() -> Iterator[None]:
    """Keep the stores of the block in the shared server, emptied afterwards."""
    server = running()
    assert server is not None, MISSING
    accounts = Kept.accounts = Accounts(server)
    try:
        yield
    finally:
        Kept.accounts = None
        accounts.give_back()
