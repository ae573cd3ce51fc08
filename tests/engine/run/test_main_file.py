"""A store is carried on without its `-wal`, as a copy of the one file leaves it: no intent is forgotten."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import Crash, World


def carried_off(world: World, to: Path, kind: str) -> None:
    """The machine dies when the first order that counts has arrived; its one file `state.db` goes on elsewhere."""
    if kind not in {StepKind.CLAIM, StepKind.SOURCE}:
        return
    to.mkdir()
    shutil.copy(world.folder / "state.db", to)
    raise Crash("carried off")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The folder on the other machine."""
    return tmp_path / "elsewhere"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A planned migration."""
    world = World(tmp_path, sims=6)
    world.ready()
    return world


def test_a_claim_is_in_the_main_file_before_it_leaves(tmp_path: Path, elsewhere: Path) -> None:
    """The carrier's reads lag, so that whoever forgot the claim would send it again."""
    world = World(tmp_path, sims=6, behaviour=HologramBehaviour(read_lag_s=50.0))
    world.ready()
    with pytest.raises(Crash):
        world.apply(hooks=Hooks(after_effect=lambda kind: carried_off(world, elsewhere, kind)))
    assert len(world.claims_sent()) == 1
    world.folder = elsewhere
    world.apply_until_quiet()
    world.check_fulfilled()


@pytest.fixture
def migrated(tmp_path: Path) -> CutoverWorld:
    """A fleet that was migrated, and is planned to be cut over."""
    world = CutoverWorld(tmp_path, sims=4)
    world.migrated()
    world.cutover_plan()
    return world


def test_an_order_of_a_cutover_is_in_the_main_file_so_that_it_can_be_taken_back(
    migrated: CutoverWorld, elsewhere: Path
) -> None:
    """Only who knows of the order knows that the SIM was on before it, and that it is ours to switch on again."""
    with pytest.raises(Crash):
        migrated.cut_over(hooks=Hooks(after_effect=lambda kind: carried_off(migrated, elsewhere, kind)))
    migrated.folder = elsewhere
    migrated.wait(600)
    assert migrated.cut_over().exit_code == 0
    assert migrated.rollback_plan().count == len(migrated.served)


def test_an_order_of_a_rollback_is_in_the_main_file_too(migrated: CutoverWorld, elsewhere: Path) -> None:
    assert migrated.cut_over().exit_code == 0
    migrated.rollback_plan()
    with pytest.raises(Crash):
        migrated.roll_back(hooks=Hooks(after_effect=lambda kind: carried_off(migrated, elsewhere, kind)))
    with closing(sqlite3.connect(elsewhere / "state.db")) as copy:
        newest = copy.execute("SELECT kind, outcome FROM requests ORDER BY request_id DESC LIMIT 1").fetchone()
    assert newest == (StepKind.SOURCE, "sent")


# --- somebody reads meanwhile -------------------------------------------------------------------------------------


def reader(world: World) -> sqlite3.Connection:
    """Another program that looks at the store as it is now, and does not let go."""
    other = sqlite3.connect(world.folder / "state.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM steps").fetchone()
    return other


def test_nothing_is_claimed_as_long_as_a_reader_keeps_the_intent_out_of_the_main_file(world: World) -> None:
    other = reader(world)
    result = world.apply()
    other.close()
    assert (result.exit_code, world.claims_sent()) == (7, [])
    assert "another program reads the state store" in result.reason
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        assert store.journal.step_counts(plan_id)[StepKind.CLAIM, "pending"] == 6
    assert world.apply().exit_code == 0
    world.check_fulfilled()


def test_a_claim_waits_for_a_reader_that_ends(world: World) -> None:
    other = reader(world)

    async def let_go() -> None:
        await anyio.sleep(20)
        assert world.claims_sent() == []
        other.close()

    assert world.apply(beside=let_go).exit_code == 0
    world.check_fulfilled()


def test_an_order_to_stop_ends_the_wait_for_a_reader(world: World) -> None:
    other = reader(world)

    async def stop() -> None:
        await anyio.sleep(5)
        world.stopper.stop("that will do")

    result = world.apply(beside=stop)
    other.close()
    assert (result.exit_code, result.reason, world.claims_sent()) == (130, "that will do", [])
