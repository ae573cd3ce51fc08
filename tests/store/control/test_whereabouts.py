"""A store that may have lost its last commits: on another server, or on the new timeline of a promoted one."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from migrator.store import Store
from tests.server import MISSING, Server, made, running, sql
from tests.store.store_kit import NOW, open_store

REPLICA = {"wal_level": "replica"}


def test_a_new_store_is_where_it_was_made(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert not store.journal.server_changed()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that can be promoted, with a user that has no rights but to make accounts."""
    if running() is None:
        pytest.skip(MISSING)
    with made(5432, **REPLICA) as server:
        sql(server.url(), "CREATE ROLE ada LOGIN", "GRANT CREATE ON DATABASE postgres TO ada")
        yield server


@pytest.mark.server
def test_a_promoted_server_and_another_one_are_noticed_and_a_restarted_one_is_the_same(server: Server) -> None:
    url = server.url().replace("owner@", "ada@")

    def moved(*, create: bool = False, note: bool = False) -> bool:
        with Store.open(url, account="acme", now=NOW, create=create) as store:
            found = store.journal.server_changed()
            if note:
                store.journal.note_server()
            return found

    assert not moved(create=True)
    server.stop(signal.SIGQUIT)
    server.start(**REPLICA)
    assert not moved()

    server.stop(signal.SIGINT)
    (server.folder / "data" / "recovery.signal").touch()  # it ends its recovery as a promoted standby does
    server.start(**REPLICA, restore_command="false")
    assert moved(note=True)
    assert not moved()

    sql(url, "UPDATE a_acme.meta SET value = '1/' || split_part(value, '/', 2) WHERE name = 'server'")
    assert moved()
    sql(url, "DELETE FROM a_acme.meta WHERE name = 'server'")
    assert moved()


@pytest.mark.server
def test_a_dump_that_is_restored_in_another_database_of_the_server_is_noticed(server: Server) -> None:
    with Store.open(server.url(), account="acme", now=NOW) as store:
        assert not store.journal.server_changed()
    with closing(psycopg.connect(server.url(), autocommit=True)) as session:
        session.execute("CREATE DATABASE restored TEMPLATE template0")
    server.run("pg_dump", "-h", str(server.folder), "-U", "owner", "-Fc", "-f", str(server.folder / "dump"), "postgres")
    where = ("-h", str(server.folder), "-U", "owner", "-d", "restored")
    server.run("pg_restore", *where, str(server.folder / "dump"))
    with Store.open(server.url("restored"), account="acme", now=NOW) as store:
        assert store.journal.server_changed()
