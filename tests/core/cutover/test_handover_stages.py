"""The stage of a unit: in service only where its new SIM was seen in it."""

from itertools import product
from typing import Any

import pytest

from migrator.core.cutover.handover import Stage, UnitLife, has_moved
from migrator.core.cutover.handover_cursor import BadCursor, CursorEntry, cursor_end, entries_from, entry_line
from migrator.core.cutover.life import Life
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import LinkState

LIVE = {"is_ours": True, "state": LinkState.LIVE}


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ({"is_ours": False}, Stage.WAITING),
        (LIVE, Stage.CLAIMED),
        (LIVE | {"life": Life.UNKNOWN}, Stage.CLAIMED),
        (LIVE | {"life": Life.SILENT}, Stage.SILENT),
        (LIVE | {"life": Life.PAUSED, "state": LinkState.PAUSED_USER}, Stage.PAUSED),
        (LIVE | {"life": Life.SILENT, "state": LinkState.PAUSED_SYSTEM}, Stage.PAUSED),
        (LIVE | {"life": Life.ALIVE}, Stage.ALIVE),
        (LIVE | {"life": Life.ALIVE, "unit": Unit.MOVED}, Stage.OTHER_UNIT),
        (LIVE | {"life": Life.ALIVE, "unit": Unit.MOVED, "is_old_off": True}, Stage.OTHER_UNIT),
        (LIVE | {"life": Life.ALIVE, "unit": Unit.MATCHED}, Stage.IN_SERVICE),
        (LIVE | {"life": Life.ALIVE, "unit": Unit.MATCHED, "is_old_off": True}, Stage.IN_SERVICE),
        (LIVE | {"life": Life.ALIVE, "is_old_off": True}, Stage.OLD_OFF),
        (LIVE | {"life": Life.SILENT, "is_old_off": True}, Stage.OLD_OFF),
        ({"is_ours": False, "is_old_off": True}, Stage.OLD_OFF),
        (LIVE | {"life": Life.ALIVE, "unit": Unit.MATCHED, "is_taken_back": True}, Stage.ROLLED_BACK),
        (LIVE | {"life": Life.ALIVE, "unit": Unit.MATCHED, "state": LinkState.RETIRED}, Stage.RETIRED),
    ],
)
def test_each_life_has_its_stage(facts: dict[str, Any], stage: Stage) -> None:
    assert UnitLife(**facts).stage() is stage


def test_nothing_but_a_sight_in_the_unit_makes_a_unit_be_in_service() -> None:
    lives, flags = [None, *Life], (False, True)
    for ours, state, life, unit, off, back in product(flags, [None, *LinkState], lives, Unit, flags, flags):
        facts = UnitLife(is_ours=ours, state=state, life=life, unit=unit, is_old_off=off, is_taken_back=back)
        if facts.stage() is Stage.IN_SERVICE:
            assert (ours, life, unit, back) == (True, Life.ALIVE, Unit.MATCHED, False)


def test_a_record_is_out_of_date_where_the_new_sim_is_in_service_or_the_old_one_off() -> None:
    assert {stage for stage in Stage if has_moved(stage)} == {Stage.IN_SERVICE, Stage.OLD_OFF}


@pytest.mark.parametrize(
    ("given", "body", "printed"),
    [
        ("8988228066603000034", "8988228066603000034", "89882280666030000347"),
        ("89882280666030000347", "8988228066603000034", "89882280666030000347"),
        ("89882280666030000348", "89882280666030000348", None),
        ("898822806660300003", "898822806660300003", "8988228066603000030"),
    ],
)
def test_an_iccid_is_told_with_and_without_its_check_digit(given: str, body: str, printed: str | None) -> None:
    iccid = Iccid.parse(given)
    assert (iccid.body, iccid.with_check_digit) == (body, printed)
    assert Iccid.parse(iccid.body) == iccid
    assert printed is None or Iccid.parse(printed) == iccid


# --- the cursor -----------------------------------------------------------------------------------------------------


def entry(number: int, seen: str | None = None) -> CursorEntry:
    source = Iccid.parse(f"8988228{number:012d}")
    return CursorEntry(source.key, source.digits, f"8944500{number:012d}", f"{number:016x}", seen)


ENTRIES = [entry(number, None if number % 2 else "2026-11-20T00:00:00Z") for number in (12, 29, 31)]
LINES = [*map(entry_line, ENTRIES), cursor_end(len(ENTRIES))]


def test_a_cursor_reads_as_it_was_written() -> None:
    assert list(entries_from(LINES)) == ENTRIES


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        (LINES[:-1], 4),
        (LINES[:1] + LINES[2:], 4),
        ([], 1),
        ([LINES[1], LINES[0], *LINES[2:]], 3),
        ([LINES[0], LINES[0], *LINES[1:]], 3),
        ([*LINES[:2], LINES[2][:20], LINES[3]], 4),
        ([*LINES[:3], "end 2\n"], 5),
    ],
)
def test_a_cursor_that_is_not_whole_is_refused_with_its_line(lines: list[str], at: int) -> None:
    with pytest.raises(BadCursor) as refused:
        list(entries_from(lines))
    assert refused.value.line == at
