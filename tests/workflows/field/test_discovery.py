"""Discovery on both simulated carriers: pairs by hardware, and nothing accepted that is not settled."""

import csv
import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest

from migrator.core.cutover.discovery import CardBucket, Code
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.engine.run.context import Stopper, quiet
from migrator.errors import InputError, StoreError
from migrator.workflows.field.discover import read_devices
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.world import new_sims

FILLER = "0000000000000000"
STRANGER = "3520990017614812"


@pytest.fixture
def stocked(tmp_path: Path) -> CorrectedWorld:
    """Old SIMs in hardware of their own, and new ones that somebody claimed in the dashboard, in no pair."""
    world = CorrectedWorld(tmp_path, sims=12)
    for number, old in enumerate(world.on()):
        sim = world.source.fleet.find(old)
        assert sim is not None
        sim.imei = f"35300000{number:06d}17"
    world.pull()
    world.target.stock_claimed(new_sims(6))
    world.wait(3 * 86_400.0)
    return world


def bucket(world: CorrectedWorld, new: str, **asked: object) -> tuple[CardBucket, Code]:
    one = world.discovered(**asked)[1][new]  # type: ignore[arg-type]  # handed through
    return one.bucket, one.code


def test_one_old_and_one_new_sim_in_a_unit_are_exact_and_are_accepted_with_their_evidence(
    stocked: CorrectedWorld, tmp_path: Path
) -> None:
    (new, *others), (old, *_) = new_sims(6), stocked.on()
    stocked.seen_in(new, old)
    result, each = stocked.discovered(accept=True, out=tmp_path / "found.csv")
    assert (each[new].bucket, str(each[new].source)) == (CardBucket.EXACT, old)
    assert result.tally.looked_at == sum(result.tally.buckets.values()) == 6
    assert result.accepted == 1
    assert stocked.pairs() == {old: new}
    assert result.tally.buckets[CardBucket.NEVER_SEEN] == len(others)
    with stocked.store() as store:
        (told,) = [one.detail for one in store.audit.events() if one.kind == "pairs.discovered"]
        (pair,) = store.pairs.all()
    assert pair.origin.startswith("discovered by IMEI")
    assert (told["pairs"][0]["source"], told["pairs"][0]["target"]) == (old, new)
    assert told["pairs"][0]["session_at"] is not None
    assert "IMEI" in told["pairs"][0]["evidence"]
    with (tmp_path / "found.csv").open(newline="") as stream:
        rows = {row["target_iccid"]: row for row in csv.DictReader(stream)}
    assert (rows[new]["source_iccid"], rows[new]["bucket"]) == (old, "exact")
    assert len(rows) == 6
    assert stat.S_IMODE((tmp_path / "found.csv").stat().st_mode) == 0o600
    assert stocked.discovered()[1][new].bucket is CardBucket.KNOWN


