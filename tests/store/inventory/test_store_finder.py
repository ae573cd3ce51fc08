"""One search for a SIM by any name that a person may have."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from migrator.core.fleet.identifiers import Eid
from migrator.core.fleet.sims import Pair
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store import Store
from migrator.store.pairs.finder import MOST_HITS, Found, Name
from migrator.store.tables.sightings import pair_versions
from tests.builders import sim, source_iccid, target, target_iccid
from tests.store.store_kit import NOW, key, open_store, pulled

EID = "89049032000000000000000000000018"
IMEI = "356938035643809"
NEW_IMEI = "352099001761481"


def new_key(number: int) -> str:
    return target_iccid(number).key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        sims = [
            sim(1, label="Pump 7", imei=IMEI[:14] + "23f", imsi="901405100000001", msisdn="882285100000001"),
            sim(2, label="shared"),
            sim(3, label="shared"),
            sim(4, label="1001", imei="86 723400 000001 2"),
        ]
        pulled(opened, sims)
        pairs = [Pair(source_iccid(1), target_iccid(1), "p.csv:2", Eid(EID))]
        pairs += [Pair(source_iccid(n), target_iccid(n), f"p.csv:{n}") for n in (2, 4)]
        opened.pairs.add(pairs, replace=False, now=NOW)
        raw = {"links": {"cellular": [{"imsi": 234504860001001, "msisdn": "+8829001", "sim": "8944500000000000999"}]}}
        links = [target(1, name="Pump seven", imei=NEW_IMEI, raw=raw), target(9, name="a stranger")]
        opened.journal.observed(links, (), now=NOW)
        noted = UnitFacts(key(2), unit="M-2", ticket="T-55", imei="490154203237518", origin="f.csv:2")
        opened.unit_facts.put([noted], NOW)
        yield opened


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (source_iccid(1).digits, Name.OLD_ICCID),
        (f"{source_iccid(1).digits}F", Name.OLD_ICCID),
        (f" {target_iccid(1).digits} ", Name.NEW_ICCID),
        (EID, Name.EID),
        (IMEI, Name.IMEI),  # with its check digit, where 1NCE told the software version
        (IMEI[:14], Name.IMEI),
        ("35-693803-564380-9", Name.IMEI),
        (NEW_IMEI, Name.IMEI),
        (NEW_IMEI[:14] + "99", Name.IMEI),
        ("901405100000001", Name.IMSI),
        ("+882285100000001", Name.MSISDN),
        ("234504860001001", Name.IMSI),  # of the new SIM: only Hologram's own record has it
        ("+8829001", Name.MSISDN),
        ("8944500000000000999", Name.NEW_ICCID),  # of a profile that is not in use
        ("Pump 7", Name.LABEL),
        ("pump  7", Name.LABEL),
        ("PUMP SEVEN", Name.DEVICE_NAME),
    ],
)
def test_a_sim_is_found_by_each_of_its_names(store: Store, text: str, name: Name) -> None:
    assert store.finder.find(text) == [Found(key(1), new_key(1), (name,))]


def test_the_check_digit_makes_no_difference(store: Store) -> None:
    for iccid in (source_iccid(1), target_iccid(1)):
        for last in "0123456789":
            digits = iccid.digits + last
            found = store.finder.find(digits)
            is_right = type(iccid).parse(digits).key == iccid.key
            assert bool(found) is is_right
        assert len(iccid.digits) == 19


def test_blanks_between_the_digits_that_a_carrier_tells_are_no_difference(store: Store) -> None:
    assert store.finder.find("867234000000012") == [Found(key(4), new_key(4), (Name.IMEI,))]


@pytest.mark.parametrize(("text", "name"), [("M-2", Name.UNIT), ("t-55", Name.TICKET), ("490154203237518", Name.IMEI)])
def test_a_unit_is_found_by_what_people_noted(store: Store, text: str, name: Name) -> None:
    assert store.finder.find(text) == [Found(key(2), new_key(2), (name,))]


def test_every_sim_of_a_label_is_found(store: Store) -> None:
    found = store.finder.find("shared")
    assert found == [Found(key(2), new_key(2), (Name.LABEL,)), Found(key(3), None, (Name.LABEL,))]


def test_a_number_that_is_a_label_and_a_device_id_names_both(store: Store) -> None:
    found = {one.source_key: one.names for one in store.finder.find("1001")}
    assert found == {key(1): (Name.DEVICE_ID,), key(4): (Name.LABEL,)}


def test_a_new_sim_without_a_pair_is_found_alone(store: Store) -> None:
    assert store.finder.find("1009") == [Found(None, new_key(9), (Name.DEVICE_ID,))]
    assert store.finder.find(target_iccid(9).digits) == [Found(None, new_key(9), (Name.NEW_ICCID,))]


def test_an_imei_of_before_a_later_pull_still_finds_its_sim(store: Store) -> None:
    pulled(store, [sim(1, imei="490154203237599")], now=NOW + 60)
    assert store.finder.find(IMEI) == [Found(key(1), new_key(1), (Name.IMEI,))]


def test_a_card_that_was_taken_out_of_a_pair_is_found_with_the_pair_that_it_was_in(store: Store) -> None:
    with store._db.write() as connection:
        olds = (key(2), 2, source_iccid(2).digits, new_key(8), target_iccid(8).digits, "p")
        news = (new_key(2), target_iccid(2).digits, "c", "e", "r", "kim", NOW)
        connection.execute(insert(pair_versions).values(olds + news))
    found = store.finder.find(target_iccid(8).digits)
    assert found == [Found(key(2), new_key(2), (Name.EARLIER_NEW_ICCID,))]


@pytest.mark.parametrize("text", ["", "   ", "no such thing", "8988228099999999999", "359999999999999", "77", "%", "'"])
def test_what_nobody_knows_finds_nothing(store: Store, text: str) -> None:
    assert store.finder.find(text) == []


def test_of_very_many_sims_only_some_are_named(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(number, label="meter") for number in range(1, 300)])
        assert len(store.finder.find("meter")) == MOST_HITS + 1
