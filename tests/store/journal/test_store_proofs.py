"""What proof of life found stays in the store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.core.cutover.life import KeptProof, Life, OldSide, Proof
from migrator.core.cutover.silence import Sessions
from migrator.core.fleet.imei import Unit
from migrator.store import Store
from tests.builders import source_iccid, target_iccid
from tests.store.store_kit import NOW, change, key, open_store, planned

OLD_HARDWARE, NEW_HARDWARE = "8600000000000104", "352099001761481"
ALIVE = Proof(
    source_iccid=source_iccid(1).digits,
    target_iccid=target_iccid(1).digits,
    life=Life.ALIVE,
    unit=Unit.MOVED,
    since_s=NOW - 60,
    source_imei=OLD_HARDWARE,
    target_imei=NEW_HARDWARE,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        planned(opened, [change(1), change(2)])
        yield opened


def test_what_was_found_is_kept_with_its_time_and_a_sim_that_nobody_asked_for_has_none(store: Store) -> None:
    store.proofs.keep("p1", [ALIVE], NOW)
    assert store.proofs.among("p1", [key(1), key(2)]) == {
        key(1): KeptProof(
            life=Life.ALIVE,
            unit=Unit.MOVED,
            proved_s=NOW,
            alive_s=NOW - 60,
            source_imei=OLD_HARDWARE,
            target_imei=NEW_HARDWARE,
        )
    }


def test_the_last_proof_counts_and_what_is_known_of_the_old_sim_stays_until_it_is_asked_again(store: Store) -> None:
    store.proofs.keep("p1", [replace(ALIVE, old=OldSide.TALKS, old_used_on="2026-11-20")], NOW)
    store.proofs.keep("p1", [replace(ALIVE, life=Life.SILENT, unit=Unit.NEVER_SEEN, since_s=None)], NOW + 5)
    kept = store.proofs.among("p1", [key(1)])[key(1)]
    assert (kept.life, kept.alive_s, kept.proved_s) == (Life.SILENT, None, NOW + 5)
    assert (kept.old, kept.old_used_on, kept.old_asked_s) == (OldSide.TALKS, "2026-11-20", NOW)
    store.proofs.keep("p1", [replace(ALIVE, old=OldSide.SILENT)], NOW + 9)
    kept = store.proofs.among("p1", [key(1)])[key(1)]
    assert (kept.old, kept.old_used_on, kept.old_asked_s) == (OldSide.SILENT, None, NOW + 9)


@pytest.mark.parametrize("sessions", [Sessions.DATA, Sessions.EMPTY, Sessions.NONE])
def test_what_usage_told_of_sessions_is_kept(store: Store, sessions: Sessions) -> None:
    store.proofs.keep("p1", [replace(ALIVE, sessions=sessions)], NOW)
    kept = store.proofs.among("p1", [key(1)])[key(1)]
    assert (kept.life, kept.sessions) == (Life.ALIVE, sessions)


@pytest.mark.parametrize("was_idle", [True, False, None])
def test_what_the_old_sim_did_before_the_swap_is_kept(store: Store, was_idle: bool | None) -> None:  # noqa: FBT001
    store.proofs.keep("p1", [replace(ALIVE, old=OldSide.SILENT, was_idle_before=was_idle)], NOW)
    kept = store.proofs.among("p1", [key(1)])[key(1)]
    assert (kept.old, kept.was_idle_before) == (OldSide.SILENT, was_idle)


def test_a_silent_sim_of_an_earlier_version_was_asked_for_its_sessions(store: Store) -> None:
    store.proofs.keep("p1", [replace(ALIVE, life=Life.SILENT, since_s=None, sessions=Sessions.NONE)], NOW)
    with store._db.read() as connection:
        assert connection.exec_driver_sql("SELECT life FROM proofs").scalar_one() == "silent"
    assert store.proofs.among("p1", [key(1)])[key(1)].sessions is Sessions.NONE