def full(*_args: object, **_values: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("option", ["out", "exceptions"])
def test_a_full_disk_is_told_before_a_pair_is_added_and_leaves_the_file_that_was_there(
    stocked: CorrectedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    stocked.seen_in(new_sims(6)[0], stocked.on()[0])
    place = tmp_path / "found.csv"
    place.write_text("as it was", encoding="utf-8")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=f"{place} cannot be written: {os.strerror(errno.ENOSPC)}"):
        stocked.discovered(accept=True, **{option: place})  # type: ignore[arg-type]  # one of two files
    assert stocked.pairs() == {}
    assert place.read_text(encoding="utf-8") == "as it was"
    assert not list(tmp_path.glob(".found*"))


def test_a_full_disk_for_temporary_files_is_told_and_no_pair_is_added(
    stocked: CorrectedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stocked.seen_in(new_sims(6)[0], stocked.on()[0])
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StoreError, match=r"a temporary file in .* cannot be written .*; no pair was added"):
        stocked.discovered(accept=True)
    assert stocked.pairs() == {}


def test_the_list_is_read_by_pages_and_1nce_is_asked_only_about_candidates(stocked: CorrectedWorld) -> None:
    stocked.seen_in(new_sims(6)[0], stocked.on()[0])
    before = len(stocked.target.ledger.entries), len(stocked.source.ledger.requests("GET", "usage"))
    result, _ = stocked.discovered()
    assert result.devices == 6
    assert result.asked == 1
    assert len(stocked.target.ledger.entries) - before[0] <= 3  # the count, and a page
    assert len(stocked.source.ledger.requests("GET", "usage")) - before[1] <= 2


def test_from_disk_alone_a_pair_waits_until_the_old_sim_was_asked_about(stocked: CorrectedWorld) -> None:
    new, old = new_sims(6)[0], stocked.on()[0]
    stocked.seen_in(new, old)
    with stocked.store() as store:
        store.journal.observed([], [], now=0)
    stocked.discovered()  # reads and asks
    assert bucket(stocked, new, live=False) == (CardBucket.EXACT, Code.NONE)
    other, other_old = new_sims(6)[1], stocked.on()[1]
    stocked.wait(2 * 86_400.0)
    stocked.seen_in(other, other_old)
    stocked.seen_in(new, old)

    async def only_the_list() -> None:
        async with stocked.http() as http:
            target = stocked.hologram(http)
            await read_devices(store, target, clock=stocked, stopper=Stopper(), progress=quiet)

    with stocked.store() as store:
        stocked._process(only_the_list)
    assert bucket(stocked, other, live=False) == (CardBucket.WAITING, Code.OLD_SIM_NOT_ASKED)
    assert bucket(stocked, new, live=False) == (
        CardBucket.WAITING,
        Code.OLD_SIM_NOT_ASKED,
    )  # the answer is of before


def test_an_old_sim_that_is_used_since_is_not_exact(stocked: CorrectedWorld) -> None:
    new, old = new_sims(6)[0], stocked.on()[0]
    stocked.seen_in(new, old)
    stocked.comes_back(old, stocked.now().date())
    assert bucket(stocked, new, accept=True) == (CardBucket.WAITING, Code.OLD_SIM_IN_USE)
    assert stocked.pairs() == {}


def test_what_the_old_sim_was_in_before_a_later_pull_counts(stocked: CorrectedWorld) -> None:
    """It lies in a drawer by now, or in the modem of the bench."""
    new, old = new_sims(6)[0], stocked.on()[0]
    unit = stocked.unit_of(old)
    stocked.seen_in(new, old)
    sim = stocked.source.fleet.find(old)
    assert sim is not None
    sim.imei = STRANGER
    stocked.pull()
    one = stocked.discovered()[1][new]
    assert (one.bucket, str(one.source), one.sight.imei) == (CardBucket.EXACT, old, unit)


def test_hardware_that_an_old_sim_came_into_after_the_new_one_vouches_for_nothing(stocked: CorrectedWorld) -> None:
    new, old = new_sims(6)[0], stocked.on()[0]
    at = stocked.target.now
    stocked.target.add_session(new, at, 1, STRANGER)
    stocked.wait(86_400.0)
    sim = stocked.source.fleet.find(old)
    assert sim is not None
    sim.imei = STRANGER
    stocked.pull()
    stocked.goes_silent(old, at.date())
    assert bucket(stocked, new) == (CardBucket.WAITING, Code.SEEN_LATER)


def test_shared_imeis_fillers_and_two_of_a_kind_prove_nothing(stocked: CorrectedWorld) -> None:
    news, olds = new_sims(6), stocked.on()
    for old in olds[:2]:
        sim = stocked.source.fleet.find(old)
        assert sim is not None
        sim.imei = STRANGER
    stocked.pull()
    stocked.seen_in(news[0], olds[0])  # two old SIMs were in it
    stocked.target.add_session(news[1], stocked.target.now, 1, FILLER)
    stocked.seen_in(news[2], olds[2])
    stocked.seen_in(news[3], olds[2])  # two new ones in a unit
    stocked.target.add_session(news[4], stocked.target.now, 1, "3599990000000017")
    result, each = stocked.discovered(accept=True)
    assert {new: (each[new].bucket, each[new].code) for new in news} == {
        news[0]: (CardBucket.AMBIGUOUS, Code.SHARED_IMEI),
        news[1]: (CardBucket.UNKNOWN_HARDWARE, Code.FILLER),
        news[2]: (CardBucket.AMBIGUOUS, Code.TWO_NEW_IN_UNIT),
        news[3]: (CardBucket.AMBIGUOUS, Code.TWO_NEW_IN_UNIT),
        news[4]: (CardBucket.UNKNOWN_HARDWARE, Code.UNKNOWN_IMEI),
        news[5]: (CardBucket.NEVER_SEEN, Code.NO_IMEI),
    }
    assert (result.accepted, stocked.pairs()) == (0, {})


def test_an_old_sim_that_two_new_ones_follow_is_ambiguous(stocked: CorrectedWorld) -> None:
    news, (old, *_) = new_sims(6), stocked.on()
    stocked.seen_in(news[0], old)
    sim = stocked.source.fleet.find(old)
    assert sim is not None
    sim.imei = STRANGER
    stocked.pull()
    stocked.wait(86_400.0)
    stocked.seen_in(news[1], old)
    _, each = stocked.discovered()
    assert {each[new].code for new in news[:2]} == {Code.OLD_SIM_TWICE}


def test_check_digit_and_software_version_are_no_difference_and_one_digit_off_is_for_a_person(
    stocked: CorrectedWorld,
) -> None:
    news, olds = new_sims(6), stocked.on()
    unit = stocked.unit_of(olds[0])
    stocked.target.add_session(news[0], stocked.target.now, 1, f"{unit[:14]}5")
    stocked.goes_silent(olds[0], stocked.now().date())
    other = stocked.unit_of(olds[1])
    stocked.target.add_session(news[1], stocked.target.now, 1, f"{other[:7]}9{other[8:]}")
    stocked.wait(120)
    result, each = stocked.discovered(accept=True)
    assert result.near == 1
    assert result.tally.codes[CardBucket.UNKNOWN_HARDWARE, Code.ONE_DIGIT_OFF] == 1
    assert each[news[0]].source == Iccid.parse(olds[0])
    assert olds[1] not in stocked.pairs()


def test_a_session_of_before_the_claim_says_nothing(stocked: CorrectedWorld) -> None:
    new, old = new_sims(6)[0], stocked.on()[0]
    stocked.seen_in(new, old)
    stocked.target.sims[new].claimed_at = stocked.target.now
    assert bucket(stocked, new) == (CardBucket.NEVER_SEEN, Code.NOT_SINCE_CLAIM)


def test_the_customers_own_list_is_hardware_of_old_sims_too(stocked: CorrectedWorld) -> None:
    new, old = new_sims(6)[0], stocked.on()[0]
    stocked.target.add_session(new, stocked.target.now, 1, STRANGER)
    stocked.goes_silent(old, stocked.now().date())
    stocked.wait(120)
    assert bucket(stocked, new) == (CardBucket.UNKNOWN_HARDWARE, Code.UNKNOWN_IMEI)
    one = stocked.discovered(units=[(Iccid.parse(old).key, STRANGER)])[1][new]
    assert (one.bucket, str(one.source)) == (CardBucket.EXACT, old)


def test_cards_that_were_put_in_crosswise_contradict_their_pairs_and_are_never_accepted(tmp_path: Path) -> None:
    world = CorrectedWorld(tmp_path, sims=12)
    for number, old in enumerate(world.on()):
        sim = world.source.fleet.find(old)
        assert sim is not None
        sim.imei = f"35300000{number:06d}17"
    world.migrated(silent=12)
    one, other = world.on()[:2]
    news = world.pairs()
    world.wait(86_400.0)
    world.seen_in(news[one], other)
    world.seen_in(news[other], one)
    result, each = world.discovered(accept=True)
    assert (each[news[one]].bucket, str(each[news[one]].source)) == (CardBucket.CONTRADICTS, other)
    assert (result.accepted, world.pairs()) == (0, news)
    found = {str(each[new].source): new for new in (news[one], news[other])}
    world.corrected(found)
    _, each = world.discovered()
    assert {each[new].bucket for new in found.values()} == {CardBucket.KNOWN}


# --- cutovers of pairs that were observed --------------------------------------------------------------------------


def migrated_in_units(tmp_path: Path) -> CorrectedWorld:
    """A migrated fleet, each old SIM in hardware of its own."""
    world = CorrectedWorld(tmp_path, sims=12)
    for number, old in enumerate(world.on()):
        sim = world.source.fleet.find(old)
        assert sim is not None
        sim.imei = f"35300000{number:06d}17"
    world.migrated(silent=12)
    world.wait(86_400.0)
    return world


def put(world: CorrectedWorld, old: str, imei: str) -> None:
    """1NCE saw an old SIM in this hardware last, and we pulled that."""
    sim = world.source.fleet.find(old)
    assert sim is not None
    sim.imei = imei
    world.pull()


def test_an_old_sim_that_lies_in_the_bench_by_now_does_not_count_against_its_pair(tmp_path: Path) -> None:
    world = migrated_in_units(tmp_path)
    old = world.on()[0]
    world.seen_in(world.pairs()[old], old)
    put(world, old, STRANGER)
    cutover = world.cutover_plan(wants_observed=True)
    assert world.rows(cutover)[old] == ("SWITCH_OFF", "qualifies")
    world.may_go_off = world.off() | {old}
    world.cut_over()
    assert old in world.off()


def test_a_pair_that_nobody_observed_stays_on_where_that_is_asked_for(tmp_path: Path) -> None:
    """Its hardware is a filler; without the demand it may go, with a warning."""
    world = migrated_in_units(tmp_path)
    old = world.on()[0]
    world.target.add_session(world.pairs()[old], world.target.now, 1, FILLER)
    world.goes_silent(old, world.now().date())
    world.wait(120)
    assert world.rows(world.cutover_plan(wants_observed=True))[old] == ("LEAVE_ON", "not_observed")
    assert world.rows(world.cutover_plan())[old] == ("SWITCH_OFF", "qualifies")


def test_the_bench_vouches_for_no_pair(tmp_path: Path) -> None:
    """The new SIM was tried in it, and the old one came there afterwards."""
    world = migrated_in_units(tmp_path)
    old = world.on()[0]
    world.target.add_session(world.pairs()[old], world.target.now, 1, STRANGER)
    world.goes_silent(old, world.now().date())
    world.wait(86_400.0)
    put(world, old, STRANGER)
    assert world.rows(world.cutover_plan(wants_observed=True))[old] == ("LEAVE_ON", "not_observed")


def test_what_was_observed_at_planning_is_looked_at_again_before_the_order(tmp_path: Path) -> None:
    world = migrated_in_units(tmp_path)
    old = world.on()[0]
    new = world.pairs()[old]
    world.seen_in(new, old)
    assert old in world.meant(world.cutover_plan(wants_observed=True))
    put(world, world.on()[1], world.unit_of(old))  # and two old SIMs with one IMEI prove nothing
    world.may_go_off = world.off()
    assert dict(world.cut_over().aside) == {"not_observed": 1}


def test_a_session_of_before_the_scan_does_not_speak_against_its_pair(stocked: CorrectedWorld) -> None:
    """The card was tried on the bench, in a modem that has an old SIM of its own."""
    new, (old, of_the_bench, *_) = new_sims(6)[0], stocked.on()
    stocked.seen_in(new, of_the_bench)
    stocked.paired_with(old, new)
    assert bucket(stocked, new) == (CardBucket.CONTRADICTS, Code.NONE)
    with stocked.store() as store:
        now = stocked.now().timestamp()
        store.unit_facts.put([UnitFacts(Iccid.parse(old).key, scanned_at=now)], now)
    assert bucket(stocked, new) == (CardBucket.NEVER_SEEN, Code.NOT_SINCE_SWAP)
    stocked.wait(3600)
    stocked.seen_in(new, old)
    assert bucket(stocked, new) == (CardBucket.KNOWN, Code.NONE)
