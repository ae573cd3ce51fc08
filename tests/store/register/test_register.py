"""The register of accounts, on a true server: turns by its clock, one worker an account, and a person's word."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from migrator.core.accounts.turns import AccountState, Turn, next_turns
from migrator.errors import InputError, StoreError, StoreLost
from migrator.store.database.schema import migrations_folder, revisions
from migrator.store.register import Account, Register, TurnOrder
from migrator.store.register.register import FORGOTTEN_S
from migrator.store.register.tables import METADATA
from tests.server import MISSING, Server, running, sql
from tests.store.store_kit import NOW

pytestmark = pytest.mark.server
READY, DONE, ATTENTION = AccountState.READY, AccountState.DONE, AccountState.ATTENTION
ORDER = TurnOrder("p7", confirm=12, ref="CHG-1", by="ada")
HOUR_S = 3600.0


@pytest.fixture(name="server")
def shared_server() -> Server:
    server = running()
    if server is None:
        pytest.skip(MISSING)
    return server


@pytest.fixture(name="url")
def empty_url(server: Server) -> Iterator[str]:
    """A database without a register."""
    sql(server.url(), "DROP SCHEMA IF EXISTS fleet CASCADE")
    yield server.url()
    sql(server.url(), "DROP SCHEMA IF EXISTS fleet CASCADE")


@pytest.fixture
def register(url: str) -> Iterator[Register]:
    Register.make(url, NOW)
    with Register.open(url) as register:
        yield register


def added(register: Register, name: str = "acme", **changes: Any) -> Account:
    told: dict[str, Any] = {"carrier": "1nce", "customer": "c1", "organization": 4711, "by": "ada@desk", **changes}
    return register.add(name, **told)


def ended(register: Register, turn: Turn, *, order_done: float | None = None) -> Account:
    """The account, after a job of worker `one`."""
    assert register.began("acme", "one")
    register.ended("acme", "one", turn, order_done=order_done)
    return register.account("acme")


def test_a_standstill_has_a_number_of_its_own(register: Register) -> None:
    added(register)
    added(register, "bolt", customer="c2")
    assert register.account("acme").standstill == 0
    first = ended(register, Turn(ATTENTION)).standstill
    register.go("acme", None, "ada")
    assert register.account("acme").standstill == first > 0
    register.wake("acme")
    assert ended(register, Turn(READY, NOW)).standstill == first
    register.go("acme", None, "ada")
    assert ended(register, Turn(ATTENTION)).standstill > first
    assert register.account("bolt").standstill == 0


def test_who_told_of_an_older_standstill_told_nobody_of_a_newer_one(register: Register) -> None:
    added(register)
    first = ended(register, Turn(ATTENTION))
    assert first.is_untold
    register.wake("acme")
    assert not register.account("acme").is_untold, "a person spoke"
    second = ended(register, Turn(ATTENTION))
    register.told("acme", first.ended_at)
    assert register.account("acme").is_untold
    register.told("acme", second.ended_at)
    assert not register.account("acme").is_untold


# --- the register itself ------------------------------------------------------------------------------------------


def test_it_is_made_once_and_found_from_then_on(url: str) -> None:
    with pytest.raises(InputError) as caught:
        Register.open(url)
    assert (caught.value.code, "fleet init" in caught.value.hint) == ("not_there", True)
    assert Register.find(url) is None
    assert (Register.make(url, NOW), Register.make(url, NOW)) == (True, False)
    with Register.open(url) as register:
        assert register.accounts() == []
        assert abs(register.now() - sql(url, "SELECT extract(epoch FROM clock_timestamp())::float8")[0][0]) < 5.0


def test_several_that_make_it_at_once_make_one(url: str) -> None:
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(Register.make(url, NOW))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, True]


def test_its_tables_are_what_its_revisions_make(url: str) -> None:
    Register.make(url, NOW)
    query = (
        "SELECT table_name, column_name, is_nullable, data_type FROM information_schema.columns "
        "WHERE table_schema = 'fleet' AND table_name <> 'alembic_version'"
    )
    made = sql(url, query)
    sql(url, "DROP SCHEMA fleet CASCADE; CREATE SCHEMA fleet")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SET search_path TO fleet")
        for table in METADATA.sorted_tables:
            session.execute(_creation(table))
    assert sorted(made) == sorted(sql(url, query))
    assert made


def _creation(table: Any) -> bytes:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415
    from sqlalchemy.schema import CreateTable  # noqa: PLC0415

    return str(CreateTable(table).compile(dialect=postgresql.dialect())).encode()  # type: ignore[no-untyped-call]


def test_a_register_of_a_tool_between_two_releases_says_how_to_make_it_anew(register: Register, url: str) -> None:
    added(register)
    sql(url, "ALTER TABLE fleet.accounts DROP COLUMN last_worker")
    with pytest.raises(StoreError, match="lacks a column") as caught:
        register.accounts()
    assert caught.value.code == "column_missing"
    assert "fleet init" in caught.value.hint


def test_a_file_has_no_register(tmp_path: Any) -> None:
    with pytest.raises(InputError) as caught:
        Register.open(f"sqlite:///{tmp_path / 'state.db'}")
    assert caught.value.code == "fleet_in_file"
    assert list(tmp_path.iterdir()) == []


def test_another_schema_than_this_tools_is_refused_and_left_alone(url: str) -> None:
    Register.make(url, NOW)
    sql(url, "UPDATE fleet.alembic_version SET version_num = '9999'")
    for do in (Register.open, lambda url: Register.make(url, NOW)):
        with pytest.raises(StoreError) as caught:
            do(url)
        assert caught.value.code == "schema_newer"
    sql(url, "DELETE FROM fleet.alembic_version")
    with pytest.raises(StoreError) as caught:
        Register.open(url)
    assert (caught.value.code, "fleet init" in caught.value.hint) == ("schema_older", True)
    assert revisions(migrations_folder() / "fleet")[-1] == "0001"


def test_who_may_not_look_hears_that_and_not_that_nothing_is_there(url: str) -> None:
    Register.make(url, NOW)
    sql(url, "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    theirs = url.replace("owner@", "stranger@")
    for do in (Register.open, Register.find, lambda url: Register.make(url, NOW)):
        with pytest.raises(InputError) as caught:
            do(theirs)
        assert (caught.value.code, "GRANT" in caught.value.hint) == ("no_right", True)
    sql(url, "DROP ROLE stranger")


def test_a_session_for_reading_writes_nothing(url: str, register: Register) -> None:
    added(register)
    with Register.open(url, writable=False) as reader:
        assert [one.name for one in reader.accounts()] == ["acme"]
        with pytest.raises(StoreLost) as caught:
            reader.wake("acme")
        assert caught.value.code == "standby"


# --- accounts -----------------------------------------------------------------------------------------------------


def test_an_account_is_added_once_and_due_at_once(register: Register) -> None:
    made = added(register)
    assert made == register.account("acme")
    assert (made.carrier, made.customer, made.organization) == ("1nce", "c1", 4711)
    assert (made.turn.state, made.is_held, made.order, made.worker) == (READY, False, None, None)
    assert made.turn.is_due(register.now())
    with pytest.raises(InputError) as caught:
        added(register)
    assert caught.value.code == "account_registered"


def test_an_unknown_account_is_told_with_the_nearest_name(register: Register) -> None:
    added(register)
    for do in (
        lambda: register.account("acne"),
        lambda: register.hold("acne", "ada"),
        lambda: register.go("acne", None, "ada"),
        lambda: register.remove("acne", "ada"),
    ):
        with pytest.raises(InputError) as caught:
            do()
        assert (caught.value.code, '"acme"' in caught.value.hint) == ("account_unknown", True)
    assert register.wake("acne") is False
    assert register.began("acne", "one") is None


def test_who_did_what_is_kept_and_cannot_be_changed(url: str, register: Register) -> None:
    added(register)
    register.hold("acme", "bob@desk", "the customer called")
    register.go("acme", None, "ada@desk", ORDER)
    register.remove("acme", "ada@desk")
    told = [(one.kind, one.by, one.db_user) for one in register.events("acme")]
    assert told == [
        ("removed", "ada@desk", "owner"),
        ("go", "ada@desk", "owner"),
        ("held", "bob@desk", "owner"),
        ("added", "ada@desk", "owner"),
    ]
    assert register.events("acme")[1].words == "begin plan p7, confirm 12, ref CHG-1"
    assert register.events("acme")[2].words == "the customer called"
    assert register.accounts() == []
    for change in ("UPDATE fleet.events SET by_whom = 'nobody'", "DELETE FROM fleet.events", "TRUNCATE fleet.events"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql(url, change)


# --- turns --------------------------------------------------------------------------------------------------------


def test_one_of_several_workers_gets_an_account(url: str, register: Register) -> None:
    added(register)
    got: list[str] = []

    def take(worker: str) -> None:
        with Register.open(url) as mine:
            if mine.began("acme", worker):
                got.append(worker)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = register.account("acme")
    assert got == [found.worker]
    assert found.since is not None
    assert abs(found.since - register.now()) < 60.0
    assert found.candidate is None


def test_a_worker_that_did_not_hear_the_answer_gets_the_account_again(register: Register) -> None:
    added(register)
    assert register.began("acme", "one")
    assert register.began("acme", "one")
    assert register.began("acme", "two") is None


def test_the_time_of_a_turn_is_judged_by_the_server(register: Register) -> None:
    added(register)
    register.go("acme", register.now() + HOUR_S, "ada")
    assert register.began("acme", "one") is None
    register.go("acme", register.now() - 1.0, "ada")
    assert register.began("acme", "one")


def test_a_held_account_is_not_taken_until_it_may_go(register: Register) -> None:
    added(register)
    register.hold("acme", "ada")
    assert register.account("acme").candidate is None
    assert register.wake("acme") is False
    assert register.began("acme", "one") is None
    register.go("acme", None, "ada")
    assert register.began("acme", "one")


@pytest.mark.parametrize("turn", [Turn(ATTENTION, None, "the cap is reached"), Turn(DONE, None, "plan p7 is done")])
def test_after_attention_or_done_a_person_speaks_first(register: Register, turn: Turn) -> None:
    added(register)
    assert ended(register, turn).turn == turn
    assert register.began("acme", "one") is None
    assert register.wake("acme")
    woken = register.account("acme")
    assert (woken.turn.state, woken.turn.words, woken.worker) == (READY, "", None)
    assert register.began("acme", "two")


def test_a_person_that_speaks_during_a_job_is_not_forgotten(register: Register) -> None:
    added(register)
    assert register.began("acme", "one")
    assert register.wake("acme")
    assert register.account("acme").worker == "one"
    register.ended("acme", "one", Turn(ATTENTION, None, "an approval is missing"))
    found = register.account("acme")
    assert (found.turn.state, found.turn.words) == (READY, "an approval is missing")
    assert register.began("acme", "one")
    register.ended("acme", "one", Turn(DONE))
    assert register.account("acme").turn.state is DONE


def test_who_waits_for_a_later_time_has_its_turn_now_once_woken(register: Register) -> None:
    added(register)
    later = register.now() + HOUR_S
    assert ended(register, Turn(READY, later, "soaks")).turn == Turn(READY, later, "soaks")
    assert register.began("acme", "one") is None
    register.wake("acme")
    assert register.began("acme", "one")


def test_a_worker_that_was_replaced_says_nothing_more(register: Register) -> None:
    added(register)
    assert register.began("acme", "one")
    assert register.freed("one", 15.0) == ["acme"]
    assert register.began("acme", "two")
    assert register.ended("acme", "one", Turn(ATTENTION, None, "lease lost"), order_done=1.0) is None
    found = register.account("acme")
    assert (found.worker, found.turn.state) == ("two", READY)
    assert register.freed("one", 15.0) == []
    assert [one.kind for one in register.events("acme")] == ["freed", "added"]


def test_jobs_that_crash_one_after_the_other_need_a_person_in_the_end(register: Register) -> None:
    added(register)

    def states(crashes: str) -> list[str]:
        """The states after jobs that crash, where there is a 1, or do not."""
        found = []
        for crash in crashes:
            assert register.began("acme", "one")
            register.ended("acme", "one", Turn(READY, register.now(), "killed"), is_crash=crash == "1")
            found.append(register.account("acme").turn.state.value)
        return found

    assert states("1111011111") == ["ready"] * 9 + ["attention"]
    assert register.account("acme").turn.words == "5 times in a row its process did not end by itself: killed"
    register.go("acme", None, "ada")
    assert states("1111") == ["ready"] * 4
    begun = "killed; it is begun again in a minute, and needs a person after 5 such ends in a row (this was the 4th)"
    assert register.account("acme").turn.words == begun
    register.wake("acme")
    assert states("1") == ["ready"]


def test_of_the_accounts_of_one_customer_one_is_given(register: Register) -> None:
    """Also where the queue hands both out, as the worker of the first one seems silent to it."""
    for name, carrier, customer in (("a", "1nce", "c1"), ("b", "1nce", "c1"), ("c", "portal", ""), ("d", "portal", "")):
        added(register, name, carrier=carrier, customer=customer)
    assert register.began("a", "one")
    assert register.began("b", "two") is None
    assert register.began("b", "one") is None
    assert register.began("a", "one"), "it has that one"
    assert register.began("c", "two")
    assert register.began("d", "two"), "nothing is shared"
    register.ended("a", "one", Turn(DONE))
    assert register.began("b", "two")


def test_only_a_silent_worker_is_freed(url: str, register: Register) -> None:
    """Whoever looked before it gave a sign of life again is too late."""
    added(register)
    register.beat("one", host="rome", version="1", slots=1, serves=["acme"])
    assert register.began("acme", "one")
    assert register.freed("one", 15.0) == []
    assert register.account("acme").worker == "one"
    sql(url, "UPDATE fleet.workers SET seen_at = seen_at - 16")
    assert register.freed("one", 15.0) == ["acme"]


def test_a_worker_that_leaves_leaves_no_account_behind(register: Register) -> None:
    """What became of its last job may not have been noted."""
    added(register)
    register.beat("one", host="rome", version="1", slots=1, serves=["acme"])
    assert register.began("acme", "one")
    register.left("one")
    found = register.account("acme")
    assert (found.worker, found.since, found.turn.is_due(register.now())) == (None, None, True)
    assert (register.workers(), register.events("acme")[0].kind) == ([], "freed")


def test_an_account_is_removed_only_while_nobody_is_at_it(register: Register) -> None:
    added(register)
    assert register.began("acme", "one")
    with pytest.raises(InputError) as caught:
        register.remove("acme", "ada")
    assert (caught.value.code, "one" in caught.value.message) == ("account_at_work", True)


# --- orders -------------------------------------------------------------------------------------------------------


def test_an_order_is_found_by_the_job_and_gone_once_it_is_done(register: Register) -> None:
    added(register)
    register.go("acme", None, "ada", ORDER)
    job = register.began("acme", "one")
    assert job is not None
    assert job.order is not None
    assert (job.order.plan, job.order.confirm, job.order.ref, job.order.by) == ("p7", 12, "CHG-1", "ada")
    assert abs(job.order.at - register.now()) < 60.0
    register.ended("acme", "one", Turn(READY, register.now(), "a carrier is down"))
    assert register.account("acme").order == job.order
    assert ended(register, Turn(DONE), order_done=job.order.at).order is None


def test_an_order_that_was_given_during_a_job_outlives_it(register: Register) -> None:
    added(register)
    register.go("acme", None, "ada", ORDER)
    job = register.began("acme", "one")
    assert job is not None
    assert job.order is not None
    register.go("acme", None, "bob", TurnOrder("p8", confirm=3, by="bob"))
    register.ended("acme", "one", Turn(DONE), order_done=job.order.at)
    found = register.account("acme")
    assert (found.order and found.order.plan, found.turn.state) == ("p8", READY)


def test_a_hold_takes_an_order_back(register: Register) -> None:
    added(register)
    register.go("acme", None, "ada", ORDER)
    assert register.hold("acme", "bob").order is None
    assert "p7 was taken back" in register.events("acme")[0].words
    register.go("acme", None, "ada")
    assert register.account("acme").order is None


# --- workers ------------------------------------------------------------------------------------------------------


def test_workers_tell_that_they_live_and_what_they_are_at(url: str, register: Register) -> None:
    added(register)
    for slots in (2, 4):
        register.beat("one", host="rome", version="1", slots=slots, serves=["acme", "other"])
    assert register.began("acme", "one")
    (one,) = register.workers()
    assert (one.name, one.host, one.slots, one.serves, one.takes) == ("one", "rome", 4, ("acme", "other"), ("acme",))
    assert one.started_at < one.seen_at <= register.now()

    assert FORGOTTEN_S == 7 * 86_400.0
    sql(url, "UPDATE fleet.workers SET seen_at = seen_at - 8 * 86400 WHERE name = 'one'")
    register.beat("two", host="oslo", version="1", slots=1, serves=[])
    assert [worker.name for worker in register.workers()] == ["one", "two"]
    register.freed("one", 15.0)
    register.beat("two", host="oslo", version="1", slots=1, serves=[])
    assert [worker.name for worker in register.workers()] == ["two"]
    register.left("two")
    assert register.workers() == []


def test_of_the_accounts_of_one_customer_one_is_offered(register: Register) -> None:
    for name, carrier, customer in (("a", "1nce", "c1"), ("b", "1nce", "c1"), ("c", "portal", ""), ("d", "portal", "")):
        added(register, name, carrier=carrier, customer=customer)
    offered = [one for account in register.accounts() if (one := account.candidate)]
    turns = next_turns(offered, register.now(), is_served=lambda _name: True)
    assert [one.name for one in turns] == ["a", "c", "d"]
    assert [one.lock for one in turns] == ["1nce/c1", "account/c", "account/d"]


def test_last_words_are_bounded(register: Register) -> None:
    added(register)
    assert len(ended(register, Turn(ATTENTION, None, "x" * 10_000)).turn.words) == 2_000


def test_a_lost_connection_is_told(url: str, register: Register) -> None:
    sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migrator fleet'")
    for _ in range(2):
        with pytest.raises(StoreLost):
            register.accounts()
