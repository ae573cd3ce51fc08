"""An order whose intent a promoted standby never had: the SIM is this plan's, and its rollback has it."""

import shutil
from pathlib import Path

import pytest

from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.store.database.sqlite import SqliteDatabase
from tests.engine.cutover.test_cutover_runs import migrated
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import Crash, crash_at, empty_store


def on_server(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    empty_store()  # kept for all tests, so it must not be of this server
    monkeypatch.setattr(SqliteDatabase, "server", lambda _file: name)


def one_order_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[CutoverWorld, set[str]]:
    """A world whose first order went out, and whose store knows nothing of it."""
    on_server(monkeypatch, "1/00000001")
    world = migrated(folder, seed=2)  # a begin of its own, for the same reason
    world.cutover_plan()
    before = world.off()
    with world.store() as store:
        store.backup(folder / "standby.db")
    with pytest.raises(Crash):
        world.cut_over(hooks=crash_at("after_effect", 1, StepKind.SOURCE))
    for file in folder.glob("state.db*"):
        file.unlink()
    shutil.copyfile(folder / "standby.db", folder / "state.db")
    lost = world.off() - before
    assert lost
    return world, lost


def test_a_unit_whose_order_was_lost_comes_back_with_the_rollback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, lost = one_order_lost(tmp_path, monkeypatch)
    on_server(monkeypatch, "1/00000002")
    told: list[str] = []
    assert world.cut_over(progress=lambda event, _: told.append(event)).exit_code is ExitCode.DONE
    assert told.count("orders_may_be_lost") == 1
    assert lost <= world.meant(world.rollback_plan())
    assert world.roll_back().exit_code is ExitCode.DONE
    assert not lost & world.off()


def test_only_a_plan_that_is_older_than_its_server_may_lack_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = migrated(tmp_path)  # a file, as a server takes it up
    on_server(monkeypatch, "1/00000001")
    first = world.cutover_plan()
    with world.store() as store:
        assert store.cutovers.may_lack_orders(first.cutover_id, world.now().timestamp())
    world.elapsed_s += 601
    second = world.cutover_plan()
    with world.store() as store:
        assert not store.cutovers.may_lack_orders(second.cutover_id, world.now().timestamp())
        on_server(monkeypatch, "1/00000002")
        assert store.cutovers.may_lack_orders(second.cutover_id, world.now().timestamp())


def test_a_file_lacks_no_order(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    plan = world.cutover_plan()
    told: list[str] = []
    world.cut_over(progress=lambda event, _: told.append(event))
    assert "orders_may_be_lost" not in told
    with world.store() as store:
        assert not store.cutovers.may_lack_orders(plan.cutover_id, world.now().timestamp())
