"""Damaged rows: each is a finding of its own, and the others are looked at all the same."""

import shutil
import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from migrator.core.cutover.plan import Require
from migrator.core.plan.approvals import Approval
from migrator.core.run.control import Order, OrderKind
from migrator.store.tables import fleet as tables
from migrator.store.tables import plans as plan_tables
from tests.store.test_store_audit import Edit, problems
from tests.worlds.cutover_world import CutoverWorld

pytestmark = pytest.mark.files

GARBAGE = ("'{'", "x'ff'", "CAST(x'22ff22' AS TEXT)")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> CutoverWorld:
    """A fleet that was migrated and cut over, with approvals, an order and a rate."""
    world = CutoverWorld(tmp_path_factory.mktemp("damage"), sims=6)
    world.migrated()
    assert world.cutover_plan(require=Require.VERIFIED).count
    world.cut_over()
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        store.approvals.add(plan_id, Approval("ada", 5.0, "f" * 64, "as agreed"))
        store.steering.give(plan_id, Order(OrderKind.PAUSE, "bob", 7.0))
        store.steering.set_ceiling("hologram", 3.0, by="bob", now=8.0)
    return world


def setting(table: str, column: str, value: str, where: str = "1 = 1") -> Edit:
    """Put `value` into the first such row, whatever the table says of it."""

    def edit(plain: sqlite3.Connection) -> None:
        keys = [row[1] for row in plain.execute(f"PRAGMA table_info({table})") if row[5]]
        first = f"SELECT {', '.join(keys)} FROM {table} WHERE {where} LIMIT 1"  # noqa: S608 - our own names
        update = f"UPDATE {table} SET {column} = {value} WHERE ({', '.join(keys)}) IN ({first})"  # noqa: S608 - the same
        assert plain.execute(update).rowcount == 1

    return edit


@pytest.mark.parametrize(
    ("cell", "value", "where", "named"),
    [
        ("events.detail", "'{'", "seq = 4", "event 4 "),
        ("events.detail", "'{}'", "kind = 'request.sent'", "(request.sent) does not tell"),
        ("events.detail", "'[]'", "seq = 4", "event 4 "),
        ("plans.header", "'{}'", "plan_no = 1", "plan p"),
        ("plans.header", "'{'", "plan_no = 1", "plan p"),
        ("plans.policy_json", "'{'", "plan_no = 1", "its header or its policy is not what was made"),
        ("changes.document", "'{'", "1 = 1", "its lines do not match"),
        ("changes.document", "x'ff'", "1 = 1", "cannot be checked"),
        ("requests.body", "'{'", "request_id = 1", "request 1 of plan p"),
        ("changes.document", "'{'", "position = 0", "its lines are not what was made"),
        ("plans.header", "'{'", "kind = 'cutover'", "plan c"),
        ("requests.body", "'{'", "kind = 'source'", " of plan c"),
        ("plans.kind", "'cutover'", "kind = 'migrate'", "plan p"),
        ("plans.kind", "'migrate'", "kind = 'cutover'", "plan c"),
        ("plans.kind", "'rollback'", "kind = 'cutover'", "plan c"),
        ("plans.of_plan_no", "2", "kind = 'cutover'", "plan c"),
    ],
)
def test_a_damaged_row_is_named(
    cell: str, value: str, where: str, named: str, *, world: CutoverWorld, tmp_path: Path
) -> None:
    table, column = cell.split(".")
    found = problems(world, tmp_path, setting(table, column, value, where))
    assert [words for words in found if named in words], found


@pytest.mark.parametrize(("table", "column"), [("events", "detail"), ("changes", "document"), ("plans", "header")])
def test_damage_hides_nothing_else(table: str, column: str, world: CutoverWorld, tmp_path: Path) -> None:
    def edit(plain: sqlite3.Connection) -> None:
        setting(table, column, "'{'")(plain)
        assert plain.execute("UPDATE requests SET path = '/other' WHERE request_id = 1").rowcount
        assert plain.execute("UPDATE changes SET wave = 'other' WHERE position IS NOT NULL").rowcount

    found = "\n".join(problems(world, tmp_path, edit))
    assert "request 1 of plan p" in found
    assert "its lines are not what was made" in found


def test_a_page_that_was_overwritten_is_found(world: CutoverWorld, tmp_path: Path) -> None:
    with world.store() as store:
        store.backup(tmp_path / "state.db")
    with closing(sqlite3.connect(tmp_path / "state.db")) as plain:
        page_size = plain.execute("PRAGMA page_size").fetchone()[0]
        at = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_changes_claim_order'").fetchone()[0]
    data = bytearray((tmp_path / "state.db").read_bytes())
    data[(at - 1) * page_size : (at - 1) * page_size + 200] = bytes(200)
    (tmp_path / "state.db").write_bytes(data)
    with CutoverWorld(tmp_path).store() as store:
        found = list(store.audit.problems())
    assert [words for words in found if words.startswith("the file ") and "is damaged" in words], found


EVERYTHING = sorted(
    {table.name for module in (tables, plan_tables) for table in module.metadata.sorted_tables}
    - {"meta", "lease", "alembic_version"}
)


@pytest.mark.share(4)
@pytest.mark.parametrize("table", EVERYTHING)
def test_no_cell_can_hold_what_stops_the_check(table: str, world: CutoverWorld, tmp_path: Path) -> None:
    with world.store() as store:
        store.backup(tmp_path / "whole.db")
    with closing(sqlite3.connect(tmp_path / "whole.db")) as plain:
        columns = [row[1] for row in plain.execute(f"PRAGMA table_info({table})")]
        is_empty = plain.execute(f"SELECT 1 FROM {table}").fetchone() is None  # noqa: S608 - our own name
    for number, (column, value) in enumerate(product(columns, GARBAGE) if not is_empty else ()):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(tmp_path / "whole.db", folder / "state.db")
        try:
            with closing(sqlite3.connect(folder / "state.db")) as plain, plain:
                setting(table, column, value)(plain)
        except sqlite3.Error:
            continue  # a key that takes no such value
        with CutoverWorld(folder).store() as store:
            list(store.audit.problems())
