"""PostgreSQL as a store: accounts, one writer at a time, leases by the clock of the server, and copies."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, select
from sqlalchemy.exc import DBAPIError

from migrator.core.run.control import Order, OrderKind
from migrator.core.run.states import StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.errors import InputError, LeaseLost, MigratorError, NotStorable, StoreBusy, StoreError
from migrator.store import Owner, Store
from migrator.store.database.postgresql.server import look_at_server
from migrator.store.database.transfer import transfer
from migrator.store.tables import METADATA
from migrator.store.tables.fleet import meta
from migrator.store.tables.plans import lease
from migrator.workflows.doctor import disk
from tests.builders import pair, sim
from tests.server import MISSING, Accounts, Server, running, sql
from tests.store.store_kit import NOW, SENT, change, key, planned, pulled

pytestmark = pytest.mark.server
ROME, OSLO = Owner("rome", 1, NOW), Owner("oslo", 2, NOW)
DAY_S = 86_400.0


def nobody_is(_owner: Owner) -> bool:
    return False


def known_alive(_owner: Owner) -> bool:
    return True


@pytest.fixture(name="server")
def shared_server() -> Server:
    server = running()
    if server is None:
        pytest.skip(MISSING)
    return server


@pytest.fixture
def accounts(server: Server) -> Iterator[Accounts]:
    accounts = Accounts(server)
    yield accounts
    accounts.give_back()


@pytest.fixture
def account(accounts: Accounts, tmp_path: Path) -> str:
    return accounts.of(tmp_path)


def opened(server: Server, account: str, **options: Any) -> Store:
    return Store.open(server.url(), account=account, now=NOW, **options)


# --- accounts -----------------------------------------------------------------------------------------------------


def test_accounts_know_nothing_of_each_other(server: Server, accounts: Accounts, tmp_path: Path) -> None:
    acme, other = accounts.of(tmp_path / "acme"), accounts.of(tmp_path / "other")
    with opened(server, acme) as one, opened(server, other) as two:
        assert one.lineage != two.lineage
        one.pairs.add([pair(1)], replace=False, now=NOW)
        one.lease.acquire(ROME, NOW, is_gone=nobody_is)
        two.lease.acquire(OSLO, NOW, is_gone=nobody_is)
        assert (list(two.pairs.all()), len(list(one.pairs.all()))) == ([], 1)
        assert (one.name, one.file) == (acme, None)
    with opened(server, acme, create=False) as again:
        assert [one.source for one in again.pairs.all()] == [pair(1).source]


def test_an_account_is_named_and_a_file_has_none(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Store.open(server.url(), now=NOW)
    assert (caught.value.code, "--account" in caught.value.hint) == ("account_needed", True)
    with pytest.raises(InputError) as caught:
        Store.open(f"sqlite:///{tmp_path / 'state.db'}", account="acme", now=NOW)
    assert caught.value.code == "account_in_file"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Acme", "1acme", "ac-me", 'a"; DROP', "a" * 41, "acmé", "acme\n"])
def test_a_name_that_no_account_may_have(server: Server, name: str) -> None:
    for open_it in (opened, lambda server, name: Store.look(server.url(), account=name)):
        with pytest.raises(InputError) as caught:
            open_it(server, name)
        assert caught.value.code == "account_name"


@pytest.mark.parametrize("look", [True, False])
def test_an_account_that_is_not_there_is_not_made_unasked(server: Server, *, look: bool) -> None:
    with pytest.raises(InputError) as caught:
        Store.look(server.url(), account="nobody") if look else opened(server, "nobody", create=False)
    assert caught.value.code == "no_store"
    assert sql(server.url(), "SELECT 1 FROM pg_namespace WHERE nspname = 'a_nobody'") == []


def test_an_account_is_made_once_by_whoever_comes_first(server: Server) -> None:
    lineages: list[str] = []

    def make() -> None:
        with opened(server, "raced") as store:
            lineages.append(store.lineage)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sql(server.url(), "DROP SCHEMA a_raced CASCADE")
    assert len(lineages) == 3
    assert len(set(lineages)) == 1


def test_a_schema_of_another_program_is_left_alone(server: Server) -> None:
    sql(server.url(), "CREATE SCHEMA a_theirs", "CREATE TABLE a_theirs.invoices (x TEXT)")
    with pytest.raises(InputError) as caught:
        opened(server, "theirs")
    assert caught.value.code == "not_a_store"
    assert sql(server.url(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'a_theirs'") == [(1,)]
    sql(server.url(), "DROP SCHEMA a_theirs CASCADE")


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.pairs.add([pair(2)], replace=False, now=NOW),
        lambda store: store.steering.give("p1", Order(OrderKind.ABORT, "somebody", NOW)),
        lambda store: store.lease.acquire(ROME, NOW, is_gone=nobody_is),
    ],
)
def test_nothing_can_be_written_through_a_look(server: Server, account: str, write: Callable[[Store], object]) -> None:
    with opened(server, account) as store:
        planned(store, [change(1)])
        with Store.look(server.url(), account=account) as looked:
            before = looked.version()
            with pytest.raises(StoreError):
                write(looked)
            assert (looked.version(), len(list(looked.pairs.all()))) == (before, 1)


# --- one writer at a time -----------------------------------------------------------------------------------------


def test_writers_take_turns_so_that_the_log_is_one_chain(server: Server, account: str) -> None:
    """Without the lock of the first statement two writers give their events one number."""
    with opened(server, account) as store:
        planned(store, [change(1)])
    troubles: list[MigratorError] = []

    def write(name: str) -> None:
        with opened(server, account) as mine:
            for number in range(15):
                try:
                    mine.steering.give("p1", Order(OrderKind.PAUSE, f"{name} {number}", NOW + number))
                except MigratorError as trouble:
                    troubles.append(trouble)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("ada", "ben", "cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened(server, account) as store:
        assert (troubles, list(store.audit.problems())) == ([], [])
        assert sum(one.kind == "order.given" for one in store.audit.events()) == 45


def test_a_writer_that_waits_too_long_is_told_so(server: Server, account: str) -> None:
    with opened(server, account) as one, opened(server, account, busy_timeout_s=0.05) as two:
        planned(one, [change(1)])
        with one._db.write(), pytest.raises(StoreBusy) as caught:
            two.steering.give("p1", Order(OrderKind.PAUSE, "ada", NOW))
        assert caught.value.exit_code == 9
        two.steering.give("p1", Order(OrderKind.PAUSE, "ada", NOW))  # the same session goes on


def test_who_reads_waits_for_nobody_and_sees_one_moment(server: Server, account: str) -> None:
    with opened(server, account) as one, opened(server, account, busy_timeout_s=0.05) as two:
        with two._db.read() as reading:
            before = reading.execute(select(meta)).all()
            one.pairs.add([pair(1)], replace=False, now=NOW)
            assert reading.execute(select(meta)).all() == before
        with one._db.write():
            assert len(list(two.pairs.all())) == 1


def broken_off(store: Store) -> None:
    with store._db.write() as connection:
        connection.execute(delete(meta))
        raise RuntimeError


def test_what_breaks_off_leaves_nothing_and_the_next_goes_on(server: Server, account: str) -> None:
    with opened(server, account) as store:
        with pytest.raises(RuntimeError):
            broken_off(store)
        with pytest.raises(StoreError, match="42601"), store._db.write() as connection:
            connection.exec_driver_sql("SELEC 1")
        store.pairs.add([pair(1)], replace=False, now=NOW)
        assert (store._fact("lineage"), len(list(store.pairs.all()))) == (store.lineage, 1)


def test_a_write_whose_error_was_passed_over_is_told_as_not_kept(server: Server, account: str) -> None:
    """PostgreSQL answers COMMIT with a quiet ROLLBACK then: an intent would be missing whose claim goes out."""
    with opened(server, account) as store:
        with pytest.raises(StoreError, match="nothing of it was kept"), store._db.write() as connection:
            passed_over(connection)
        assert store._db.rows(select(meta).where(meta.c.name == "x")) == []
        store.pairs.add([pair(1)], replace=False, now=NOW)


def passed_over(connection: Connection) -> None:
    connection.execute(meta.insert().values(name="x", value=""))
    with contextlib.suppress(DBAPIError):
        connection.exec_driver_sql("SELECT no_such_column FROM meta")


def test_the_version_changes_with_each_write_once_it_is_there(server: Server, account: str) -> None:
    with opened(server, account) as store, Store.look(server.url(), account=account) as looked:
        before = looked.version()
        with store._db.write():
            assert looked.version() == before
        after = looked.version()
        assert after != before
        assert looked.version() == after
        with pytest.raises(RuntimeError), store._db.write():
            raise RuntimeError
        assert looked.version() == after


def test_an_intent_waits_for_the_disk_whatever_the_role_says(server: Server, account: str) -> None:
    sql(server.url(), "CREATE ROLE hasty SUPERUSER LOGIN", "ALTER ROLE hasty SET synchronous_commit TO off")
    with Store.open(server.url().replace("owner@", "hasty@"), account=account, now=NOW) as store:
        for durable, word in ((True, "on"), (False, "off"), (True, "on")):
            with store._db.write(durable=durable) as connection:
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == word


# --- the lease ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off_s", [-600.0, 600.0])
def test_a_holder_is_judged_by_the_clock_of_the_server(server: Server, account: str, off_s: float) -> None:
    """The clocks of two machines are ten minutes apart: nobody is replaced early, and nobody holds for ever."""
    with opened(server, account) as one, opened(server, account) as two:
        one.lease.acquire(ROME, NOW, is_gone=nobody_is)
        for now in (NOW, NOW + off_s, NOW + DAY_S):
            with pytest.raises(StoreBusy):
                two.lease.acquire(OSLO, now, is_gone=nobody_is)
        silent_since(server, account, 61.0)
        one.lease.beat(ROME, NOW + off_s)
        with pytest.raises(StoreBusy):
            two.lease.acquire(OSLO, NOW + off_s, is_gone=nobody_is)
        silent_since(server, account, 59.0)
        with pytest.raises(StoreBusy):
            two.lease.acquire(OSLO, NOW + off_s, is_gone=nobody_is)
        silent_since(server, account, 61.0)
        assert two.lease.acquire(OSLO, NOW + off_s, is_gone=nobody_is) == ROME
        with pytest.raises(LeaseLost):
            one.lease.beat(ROME, NOW)


def silent_since(server: Server, account: str, seconds: float) -> None:
    """Let the last heartbeat be that long ago, by the server's clock."""
    then = f"extract(epoch FROM clock_timestamp()) - {seconds}"
    sql(server.url(), f"UPDATE a_{account}.lease SET heartbeat_at = {then}")  # noqa: S608 - our own


