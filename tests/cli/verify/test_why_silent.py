"""Why new SIMs are silent: `verify --traffic` and the report, over HTTP."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import pool_of
from migrator.wiring.rehearsal.units import SILENCES, UnitsOutside
from tests.cli.conftest import Desk

HARDWARE = "352099001761481"
DAYS = timedelta(days=5)


def swapped(make_desk: Callable[..., Desk]) -> tuple[Desk, str, str]:
    """A fleet that is claimed for five days, and one of its SIMs, old and new, whose unit talked until then."""
    desk = make_desk(sims=6, onence=OnenceBehaviour(rate_limit=None, put_effect_s=0.0), epoch=datetime.now(UTC))
    desk.applied()
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        pairs = sorted((pair.source.digits, pair.target.digits) for pair in store.pairs.all())
    sims = desk.rehearsal.hologram.sims
    old, new = next((old, new) for old, new in pairs if sims[new].state == "LIVE")
    claimed_at = desk.rehearsal.hologram.now - DAYS
    sims[new].claimed_at = claimed_at
    unit = desk.rehearsal.onence.fleet.find(old)
    assert unit is not None
    unit.imei, unit.silent_from = unit.imei or "8600000000000104", claimed_at.date() + timedelta(days=1)
    unit.used_on = (claimed_at.date() - timedelta(days=3),)
    return desk, old, new


def never_attached(desk: Desk, old: str, new: str) -> None:
    del desk, old, new


def no_session(desk: Desk, old: str, new: str) -> None:
    del old
    desk.rehearsal.hologram.add_attach(new, desk.rehearsal.hologram.now - timedelta(days=1))


def zero_bytes(desk: Desk, old: str, new: str) -> None:
    del old
    desk.rehearsal.hologram.add_session(new, desk.rehearsal.hologram.now - timedelta(days=1), 0, HARDWARE)


def paused_by_system(desk: Desk, old: str, new: str) -> None:
    not_silent(desk, old, new)
    desk.rehearsal.hologram.sims[new].state = "PAUSED-SYS"


def paused(desk: Desk, old: str, new: str) -> None:
    del old
    desk.rehearsal.hologram.sims[new].state = "PAUSED-USER"


def not_live(desk: Desk, old: str, new: str) -> None:
    del old
    desk.rehearsal.hologram.sims[new].state = "LIVE-PENDING"


def old_sim_talks(desk: Desk, old: str, new: str) -> None:
    del new
    unit = desk.rehearsal.onence.fleet.find(old)
    assert unit is not None
    unit.silent_from, today = None, desk.rehearsal.hologram.now.date()
    unit.used_on = (*unit.used_on, today, today - timedelta(days=1))


def unit_dead_before(desk: Desk, old: str, new: str) -> None:
    del new
    unit = desk.rehearsal.onence.fleet.find(old)
    assert unit is not None
    unit.silent_from, unit.used_on = desk.rehearsal.hologram.now.date() - timedelta(days=90), ()


def not_silent(desk: Desk, old: str, new: str) -> None:
    del old
    desk.rehearsal.hologram.add_session(new, desk.rehearsal.hologram.now - timedelta(days=1), 4096, HARDWARE)


CASES = [
    never_attached,
    no_session,
    zero_bytes,
    paused_by_system,
    paused,
    not_live,
    old_sim_talks,
    unit_dead_before,
    not_silent,
]


@pytest.mark.parametrize("happens", CASES, ids=lambda happens: str(happens.__name__))
def test_each_silence_is_told_by_verify_and_by_the_report(
    make_desk: Callable[..., Desk], happens: Callable[[Desk, str, str], None]
) -> None:
    desk, old, new = swapped(make_desk)
    happens(desk, old, new)
    told = desk.json("verify", "--traffic", "--old-silent").data["traffic"]
    (proof,) = [one for one in told["proofs"] if one["source_iccid"] == old]
    assert (proof["silence"], proof["silence_missing"]) == (happens.__name__, "")
    assert bool(proof["silence_advice"]) is (happens is not not_silent)
    assert told["silence"][happens.__name__] >= 1
    assert sum(told["silence"].values()) == told["sims"]
    assert desk.run("report", "--format", "csv", "--out", "r").code in {0, 3}
    with (desk.folder / "r" / "reconciliation.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["source_iccid"].lstrip("'") == old]
    assert (row["silence"], row["silence_advice"]) == (happens.__name__, proof["silence_advice"])


def test_a_sim_without_data_needs_attention_although_a_network_saw_it(make_desk: Callable[..., Desk]) -> None:
    desk, old, new = swapped(make_desk)
    for iccid in desk.rehearsal.hologram.sims:
        if iccid != new:
            not_silent(desk, old, iccid)
    before = desk.json("verify", "--traffic").data["traffic"]["attention"]
    zero_bytes(desk, old, new)
    shown = desk.json("verify", "--traffic")
    assert (shown.code, shown.data["traffic"]["attention"]) == (3, before)
    words = desk.run("verify", "--traffic").out
    assert "Why no data comes through" in words
    assert "APN `hologram`" in words


def test_what_was_not_asked_is_named(make_desk: Callable[..., Desk]) -> None:
    desk, old, _ = swapped(make_desk)
    proofs = desk.json("verify", "--traffic").data["traffic"]["proofs"]
    (proof,) = [one for one in proofs if one["source_iccid"] == old]
    assert (proof["silence"], proof["silence_missing"]) == ("never_attached", "old_use old_use_before")


def test_a_scan_in_the_field_is_the_day_of_the_swap(make_desk: Callable[..., Desk]) -> None:
    """A unit that died weeks ago, long after its new SIM was claimed, was dead before the swap of today."""
    desk, old, new = swapped(make_desk)
    now = desk.rehearsal.hologram.now
    desk.rehearsal.hologram.sims[new].claimed_at = now - timedelta(days=50)
    unit = desk.rehearsal.onence.fleet.find(old)
    assert unit is not None
    unit.used_on, unit.silent_from = ((now - timedelta(days=55)).date(),), (now - timedelta(days=52)).date()
    told = desk.json("verify", "--traffic", "--old-silent").data["traffic"]["proofs"]
    assert [one["silence"] for one in told if one["source_iccid"] == old] == ["never_attached"]
    with Store.open(f"sqlite:///{desk.folder}/migrator.db", now=0.0, create=False) as store:
        key = next(sim.iccid.key for sim in store.inventory.sims() if sim.iccid.digits == old)
        store.unit_facts.put([UnitFacts(key, unit="pump", scanned_at=now.timestamp(), origin="t:1")], now.timestamp())
    told = desk.json("verify", "--traffic", "--old-silent").data["traffic"]["proofs"]
    assert [one["silence"] for one in told if one["source_iccid"] == old] == ["unit_dead_before"]


def test_every_silence_can_be_rehearsed(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=24, onence=OnenceBehaviour(rate_limit=None), epoch=datetime.now(UTC))
    carriers = desk.rehearsal
    units = UnitsOutside(carriers.onence, carriers.hologram, pool_of(24), share=0.2, after_s=0, silent=1.0)
    desk.applied()
    carriers.units = units
    desk.run("doctor")  # at any request some go online or fall silent, once for all
    told = desk.json("verify", "--traffic", "--old-silent").data["traffic"]["silence"]
    assert {why: told[why] for why in SILENCES if not told[why]} == {}
    assert told["not_silent"] >= 1
