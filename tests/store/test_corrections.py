"""A correction in the store: whole or not there, whenever its process dies, with its evidence in the log."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from migrator.core.fleet.corrections import Correction
from migrator.core.fleet.identifiers import Eid
from migrator.core.fleet.sims import Pair
from migrator.core.run.control import Selection
from migrator.core.run.states import StepEvent, StepKind
from migrator.store import Store
from tests.builders import pair, sim, source_iccid, target, target_iccid
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, pulled

RING = {1: 2, 2: 3, 3: 1}
"""The number of the new SIM that is in the unit of each old one."""


DYING = """
import sys
from pathlib import Path
from tests.store.test_corrections import corrected
corrected(Path(sys.argv[1]), int(sys.argv[2]))
"""


def corrections(ring: dict[int, int]) -> list[Correction]:
    return [
        Correction(source_iccid(old), target_iccid(new), f"found.csv:{old}", f"IMEI {old}", "ann@desk")
        for old, new in ring.items()
    ]


def migrated(folder: Path) -> None:
    """Three SIMs that a begun plan has claimed, and one more pair."""
    with open_store(folder) as store:
        pulled(store, [sim(number) for number in (1, 2, 3, 4)])
        store.pairs.add([pair(4)], replace=False, now=NOW)
        planned(store, [change(number) for number in (1, 2, 3)])
        run = store.journal.start_run("p1", "me", NOW)
        keys = [key(number) for number in (1, 2, 3)]
        store.journal.begin(run, StepKind.CLAIM, keys, SENT, wave="all", now=NOW)
        store.journal.move("p1", StepKind.CLAIM, StepEvent.CONFIRMED, dict.fromkeys(keys, ("", "")), now=NOW)
        store.journal.observed([target(number) for number in (1, 2, 3)], [], now=NOW)


def state(folder: Path) -> tuple[str, ...]:
    """All that the store holds."""
    with closing(sqlite3.connect(folder / "state.db")) as plain:
        return tuple(plain.iterdump())


def corrected(folder: Path, die_at: int | None = None) -> int:
    """Correct a ring of three, and die by SIGKILL ahead of a statement. Returns: the number of statements."""
    count = 0

    def count_and_die(*_about: object) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_store(folder) as store:
        event.listen(store._db._engine, "before_cursor_execute", count_and_die)
        event.listen(store._db._engine, "commit", count_and_die)
        store.corrections.keep(corrections(RING), now=NOW + 1)
    return count


@pytest.mark.files
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_correction_that_is_killed_at_any_statement_leaves_all_or_nothing(tmp_path: Path) -> None:
    migrated(tmp_path)
    whole = (tmp_path / "state.db").read_bytes()
    before = state(tmp_path)
    statements = corrected(tmp_path)
    after = state(tmp_path)
    assert after != before
    steps = {1, 2, statements // 4, statements // 2, 3 * statements // 4, statements - 1, statements}
    for at in sorted(steps):
        for file in tmp_path.glob("state.db*"):
            file.unlink()
        (tmp_path / "state.db").write_bytes(whole)
        died = subprocess.run([sys.executable, "-c", DYING, tmp_path, str(at)], check=False)
        assert died.returncode == -signal.SIGKILL
        with open_store(tmp_path) as store:
            found = store.corrections.count()
        assert (found, state(tmp_path)) == (0, before), f"killed ahead of statement {at} of {statements}"


def test_each_correction_is_in_the_log_with_its_evidence_and_the_person(tmp_path: Path) -> None:
    migrated(tmp_path)
    with open_store(tmp_path) as store:
        store.corrections.keep(corrections(RING), now=NOW + 1)
        (told,) = [one.detail for one in store.audit.events() if one.kind == "pairs.corrected"]
        assert told["corrections"][0] == {
            "source": source_iccid(1).digits,
            "version": 2,
            "was": target_iccid(1).digits,
            "is": target_iccid(2).digits,
            "origin": "found.csv:1",
            "evidence": "IMEI 1",
            "reason": "",
            "by": "ann@desk",
        }
        assert len(told["corrections"]) == 3


def test_what_the_pairs_say_already_is_no_version(tmp_path: Path) -> None:
    migrated(tmp_path)
    before = state(tmp_path)
    with open_store(tmp_path) as store:
        kept = store.corrections.keep(corrections({1: 1, 2: 2}), now=NOW + 1)
        assert (kept.versions, kept.unchanged) == ((), 2)
    assert state(tmp_path) == before


def test_a_chip_goes_with_its_card(tmp_path: Path) -> None:
    migrated(tmp_path)
    chip = Eid.parse("89049032123451234512345678901235")
    with open_store(tmp_path) as store:
        store.pairs.add([Pair(source_iccid(1), target_iccid(1), "eids.csv:2", chip)], replace=False, now=NOW)
        store.corrections.keep(corrections(RING), now=NOW + 1)
        found = store.pairs.by_source_keys([key(1), key(2), key(3)])
    assert {number: found[key(number)].eid for number in RING} == {1: None, 2: None, 3: chip}


def test_pairs_that_nobody_claimed_for_may_be_corrected_too(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1), sim(2)])
        store.pairs.add([pair(1)], replace=False, now=NOW)
        kept = store.corrections.keep(corrections({2: 1}), now=NOW + 1)
        assert ([str(one) for one in kept.left_without], kept.without_unit) == ([source_iccid(1).digits], ())
        assert [one.source for one in store.pairs.all()] == [source_iccid(2)]


def test_an_old_sim_without_a_card_counts_as_never_claimed_for(tmp_path: Path) -> None:
    migrated(tmp_path)
    with open_store(tmp_path) as store:
        assert store.plans.claimed_before([key(1), key(4)]) == {key(1)}
        lost = [Correction(source_iccid(4), target_iccid(1), "found.csv:2", "IMEI", "ann@desk", "found there")]
        store.corrections.keep(lost, now=NOW + 1)
        assert store.plans.claimed_before([key(1), key(4)]) == {key(4)}
        candidates = {one.sim.iccid.key: one.migrated_before for one in store.plans.candidates()}
    assert candidates == {key(1): False, key(2): True, key(3): True, key(4): True}


def _claims(store: Store) -> int:
    return sum(one.sims for one in store.journal.claims_made(4711))


def test_a_claim_stays_booked_once(tmp_path: Path) -> None:
    migrated(tmp_path)
    with open_store(tmp_path) as store:
        before = _claims(store)
        store.corrections.keep(corrections(RING), now=NOW + 1)
        assert _claims(store) == before == 3


def test_a_retry_brings_no_corrected_sim_of_an_old_plan_back(tmp_path: Path) -> None:
    migrated(tmp_path)
    with open_store(tmp_path) as store:
        refused = {key(1): ("name_refused", "too long")}
        store.journal.begin(1, StepKind.NAME, [key(1)], SENT, wave="all", now=NOW)
        store.journal.move("p1", StepKind.NAME, StepEvent.REFUSED_FOR_GOOD, refused, now=NOW)
        store.corrections.keep(corrections(RING), now=NOW + 1)
        assert store.interventions.retry("p1", Selection(), now=NOW + 2).sims == 0
        assert all(item.is_set_aside and not item.takes_orders for item in store.journal.items("p1"))