def test_a_holder_that_lives_but_is_silent_is_replaced_and_writes_nothing_more(server: Server, account: str) -> None:
    """Nobody may be there to wake it. The fence makes that safe."""
    with opened(server, account) as one, opened(server, account) as two:
        planned(one, [change(1), change(2)])
        one.lease.acquire(ROME, NOW, is_gone=nobody_is)
        run = one.journal.start_run("p1", "first", NOW)
        silent_since(server, account, 61.0)
        assert two.lease.acquire(OSLO, NOW, is_gone=nobody_is, is_alive=known_alive) == ROME
        before = two.audit.head()
        with pytest.raises(LeaseLost, match="process 2 on oslo"):
            one.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)
        assert (two.audit.head(), list(two.journal.requests("p1"))) == (before, [])


def test_a_takeover_waits_for_a_write_that_is_open_and_then_sees_all_of_it(server: Server, account: str) -> None:
    with opened(server, account) as one, opened(server, account) as two:
        planned(one, [change(1)])
        one.lease.acquire(ROME, NOW, is_gone=nobody_is)
        run = one.journal.start_run("p1", "first", NOW)
        silent_since(server, account, 61.0)
        reclaimed: list[int] = []

        def take_over() -> None:
            two.lease.acquire(OSLO, NOW, is_gone=nobody_is)
            reclaimed.append(two.journal.reclaim_in_flight("p1", NOW))

        other = threading.Thread(target=take_over)

        def while_it_is_open(*_about: object) -> None:
            if not other.ident:
                other.start()
                other.join(0.2)

        event.listen(one._db._engine, "commit", while_it_is_open)
        one.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)
        other.join()
        assert reclaimed == [1]


