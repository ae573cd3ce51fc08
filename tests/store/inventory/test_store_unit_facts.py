"""Facts about units: kept by the old SIM, found again, and never half of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.fleet.sims import PairValues
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.errors import InputError
from migrator.store import Store
from tests.builders import source_iccid, target_iccid
from tests.store.store_kit import NOW, key, open_store

IMEI = "356938035643809"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def facts(number: int, **told: str | float) -> UnitFacts:
    return UnitFacts(key(number), **({"unit": f"meter {number}", "origin": f"field.csv:{number}"} | told))  # type: ignore[arg-type]


def events(store: Store) -> list[object]:
    return [event.detail["sims"] for event in store.audit.events() if event.kind == "unit_facts.changed"]


def test_facts_come_back_by_page_with_the_time_of_the_note(store: Store) -> None:
    rows = [facts(number) for number in range(2200)]
    assert store.unit_facts.put(reversed(rows), NOW) == 2200
    found = list(store.unit_facts.by_source_keys(key(number) for number in range(2200)).values())
    assert [one.unit for one in found] == [one.unit for one in sorted(rows, key=lambda one: one.source_key)]
    assert {one.noted_at for one in found} == {NOW}
    assert store.unit_facts.count() == 2200
    assert events(store) == [2200]


def test_all_facts_of_a_row_are_kept(store: Store) -> None:
    told = UnitFacts(key(1), "meter 1", IMEI, "Hall 3", "CHG1", 1.5, "anna", "field.csv:2", NOW)
    store.unit_facts.put([told], NOW)
    assert store.unit_facts.by_source_keys([key(1), key(2)]) == {key(1): told}


def test_the_same_facts_again_change_nothing_and_leave_no_event(store: Store) -> None:
    store.unit_facts.put([facts(1)], NOW)
    assert store.unit_facts.put([facts(1, origin="other.csv:9")], NOW + 5) == 0
    assert store.unit_facts.by_source_keys([key(1)])[key(1)].origin == "field.csv:1"
    assert events(store) == [1]


def test_a_row_without_a_fact_removes_none(store: Store) -> None:
    store.unit_facts.put([facts(1, site="Hall 3")], NOW)
    assert store.unit_facts.put([facts(1, unit="meter 9", origin="b.csv:2")], NOW + 5) == 1
    now = store.unit_facts.by_source_keys([key(1)])[key(1)]
    assert (now.unit, now.site, now.origin, now.noted_at) == ("meter 9", "Hall 3", "b.csv:2", NOW + 5)


def test_of_two_rows_about_one_sim_the_later_counts(store: Store) -> None:
    assert store.unit_facts.put([facts(1), facts(1, unit="meter 9")], NOW) == 1
    assert store.unit_facts.by_source_keys([key(1)])[key(1)].unit == "meter 9"


def test_rows_that_break_off_leave_nothing(store: Store) -> None:
    def rows() -> Iterator[UnitFacts]:
        yield facts(1)
        raise ValueError("it broke off")

    with pytest.raises(ValueError, match="it broke off"):
        store.unit_facts.put(rows(), NOW)
    assert store.unit_facts.count() == 0


def test_the_log_names_no_person_and_no_place(store: Store) -> None:
    store.unit_facts.put([facts(1, scanned_by="anna", site="Hall 3")], NOW)
    assert "anna" not in str([event.detail for event in store.audit.events()])
    assert "Hall 3" not in str([event.detail for event in store.audit.events()])


def test_facts_go_in_with_the_pairs_of_their_file_or_not_at_all(store: Store) -> None:
    own, other = _values(1, 1), _values(1, 9)
    counts = store.pairs.add_values([own], replace=False, now=NOW, facts=[facts(1)])
    assert counts["added"] == 1
    with pytest.raises(InputError):
        store.pairs.add_values([other], replace=False, now=NOW, facts=[facts(1, unit="meter 9")])
    assert [one.unit for one in store.unit_facts.by_source_keys([key(1)]).values()] == ["meter 1"]


def _values(source: int, target: int) -> PairValues:
    old, new = source_iccid(source), target_iccid(target)
    return old.key, old.digits, new.key, new.digits, "field.csv:1", None
