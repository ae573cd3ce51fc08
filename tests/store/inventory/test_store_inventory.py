"""The inventory: a snapshot is whole or not there, and what it holds comes back as it was."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from migrator.core.fleet.identifiers import Iccid, luhn_digit
from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceSim, SourceStatus, data_limit
from migrator.core.fleet.units import Bytes
from migrator.errors import StoreBusy, StoreError
from migrator.ports import Edition, InventoryStore, Reading, Remaining, SourcePage, SourceRow
from migrator.store import Store
from migrator.store.tables.fleet import snapshot_pages, source_sims, unreadable_rows
from tests.builders import sim, source_iccid
from tests.store.store_kit import NOW, key, open_store, page_of, pulled

READ = Remaining(QuotaReading.READ, Decimal("12.5"), "2030-01-01", {"volume": 12.5})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def test_the_store_is_the_port(store: Store) -> None:
    port: InventoryStore = store.inventory
    assert port.open_snapshot("v2", NOW).sims == 0


# --- what comes back ----------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
texts = st.none() | words
volumes = st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**12)
sims = st.builds(
    SourceSim,
    iccid=st.integers(0, 10**6).map(source_iccid),
    status=st.sampled_from(SourceStatus),
    status_word=words,
    label=texts,
    imsi=texts,
    msisdn=texts,
    imei=texts,
    imei_lock=st.none() | st.booleans(),
    ip_address=texts,
    activated_at=texts,
    data_quota_mb=volumes,
    sms_quota=volumes,
    data_reading=st.sampled_from(QuotaReading),
    data_remaining_mb=volumes,
    sms_reading=st.sampled_from(QuotaReading),
    sms_remaining=volumes,
    expires_at=texts,
    data_limit=st.none() | st.builds(data_limit, st.integers(0, 2**63 - 1).map(Bytes), words),
    tags=st.none() | st.lists(words, max_size=3).map(tuple),
)


def as_text(one: SourceSim) -> str:
    """Every digit of every value: 500 and 500.0 are equal, and here they are not the same."""
    return repr(one)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@given(st.lists(sims, max_size=8, unique_by=lambda one: one.iccid.key))
@settings(max_examples=60, deadline=None)
def test_a_sim_comes_back_as_it_was_to_the_last_digit(shared: Store, fleet: list[SourceSim]) -> None:
    shared.inventory.open_snapshot("v2", NOW, fresh=True)
    pulled(shared, fleet)
    found = {as_text(one) for one in shared.inventory.sims()}
    assert found == {as_text(one) for one in fleet}


def test_the_raw_reply_comes_back_in_its_own_order(store: Store) -> None:
    raw = {"label": "pümp ☂", "iccid": source_iccid(1).digits, "quota_status": {"id": 0}, "list": [1.5, None, True]}
    snapshot = store.inventory.open_snapshot("v2", NOW)
    store.inventory.save_pages(snapshot.snapshot_id, 1, [SourcePage(1, [SourceRow(raw, sim(1))])], NOW)
    store.inventory.complete_snapshot(snapshot.snapshot_id, 1, NOW)
    assert list((store.inventory.raw(source_iccid(1)) or {}).items()) == list(raw.items())
    assert store.inventory.raw(source_iccid(2)) is None


@pytest.mark.parametrize(
    "raw",
    [
        {"pin": "4711-secret"},
        {"PUK2": "4711-secret"},
        {"sim": {"profiles": [{"puk_code": "4711-secret"}]}},
        {"nested": [[{"Pin1": "4711-secret"}]]},
    ],
)
@pytest.mark.files
def test_pin_and_puk_never_reach_the_file(tmp_path: Path, raw: dict[str, Any]) -> None:
    """Clients take them out; the store is the last line, in every place where a raw record is kept."""
    with open_store(tmp_path) as store:
        snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
        rows = [SourceRow(raw, sim(1)), SourceRow(raw, None, "no ICCID")]
        store.inventory.save_pages(snapshot_id, 1, [SourcePage(1, rows)], NOW)
        store.inventory.save_readings(snapshot_id, [Reading(source_iccid(1), Remaining(QuotaReading.READ, raw=raw))])
        store.inventory.complete_snapshot(snapshot_id, 1, NOW)
        log = (tmp_path / "state.db-wal").read_bytes()
    assert b"4711-secret" not in log
    assert b"4711-secret" not in (tmp_path / "state.db").read_bytes()


def test_half_an_emoji_is_kept_as_a_replacement_character(store: Store) -> None:
    """A carrier that cuts a label in the middle of one must not stop the pull."""
    tagged = sim(1, label="pump \ud83d", tags=("north \ud83d",))
    pulled(store, [tagged, sim(2, label="pump \U0001f6b0"), sim(3, label="pump\0")])
    assert [one.label for one in store.inventory.sims()] == ["pump \ufffd", "pump \U0001f6b0", "pump\ufffd"]
    assert [one.tags for one in store.inventory.sims()] == [("north \ufffd",), None, None]


def test_half_an_emoji_anywhere_else_stops_nothing_either(store: Store) -> None:
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    rows = [SourceRow({"label": "\ud83d"}, None, "no ICCID in '\ud83d'"), SourceRow({}, sim(1))]
    store.inventory.save_pages(snapshot_id, 1, [SourcePage(1, rows)], NOW)
    cut = Remaining(QuotaReading.READ, Decimal(1), "2030 \ud83d", {"unit": "\ud83d"})
    store.inventory.save_readings(snapshot_id, [Reading(source_iccid(1), data=cut)])
    store.inventory.complete_snapshot(snapshot_id, 1, NOW)
    assert list(store.inventory.unreadable()) == [("no ICCID in '\ufffd'", {"label": "\ufffd"})]
    assert [one.expires_at for one in store.inventory.sims()] == ["2030 \ufffd"]


# --- order and look-up --------------------------------------------------------------------------------------------


def test_sims_come_sorted_by_iccid_as_text_whatever_their_keys(store: Store) -> None:
    """One body in ten ends, by chance, in a right Luhn digit, which its key leaves out."""
    fleet = [sim(number) for number in range(2500)]
    assert any(one.iccid.key != one.iccid.digits for one in fleet)
    pulled(store, reversed(fleet))
    assert [one.iccid.digits for one in store.inventory.sims()] == [one.iccid.digits for one in fleet]


def test_some_sims_come_sorted_too_and_unknown_ones_are_passed_over(store: Store) -> None:
    pulled(store, map(sim, range(1500)))
    wanted = [source_iccid(number) for number in (1400, 3, 77777, 20)]
    found = store.inventory.sims(iccid.key for iccid in wanted)
    assert [one.iccid for one in found] == [source_iccid(number) for number in (3, 20, 1400)]


def test_a_sim_is_found_with_and_without_its_check_digit(store: Store) -> None:
    pulled(store, [sim(4)])
    bare = source_iccid(4).digits
    assert store.inventory.find(Iccid.parse(bare + luhn_digit(bare))) == sim(4)
    assert store.inventory.find(source_iccid(5)) is None


def test_the_caller_may_write_between_two_sims(store: Store) -> None:
    pulled(store, map(sim, range(1200)))
    for number, _ in enumerate(store.inventory.sims()):
        if number % 400 == 0:
            store.inventory.save_account_limits(AccountLimits(Decimal(number)))
    assert store.inventory.account_limits() == AccountLimits(Decimal(800))


def test_a_reader_is_told_when_the_inventory_is_replaced_under_it(store: Store) -> None:
    """It would otherwise plan for half a fleet."""
    pulled(store, map(sim, range(1200)))
    reader = store.inventory.sims()
    next(reader)
    pulled(store, [sim(1)])
    with pytest.raises(StoreBusy, match="replaced the inventory"):
        list(reader)


# --- whole or not there -------------------------------------------------------------------------------------------


def test_an_open_snapshot_leaves_the_inventory_in_force_alone(store: Store) -> None:
    first = pulled(store, [sim(1)])
    before = store.inventory.summary()
    snapshot = store.inventory.open_snapshot("v2", NOW)
    store.inventory.save_pages(snapshot.snapshot_id, 1, [page_of([sim(1, label="other"), sim(2)])], NOW)
    assert list(store.inventory.sims()) == [sim(1)]
    assert {**store.inventory.summary(), "open": None} == before
    assert store.inventory.edition() == Edition(first, NOW)


def test_completing_switches_at_once_and_only_the_summary_of_the_old_one_stays(store: Store) -> None:
    pulled(store, [sim(1), sim(2)])
    new = pulled(store, [sim(3)])
    assert store.inventory.edition() == Edition(new, NOW)
    assert list(store.inventory.sims()) == [sim(3)]
    assert store.info()["counts"]["snapshots"] == 2
    with store._db.read() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM source_sims").scalar_one()
    assert kept == 1


def test_a_snapshot_survives_the_process_and_is_gone_on_with(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        begun = store.inventory.open_snapshot("v2", NOW)
        store.inventory.save_pages(begun.snapshot_id, 1, [page_of(map(sim, range(100)), 2, total=250)], NOW)
    with open_store(tmp_path) as store:
        again = store.inventory.open_snapshot("v2", NOW + 60)
        assert (again.snapshot_id, again.sims, again.passes, again.resumed) == (begun.snapshot_id, 100, 0, True)
        assert store.inventory.pages_done(begun.snapshot_id, 1) == {2: 3}
        assert store.inventory.pages_done(begun.snapshot_id, 2) == {}


@pytest.mark.parametrize("options", [{"api_version": "v1"}, {"api_version": "v2", "fresh": True}])
def test_a_snapshot_from_elsewhere_is_not_gone_on_with(store: Store, options: dict[str, Any]) -> None:
    """SIMs of a file that was half imported are no evidence of what the API lists."""
    begun = store.inventory.open_snapshot("v2", NOW)
    store.inventory.save_pages(begun.snapshot_id, 1, [page_of([sim(1)])], NOW)
    anew = store.inventory.open_snapshot(now=NOW, **options)
    assert (anew.sims, anew.resumed) == (0, False)
    store.inventory.save_pages(anew.snapshot_id, 1, [page_of([sim(2)])], NOW)
    store.inventory.complete_snapshot(anew.snapshot_id, 1, NOW)
    assert list(store.inventory.sims()) == [sim(2)]


def test_a_snapshot_that_is_closed_takes_no_more_pages(store: Store) -> None:
    """Two pulls at once: the slower one must not write into the inventory in force."""
    snapshot_id = pulled(store, [sim(1)])
    with pytest.raises(StoreError, match="completed it or began a new one"):
        store.inventory.save_pages(snapshot_id, 1, [page_of([sim(2)])], NOW)
    with pytest.raises(StoreError):
        store.inventory.complete_snapshot(snapshot_id, 1, NOW)
    assert list(store.inventory.sims()) == [sim(1)]


def test_nothing_pulled_is_an_empty_inventory(store: Store) -> None:
    assert list(store.inventory.sims()) == []
    assert store.inventory.fingerprint() == ""
    assert store.inventory.account_limits() is None
    assert store.inventory.summary()["count"] == 0
    assert store.inventory.summary()["snapshot_id"] is None


# --- passes -------------------------------------------------------------------------------------------------------


def test_a_pass_counts_distinct_sims_and_what_it_could_not_read(store: Store) -> None:
    """A row that shifts to the next page while the list is read comes twice."""
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    store.inventory.save_pages(snapshot_id, 1, [page_of([sim(1), sim(2)], 1, total=4)], NOW)
    shifted = [*page_of([sim(2), sim(3)]).rows, SourceRow({"label": "?"}, None, "no ICCID")]
    store.inventory.save_pages(snapshot_id, 1, [SourcePage(2, shifted, total_sims=5, total_pages=1)], NOW)
    passed = store.inventory.end_pass(snapshot_id, 1)
    assert (passed.sims, passed.unreadable, passed.first_total, passed.last_total) == (3, 1, 4, 5)
    assert (passed.only_in_this_pass, passed.missing_from_this_pass) == (3, 0)


def test_totals_are_those_of_the_first_and_the_last_reply_not_page(store: Store) -> None:
    """Pages come in any order, and one that is saved again is a later reply."""
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    for number, total in ((3, 30), (1, None), (2, 20), (3, 31)):
        store.inventory.save_pages(snapshot_id, 1, [page_of([sim(number)], number, total=total)], NOW)
    passed = store.inventory.end_pass(snapshot_id, 1)
    assert (passed.first_total, passed.last_total) == (20, 31)


def test_a_pass_is_compared_with_the_one_before(store: Store) -> None:
    """A SIM that a pass lists twice was in the one before all the same."""
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    for number, fleet in enumerate(([1, 2, 3], [2, 3, 4, 2, 5], [1, 2, 3, 4, 5]), start=1):
        store.inventory.save_pages(snapshot_id, number, [page_of(map(sim, fleet))], NOW)
        passed = store.inventory.end_pass(snapshot_id, number)
        compared = (passed.sims, passed.only_in_this_pass, passed.missing_from_this_pass)
        assert compared == {1: (3, 3, 0), 2: (4, 2, 1), 3: (5, 1, 0)}[number]
    assert store.inventory.open_snapshot("v2", NOW).passes == 3


def test_sims_that_the_last_pass_does_not_list_are_dropped(store: Store) -> None:
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    rows = [*page_of([sim(1), sim(2)]).rows, SourceRow({}, None, "no ICCID")]
    store.inventory.save_pages(snapshot_id, 1, [SourcePage(1, rows)], NOW)
    store.inventory.save_pages(snapshot_id, 2, [page_of([sim(2, label="new name")])], NOW)
    store.inventory.complete_snapshot(snapshot_id, 2, NOW)
    assert list(store.inventory.sims()) == [sim(2, label="new name")]
    assert list(store.inventory.unreadable()) == []


def test_all_rows_of_former_snapshots_are_dropped_a_part_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.store.inventory.snapshots.DROPPED_AT_ONCE", 2)
    for number in range(3):
        snapshot_id = store.inventory.open_snapshot("v2", NOW, fresh=True).snapshot_id
        odd = [SourceRow({}, None, "no ICCID")] * 3
        pages = [SourcePage(page, [*page_of(map(sim, range(page * 5, page * 5 + 5))).rows, *odd]) for page in (1, 2, 3)]
        store.inventory.save_pages(snapshot_id, 1, pages, NOW)
        if number != 1:  # the second one is never completed
            store.inventory.complete_snapshot(snapshot_id, 1, NOW)
    with store._db.read() as connection:
        for table, rows in ((source_sims, 15), (unreadable_rows, 9), (snapshot_pages, 3)):
            kept = connection.execute(select(table.c.snapshot_id)).scalars().all()
            assert kept == [snapshot_id] * rows, table.name


def test_a_page_saved_again_counts_its_unreadable_rows_once(store: Store) -> None:
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    page = SourcePage(1, [SourceRow({"label": "?"}, None, "no ICCID"), SourceRow({"iccid": "x"}, sim(1))])
    for _ in range(2):
        store.inventory.save_pages(snapshot_id, 1, [page], NOW)
    assert store.inventory.end_pass(snapshot_id, 1).unreadable == 1
    store.inventory.complete_snapshot(snapshot_id, 1, NOW)
    assert list(store.inventory.unreadable()) == [("no ICCID", {"label": "?"})]
    assert store.inventory.summary()["unreadable"] == 1


# --- what remains -------------------------------------------------------------------------------------------------


def test_sims_without_a_reading_are_handed_out_until_each_was_asked_for(store: Store) -> None:
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    store.inventory.save_pages(snapshot_id, 1, [page_of(map(sim, range(5)))], NOW)
    asked: list[Iccid] = []
    while todo := store.inventory.without_reading(snapshot_id, 2):
        asked += todo
        store.inventory.save_readings(snapshot_id, [Reading(iccid, data=READ) for iccid in todo])
    assert sorted(map(str, asked)) == [str(source_iccid(number)) for number in range(5)]


def test_a_reading_is_kept_through_the_next_pass_over_the_list(store: Store) -> None:
    """The list does not tell what remains; silence must not undo what was asked for, SIM by SIM."""
    snapshot_id = store.inventory.open_snapshot("v2", NOW).snapshot_id
    store.inventory.save_pages(snapshot_id, 1, [page_of([sim(1)])], NOW)
    failed = Remaining(QuotaReading.FAILED)
    store.inventory.save_readings(snapshot_id, [Reading(source_iccid(1), data=READ, sms=failed)])
    store.inventory.save_pages(snapshot_id, 2, [page_of([sim(1, label="new")])], NOW)
    store.inventory.complete_snapshot(snapshot_id, 2, NOW)
    (kept,) = store.inventory.sims()
    assert (kept.label, kept.data_reading, kept.data_remaining_mb) == ("new", QuotaReading.READ, Decimal("12.5"))
    assert (kept.sms_reading, kept.sms_remaining, kept.expires_at) == (QuotaReading.FAILED, None, "2030-01-01")
    assert store.inventory.summary()["quotas"] == {"data": {"read": 1}, "sms": {"failed": 1}}


def test_limit_and_tags_of_a_sims_own_record_are_kept_where_the_list_tells_none(store: Store) -> None:
    snapshot_id = store.inventory.open_snapshot("onomondo", NOW).snapshot_id
    store.inventory.save_pages(snapshot_id, 1, [page_of([sim(1), sim(2, tags=("south",))])], NOW)
    limit = data_limit(Bytes(500_000), "Daily")
    for number in (1, 2):
        record = sim(number, data_limit=limit, tags=("north", "\ud83d"))
        store.inventory.save_readings(snapshot_id, [Reading(source_iccid(number), sim=record)])
    store.inventory.save_pages(snapshot_id, 2, [page_of([sim(1), sim(2, tags=())])], NOW)
    store.inventory.complete_snapshot(snapshot_id, 2, NOW)
    kept = {one.iccid: (one.data_limit, one.tags) for one in store.inventory.sims()}
    assert kept == {source_iccid(1): (limit, ("north", "\ufffd")), source_iccid(2): (limit, ())}


def test_one_service_read_leaves_the_other_unasked(store: Store) -> None:
    snapshot_id = pulled(store, [sim(1)])
    store.inventory.save_readings(snapshot_id, [Reading(source_iccid(1), sms=READ)])
    (kept,) = store.inventory.sims()
    assert (kept.data_reading, kept.sms_reading) == (QuotaReading.NOT_READ, QuotaReading.READ)


def test_account_limits_are_the_last_ones_read(store: Store) -> None:
    store.inventory.save_account_limits(AccountLimits(Decimal("1.50"), Decimal(3)))
    store.inventory.save_account_limits(AccountLimits(None, Decimal("10.0")))
    assert store.inventory.account_limits() == AccountLimits(None, Decimal(10))


# --- the fingerprint ----------------------------------------------------------------------------------------------


def print_of(store: Store, *fleet: SourceSim) -> str:
    pulled(store, fleet)
    return store.inventory.fingerprint()


def test_a_re_pull_that_finds_the_same_has_the_same_fingerprint(store: Store) -> None:
    fleet = [sim(1), sim(2)]
    before = print_of(store, *fleet)
    same_in_other_words = sim(1, data_quota_mb=Decimal("5E+2"), imsi="901405", data_remaining_mb=Decimal(3))
    assert print_of(store, sim(2), same_in_other_words) == before


@pytest.mark.parametrize(
    "values",
    [
        {"label": "x"},
        {"label": None},
        {"status": "Disabled"},
        {"data_quota_mb": Decimal(501)},
        {"sms_quota": None},
        {"data_limit": data_limit(Bytes(1), "daily")},
        {"tags": ("north",)},
    ],
)
def test_what_a_plan_is_made_from_changes_the_fingerprint(store: Store, values: dict[str, Any]) -> None:
    before = print_of(store, sim(1), sim(2))
    assert print_of(store, sim(1), sim(2, **values)) != before


def test_presence_changes_the_fingerprint(store: Store) -> None:
    before = print_of(store, sim(1), sim(2))
    assert print_of(store, sim(1)) != before
    assert print_of(store, sim(1), sim(2), sim(3)) != before


def test_the_summary_is_plain_json(store: Store) -> None:
    pulled(store, [sim(1), sim(2, status="Disabled"), sim(3)])
    store.inventory.open_snapshot("v1", NOW + 5)
    summary = json.loads(json.dumps(store.inventory.summary()))
    assert summary["count"] == 3
    assert summary["statuses"] == {"disabled": 1, "enabled": 2}
    assert (summary["taken_at"], summary["api_version"]) == (NOW, "v2")
    assert summary["open"] == {"api_version": "v1", "started_at": NOW + 5}


# --- a list that says little that is new --------------------------------------------------------------------------


def test_a_row_is_known_again_though_no_database_keeps_its_text_as_it_came(store: Store) -> None:
    odd = [sim(1, label="pump \ud83d", tags=("north \ud83d",)), sim(2, label="pump\0"), sim(3, label="pümp ☂")]
    pulled(store, odd)
    base = store.inventory.comparable("v2")
    assert base is not None
    (page,) = store.inventory.compare(base, [page_of([*odd, sim(4)])]) or ()
    assert [json.loads(page.same), page.rows] == [[key(1), key(2), key(3)], 4]
    assert [row.sim for row in page.changed] == [sim(4)]


def test_an_inventory_takes_in_what_changed_and_what_is_new(store: Store) -> None:
    pulled(store, map(sim, range(1, 1101)))
    before, later = store.inventory.comparable("v2"), NOW + 3600.0
    assert before is not None
    number = store.inventory.open_snapshot("v2", later).snapshot_id
    changed = [SourceRow({}, sim(one, label="moved")) for one in range(500, 1201)]
    assert not store.inventory.renew(number, before, changed, 1199, later)
    assert store.inventory.edition() == before
    assert store.inventory.renew(number, before, changed, 1200, later)
    assert store.inventory.edition() == Edition(before.snapshot_id, later)
    assert {one.iccid.key: one.label for one in store.inventory.sims()} == {
        key(one): "moved" if one >= 500 else f"unit {one}" for one in range(1, 1201)
    }


def test_known_pages_that_are_written_down_are_those_of_a_pull(store: Store) -> None:
    pulled(store, [sim(1), sim(2)])
    base = store.inventory.comparable("v2")
    assert base is not None
    number = store.inventory.open_snapshot("v2", NOW).snapshot_id
    pages = store.inventory.compare(base, [page_of([sim(1)], total=3), page_of([sim(2, label="new"), sim(3)], 2)])
    store.inventory.save_compared(number, base, pages or (), NOW)
    assert store.inventory.pages_done(number, 1) == {1: 1, 2: None}
    passed = store.inventory.end_pass(number, 1)
    assert (passed.sims, passed.first_total, passed.last_total) == (3, 3, 3)
    store.inventory.complete_snapshot(number, 1, NOW)
    assert list(store.inventory.sims()) == [sim(1), sim(2, label="new"), sim(3)]
