"""Pairs: one source, one target, and all of a file or none of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.fleet.identifiers import Eid, Iccid, luhn_digit
from migrator.core.fleet.sims import Pair
from migrator.errors import InputError
from migrator.store import Store
from tests.builders import pair, source_iccid, target_iccid
from tests.store.store_kit import NOW, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def match(source: int, target: int, origin: str = "pairs.csv:2") -> Pair:
    return Pair(source_iccid(source), target_iccid(target), origin)


def add(store: Store, *pairs: Pair, replace: bool = False) -> dict[str, int]:
    return store.pairs.add(pairs, replace=replace, now=NOW)


def couples(store: Store) -> list[tuple[str, str]]:
    return [(one.source.digits, one.target.digits) for one in store.pairs.all()]


def test_pairs_come_back_as_they_were_sorted_by_source(store: Store) -> None:
    pairs = [pair(number) for number in range(2200)]
    assert store.pairs.add(reversed(pairs), replace=False, now=NOW) == {"added": 2200, "unchanged": 0, "replaced": 0}
    assert [(one.source.digits, one.target.digits, one.origin) for one in store.pairs.all()] == [
        (one.source.digits, one.target.digits, one.origin) for one in pairs
    ]
    assert [target.digits for target in store.pairs.targets()] == [one.target.digits for one in pairs]
    assert store.pairs.count() == 2200


def test_the_same_file_again_changes_nothing(store: Store) -> None:
    add(store, match(1, 1), match(2, 2))
    again = add(store, match(1, 1, "other.csv:9"), match(2, 2), match(2, 2))
    assert again == {"added": 0, "unchanged": 2, "replaced": 0}
    assert [one.origin for one in store.pairs.all()] == ["pairs.csv:2", "pairs.csv:2"]


def test_a_target_with_its_check_digit_is_the_same_target(store: Store) -> None:
    add(store, match(1, 1))
    bare = target_iccid(1).digits
    long = Pair(source_iccid(1), Iccid.parse(bare + luhn_digit(bare)), "x")
    assert add(store, long)["unchanged"] == 1
    with pytest.raises(InputError):
        add(store, Pair(source_iccid(2), long.target, "x"))


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([match(3, 3), match(1, 9)], "pair_contradiction"),
        ([match(3, 3), match(4, 1)], "target_taken"),
        ([match(3, 3), match(3, 4)], "source_twice"),
        ([match(3, 3), match(4, 3)], "target_twice"),
    ],
)
def test_one_pair_that_cannot_be_keeps_all_the_others_out(store: Store, pairs: list[Pair], code: str) -> None:
    add(store, match(1, 1))
    with pytest.raises(InputError) as caught:
        add(store, *pairs)
    assert caught.value.code == code
    assert caught.value.exit_code == 2
    assert couples(store) == [(source_iccid(1).digits, target_iccid(1).digits)]


def test_replacing_is_said_and_counted(store: Store) -> None:
    add(store, match(1, 1), match(2, 2))
    assert add(store, match(1, 9), match(2, 2), match(3, 3), replace=True) == {
        "added": 1,
        "unchanged": 1,
        "replaced": 1,
    }
    assert [one.target for one in store.pairs.all()] == [target_iccid(9), target_iccid(2), target_iccid(3)]


def test_two_sources_may_swap_their_targets(store: Store) -> None:
    add(store, match(1, 1), match(2, 2))
    assert add(store, match(1, 2), match(2, 1), replace=True)["replaced"] == 2
    assert [one.target for one in store.pairs.all()] == [target_iccid(2), target_iccid(1)]


def test_replacing_does_not_take_a_target_from_another_source(store: Store) -> None:
    add(store, match(1, 1), match(2, 2))
    with pytest.raises(InputError, match=target_iccid(2).digits) as caught:
        add(store, match(1, 2), replace=True)
    assert caught.value.code == "target_taken"
    assert [one.target for one in store.pairs.all()] == [target_iccid(1), target_iccid(2)]


def test_a_failed_import_leaves_nothing_behind_for_the_next(store: Store) -> None:
    with pytest.raises(InputError):
        add(store, match(1, 1), match(1, 2))
    assert add(store, match(3, 3)) == {"added": 1, "unchanged": 0, "replaced": 0}
    assert store.pairs.count() == 1


def test_an_importer_can_ask_for_any_number_of_keys(store: Store) -> None:
    store.pairs.add(map(pair, range(1500)), replace=False, now=NOW)
    asked = [source_iccid(number).key for number in range(1400, 2600)]
    assert set(store.pairs.by_source_keys(asked)) == set(asked[:100])
    targets = [target_iccid(number).key for number in range(1400, 2600)]
    found = store.pairs.by_target_keys(targets)
    assert set(found) == set(targets[:100])
    assert found[target_iccid(1400).key].source == source_iccid(1400)


def test_the_fingerprint_is_that_of_the_pairs_wherever_they_came_from(store: Store) -> None:
    add(store, match(1, 1), match(2, 2))
    before = store.pairs.fingerprint()
    add(store, match(1, 2, "b.csv:7"), match(2, 1), replace=True)
    assert store.pairs.fingerprint() != before
    add(store, match(2, 2, "c.csv:1"), match(1, 1, "c.csv:2"), replace=True)
    assert store.pairs.fingerprint() == before


def test_the_caller_may_write_while_it_reads_pairs(store: Store) -> None:
    store.pairs.add(map(pair, range(1200)), replace=False, now=NOW)
    for number, _ in enumerate(store.pairs.all()):
        if number == 0:
            add(store, match(9_000_000, 9_000_000))
    assert store.pairs.count() == 1201


# --- the chip of a target -----------------------------------------------------------------------------------------

CHIP, OTHER_CHIP = Eid("89049032000000000000000000000163"), Eid("89049032000000000000000000000260")


def with_chip(number: int, eid: Eid | None) -> Pair:
    return Pair(source_iccid(number), target_iccid(number), "pairs.csv:2", eid)


def test_a_pair_keeps_its_eid(store: Store) -> None:
    add(store, with_chip(1, CHIP), with_chip(2, None))
    assert [one.eid for one in store.pairs.all()] == [CHIP, None]


def test_a_pair_that_is_there_already_gains_an_eid_and_loses_none(store: Store) -> None:
    add(store, with_chip(1, None), with_chip(2, CHIP))
    again = add(store, with_chip(1, OTHER_CHIP), with_chip(2, None))
    assert again == {"added": 0, "unchanged": 2, "replaced": 0}
    assert [one.eid for one in store.pairs.all()] == [OTHER_CHIP, CHIP]


def test_another_target_is_another_chip(store: Store) -> None:
    add(store, with_chip(1, CHIP))
    add(store, match(1, 9), replace=True)
    assert [one.eid for one in store.pairs.all()] == [None]


def test_the_fingerprint_of_the_pairs_does_not_depend_on_chips(store: Store) -> None:
    """What a plan uses is the ICCID: learning an EID makes no plan stale."""
    add(store, with_chip(1, None))
    before = store.pairs.fingerprint()
    add(store, with_chip(1, CHIP))
    assert store.pairs.fingerprint() == before
