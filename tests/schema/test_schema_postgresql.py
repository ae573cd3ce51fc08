"""The schema in PostgreSQL: each released revision becomes the newest, by `state upgrade` alone, and all or nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.command import upgrade

from migrator.core.run.states import StepKind
from migrator.errors import LeaseLost, StoreError
from migrator.store import Owner, Store
from migrator.store.database.postgresql.address import address_of
from migrator.store.database.postgresql.database import PostgresDatabase
from migrator.store.database.schema import migrations_folder, revisions
from migrator.store.database.upgrade import alembic_config
from tests.builders import sim
from tests.server import ALL, MISSING, Server, running, sql
from tests.store.store_kit import NOW, SENT, change, key, planned, pulled

RELEASED = revisions(migrations_folder())
FEW = ("0001", "0007", RELEASED[-1])
"""The others are tried in `make test-postgresql`."""

LAYOUT = """
SELECT 'column', table_name || '.' || column_name,
    concat_ws(' ', data_type, collation_name, is_nullable, replace(column_default, 'a_{account}.', ''))
FROM information_schema.columns WHERE table_schema = 'a_{account}'
UNION ALL
SELECT 'index', indexname, replace(indexdef, 'a_{account}.', '') FROM pg_indexes WHERE schemaname = 'a_{account}'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, replace(pg_get_constraintdef(oid), 'a_{account}.', '')
FROM pg_constraint WHERE connamespace = 'a_{account}'::regnamespace
"""
PLANS = (
    """INSERT INTO plans (plan_no, plan_id, made_no, state, header, policy_text, policy_json, created_at)
    VALUES (1, 'p1', 1, 'started', '{}', '', '{}', 0)""",
    """INSERT INTO switch_plans (switch_no, switch_id, plan_no, made_no, direction, state, header, created_at)
    VALUES (1, 'c1', 1, 1, 'cutover', 'created', '{}', 0)""",
)


@pytest.fixture
def server() -> Iterator[Server]:
    server = running()
    if server is None:
        pytest.skip(MISSING)
    dropped = "DROP SCHEMA IF EXISTS a_old CASCADE; DROP SCHEMA IF EXISTS a_new CASCADE"
    sql(server.url(), dropped)
    yield server
    sql(server.url(), dropped)


def of_revision(server: Server, revision: str, *more: str, account: str = "old") -> None:
    """Make an account as that release would have made it."""
    database = PostgresDatabase(address_of(server.url()), account)
    with database.creating() as connection:
        config = alembic_config(migrations_folder())
        config.attributes |= {"connection": connection, "now": NOW}
        upgrade(config, revision)
        for statement in more:
            connection.exec_driver_sql(statement)
    database.close()


def layout(server: Server, account: str) -> set[tuple[Any, ...]]:
    """Each column, index and constraint, as PostgreSQL tells them."""
    sql_ = LAYOUT.replace("{account}", account)
    return {tuple(map(str, row)) for row in sql(server.url(), f"SET search_path TO a_{account}", sql_)}


def opened(server: Server, account: str = "old", **options: Any) -> Store:
    return Store.open(server.url(), account=account, now=NOW, **options)


def test_every_released_revision_becomes_what_the_tables_say(server: Server) -> None:
    opened(server, "new").close()
    for revision in RELEASED if ALL else FEW:
        of_revision(server, revision)
        opened(server, upgrade=True).close()
        assert layout(server, "old") == layout(server, "new"), revision
        sql(server.url(), "DROP SCHEMA a_old CASCADE")


@pytest.mark.parametrize("open_it", [opened, lambda server: Store.look(server.url(), account="old")])
def test_an_open_upgrades_nothing(server: Server, open_it: Any) -> None:
    of_revision(server, RELEASED[-2])
    before = layout(server, "old")
    with pytest.raises(StoreError) as caught:
        open_it(server)
    assert (caught.value.code, "state upgrade" in caught.value.hint) == ("schema_older", True)
    assert layout(server, "old") == before


def test_an_upgrade_keeps_whoever_holds_the_store_from_writing(server: Server) -> None:
    with opened(server) as held:
        planned(held, [change(1)])
        run = held.journal.start_run("p1", "me", NOW)
        held.lease.acquire(Owner("rome", 1, NOW), NOW, is_gone=lambda _: False)
        sql(server.url(), f"UPDATE a_old.alembic_version SET version_num = '{RELEASED[-2]}'")  # noqa: S608 - our own
        sql(server.url(), "ALTER TABLE a_old.steps DROP COLUMN moved_no")
        sql(server.url(), "ALTER TABLE a_old.claim_retries DROP COLUMN asked_no")
        sql(server.url(), "ALTER TABLE a_old.campaigns DROP COLUMN budget_since_no")
        opened(server, upgrade=True).close()
        with pytest.raises(LeaseLost):
            held.journal.begin(run, StepKind.CLAIM, [key(1)], SENT, wave="all", now=NOW)


def test_an_upgrade_that_breaks_off_leaves_all_as_it_was(server: Server) -> None:
    of_revision(server, RELEASED[-2], "ALTER TABLE campaigns ADD budget_since_no INTEGER")
    before = layout(server, "old")
    with pytest.raises(StoreError):
        opened(server, upgrade=True)
    assert layout(server, "old") == before
    assert sql(server.url(), "SELECT version_num FROM a_old.alembic_version") == [(RELEASED[-2],)]


def test_plans_that_an_upgrade_numbered_do_not_stand_in_the_way_of_new_ones(server: Server) -> None:
    of_revision(server, "0007", *PLANS)
    with opened(server, upgrade=True) as store:
        pulled(store, [sim(1)])
        planned(store, [change(1)], plan_id="p2")
        assert store.plans.newest() == "p2"
    rows = sql(server.url(), "SELECT plan_no, plan_id FROM a_old.plans ORDER BY plan_no")
    assert rows == [(1, "p1"), (2, "c1"), (3, "p2")]


def test_a_store_of_a_newer_tool_is_refused(server: Server) -> None:
    opened(server).close()
    sql(server.url(), "UPDATE a_old.alembic_version SET version_num = '9001'")
    with pytest.raises(StoreError) as caught:
        opened(server, upgrade=True)
    assert caught.value.code == "schema_newer"