# --- values -------------------------------------------------------------------------------------------------------


def test_a_value_that_cannot_be_kept_is_the_trouble_of_its_row_alone(server: Server, account: str) -> None:
    with opened(server, account) as store:
        for value in ("half \ud83d", "nul \0"):
            with pytest.raises(NotStorable) as caught, store._db.write() as connection:
                connection.execute(meta.insert().values(name="x", value=value))
            assert "half" not in caught.value.message
        with pytest.raises(NotStorable), store._db.write() as connection:
            connection.execute(lease.insert().values(one=2**64, host="", pid=1, process_started_at=0.0))
        store.pairs.add([pair(1)], replace=False, now=NOW)


def test_order_and_equality_of_text_are_those_of_its_bytes(server: Server, account: str) -> None:
    words = ["a", "B", "ä", "Z", "_", "é", "10", "9", "a b", "ab"]
    with opened(server, account) as store:
        with store._db.write() as connection:
            connection.execute(meta.insert(), [{"name": f"x{word}", "value": ""} for word in words])
        rows = store._db.rows(select(meta.c.name).where(meta.c.name > "x", meta.c.name < "y").order_by(meta.c.name))
    assert [row.name for row in rows] == sorted((f"x{word}" for word in words), key=str.encode)


# --- copies -------------------------------------------------------------------------------------------------------


