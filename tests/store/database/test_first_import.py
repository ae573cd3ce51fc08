"""A first pairing file is taken at once when nothing is wrong with it: never otherwise, and to the same end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from migrator.core.fleet.identifiers import luhn_digit
from migrator.core.fleet.sims import PairValues
from migrator.inputs.pairing.file import ImportResult, NotPlain, PairRow, plain_values, plan_import
from migrator.store import Store
from migrator.store.tables.fleet import pairs
from tests.builders import pair, sim, source_iccid, target_iccid
from tests.store.store_kit import NOW, open_store, pulled

FILE = "pairs.csv"
SIMS = 6
SOURCES = [source_iccid(number).digits for number in range(1, SIMS + 1)]
TARGETS = [target_iccid(number).digits for number in range(1, SIMS + 1)]


def checked(digits: str) -> str:
    return digits + luhn_digit(digits)


sources = st.sampled_from([*SOURCES, *map(checked, SOURCES), source_iccid(99).digits, "8988228"])
targets = st.sampled_from([*TARGETS, *map(checked, TARGETS), SOURCES[0], f"{TARGETS[0]}x", "89445000000000000000"])
odd_rows = st.lists(st.tuples(sources, targets), min_size=1, max_size=4)
good_rows = st.tuples(st.permutations(SOURCES), st.permutations(TARGETS)).map(
    lambda both: list(zip(*both, strict=True))
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("first")) as opened:
        pulled(opened, [sim(number) for number in range(1, SIMS + 1)])
        yield opened


def rows_of(texts: list[tuple[str, str]]) -> list[PairRow]:
    return [PairRow(line, *both) for line, both in enumerate(texts, start=2)]


def taken_at_once(store: Store, rows: list[PairRow]) -> int | None:
    try:
        return store.pairs.add_first(plain_values(rows, file=FILE), now=NOW)
    except NotPlain:
        return None


def gone_through(store: Store, rows: list[PairRow]) -> ImportResult:
    return plan_import(
        rows,
        file=FILE,
        known_sources=store.inventory.iccids,
        existing_by_source=lambda _keys: {},
        existing_by_target=lambda _keys: {},
        replace=False,
    )


def kept(store: Store) -> list[PairValues]:
    return sorted(
        (one.source.key, one.source.digits, one.target.key, one.target.digits, one.origin, None)
        for one in store.pairs.all()
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd_rows | good_rows)
def test_both_ways_come_to_the_same(store: Store, texts: list[tuple[str, str]]) -> None:
    rows = rows_of(texts)
    slowly = gone_through(store, rows)
    is_plain = not slowly.problems and not slowly.odd_digits and not slowly.unchanged
    with store._db.write() as connection:
        connection.execute(delete(pairs))
    assert taken_at_once(store, rows) == (len(rows) if is_plain else None)
    assert kept(store) == (sorted(slowly.values) if is_plain else [])


def test_a_store_that_has_pairs_is_left_as_it_is(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1), sim(2)])
        store.pairs.add([pair(1)], replace=False, now=NOW)
        assert taken_at_once(store, rows_of([(SOURCES[1], TARGETS[1])])) is None
        assert store.pairs.count() == 1


def test_a_file_whose_targets_a_spreadsheet_rounded_is_gone_through() -> None:
    rounded = [(source, f"89445000000000{number}0000") for number, source in enumerate(SOURCES)]
    with pytest.raises(NotPlain):
        list(plain_values(rows_of(rounded), file=FILE))


def test_a_row_with_an_eid_is_gone_through() -> None:
    with pytest.raises(NotPlain):
        list(plain_values([PairRow(2, SOURCES[0], TARGETS[0], "89" * 16)], file=FILE))
