"""A claim whose intent a promoted standby never had: everything is read twice before the next claim."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions
from migrator.store.database.sqlite import SqliteDatabase
from tests.worlds.world import Crash, World, crash_at

QUICK = HologramBehaviour(claim_pending_s=(0.0, 0.0), state_pending_s=(0.0, 0.0))
SIMS = 4


def failed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: HologramBehaviour, fault: Fault) -> World:
    """A world that died as its claim had left, and goes on with a store that does not know of it."""
    faults = FaultPlan(scripted=[fault], scripted_for=lambda method, path: method == "POST" and "bulkclaim" in path)
    world = World(tmp_path, sims=SIMS, behaviour=behaviour, faults=faults, options=ApplyOptions(adopt_tagged=SIMS))
    world.ready()
    monkeypatch.setattr(SqliteDatabase, "server", lambda _file: "1/00000001")
    with world.store() as store:
        store.journal.note_server()
        before = tmp_path / "standby.db"
        store.backup(before)
    with pytest.raises(Crash):
        world.apply(hooks=crash_at("after_effect", 1, StepKind.CLAIM))
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    shutil.copyfile(before, tmp_path / "state.db")
    monkeypatch.setattr(SqliteDatabase, "server", lambda _file: "1/00000002")
    return world


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        (QUICK, Fault.NONE),
        (replace(QUICK, read_lag_s=50.0), Fault.NONE),  # no read shows it at first
        (replace(QUICK, late_s=100.0), Fault.LATE),  # Hologram is at work on it for long
        (replace(QUICK, claim_pending_s=(90.0, 90.0)), Fault.NONE),
    ],
)
def test_no_sim_is_claimed_again_whose_intent_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: HologramBehaviour, fault: Fault
) -> None:
    world = failed_over(tmp_path, monkeypatch, behaviour, fault)
    told: list[str] = []
    world.apply(progress=lambda event, _: told.append(event))
    world.apply_until_quiet()
    sent = [iccid for _, iccids in world.claims_sent() for iccid in iccids]
    assert sorted(sent) == sorted(set(sent))
    assert set(world.target.ledger.charges.values()) == {1}
    assert told.count("server_changed") == 1
    world.check_fulfilled()


def test_on_the_same_server_nothing_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteDatabase, "server", lambda _file: "1/00000001")
    world = World(tmp_path, sims=SIMS, behaviour=QUICK)
    world.ready()
    with world.store() as store:
        store.journal.note_server()
    told: list[str] = []
    world.apply(progress=lambda event, _: told.append(event))
    assert "server_changed" not in told