def test_a_backup_is_a_file_that_holds_all_and_nobody_holds(server: Server, account: str, tmp_path: Path) -> None:
    with opened(server, account) as store:
        filled(store)
        store.lease.acquire(ROME, NOW, is_gone=nobody_is)
        store.backup(tmp_path / "copy.db")
        told = everything(store)
        with Store.open(f"sqlite:///{tmp_path / 'copy.db'}", now=NOW) as copy:
            assert everything(copy) == told
            assert (list(copy.audit.problems()), copy.lineage, copy.lease.holder()) == ([], store.lineage, None)
        with pytest.raises(InputError):
            store.backup(tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_scratch_copy_is_a_file_of_its_own(server: Server, account: str) -> None:
    with opened(server, account) as store:
        filled(store)
        head = store.audit.head()
        with store.scratch_copy() as copy:
            assert copy.file is not None
            assert everything(copy) == everything(store)
            copy.journal.answered(1, RequestOutcome.REFUSED, now=NOW)
        assert store.audit.head() == head


def test_an_account_goes_from_a_file_and_back_with_all_it_has(server: Server, account: str, tmp_path: Path) -> None:
    """Numbers go on after those that came, and the chain of the log holds."""
    with Store.open(f"sqlite:///{tmp_path / 'old.db'}", now=NOW) as old, opened(server, account) as new:
        filled(old)
        planned(new, [change(7)], plan_id="of before")
        transfer(old._db, new._db)
        assert everything(new) == everything(old)
        assert (list(new.audit.problems()), new._fact("lineage")) == ([], old.lineage)
    with opened(server, account) as new:
        planned(new, [change(3)], plan_id="p2")
        run = new.journal.start_run("p2", "me", NOW)
        assert new.journal.begin(run, StepKind.CLAIM, [key(3)], SENT, wave="all", now=NOW) == 2
        new.backup(tmp_path / "back.db")
        with Store.open(f"sqlite:///{tmp_path / 'back.db'}", now=NOW) as back:
            assert everything(back) == everything(new)
            assert list(back.audit.problems()) == []


def filled(store: Store) -> None:
    pulled(store, [sim(1), sim(2)])
    planned(store, [change(1), change(2)])
    run = store.journal.start_run("p1", "me", NOW)
    store.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)


def everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    found = {
        table.name: [tuple(row) for row in store._db.rows(select(table).order_by(*table.primary_key))]
        for table in METADATA.sorted_tables
        if table is not lease
    }
    found["meta"] = [row for row in found["meta"] if row[0] != "writes"]
    return found


def test_facts_of_an_account_are_told(server: Server, account: str) -> None:
    with opened(server, account) as store:
        told = store.info()
    assert (told["account"], told["schema"], told["counts"]["plans"]) == (account, told["schema_of_this_tool"], 0)
    assert json.dumps(told)
    assert "path" not in told


# --- the server ---------------------------------------------------------------------------------------------------


def test_doctor_says_how_far_the_server_is_and_that_it_forgets(server: Server) -> None:
    """The server of the tests does not wait for its disk: claims would be forgotten in a power cut."""
    found = disk(server.url())
    assert "ms away" in found.told
    assert "`fsync`" in found.hint
    assert found.exit_code == 0


def test_clocks_that_are_apart_are_measured(server: Server) -> None:
    there = sql(server.url(), "SELECT extract(epoch FROM clock_timestamp())::float8")[0][0]
    for off_s in (0.0, 600.0, -600.0):
        began = time.monotonic()
        found = look_at_server(server.url(), lambda: there + off_s)  # noqa: B023 - asked at once
        assert -off_s <= found.ahead_s + found.away_s <= -off_s + (time.monotonic() - began) + 5.0
