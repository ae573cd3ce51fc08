"""What changed between two handovers: rows held against the cursor of the last one."""

from collections.abc import Iterable

from migrator.core.cutover.handover import Stage
from migrator.core.cutover.handover_cursor import CursorEntry
from migrator.reports.handover.row import NEW, OLD, HandoverRow
from migrator.workflows.handover.cursor import changed_since
from tests.builders import source_iccid, target_iccid

EARLY, LATE = "2026-11-20T00:00:00Z", "2026-11-25T00:00:00Z"


def row(number: int, *, card: int | None = None, seen: str | None = LATE, label: str = "pump") -> HandoverRow:
    old, new = source_iccid(number), target_iccid(number if card is None else card)
    told = dict.fromkeys(OLD) | {"iccid": old.digits, "label": label}
    return HandoverRow(
        old.key,
        new.digits,
        Stage.IN_SERVICE,
        told,
        dict.fromkeys(NEW) | {"iccid": new.digits},
        in_unit_at=seen,
    )


def compared(rows: Iterable[HandoverRow], before: Iterable[CursorEntry]) -> tuple[list[HandoverRow], list[CursorEntry]]:
    kept: list[CursorEntry] = []
    return list(changed_since(rows, iter(before), kept.append)), kept


def test_the_first_sight_of_a_card_is_kept_and_that_of_another_card_is_not() -> None:
    _, before = compared([row(12, seen=EARLY), row(29, seen=EARLY)], [])
    changed, after = compared([row(12), row(29, card=77)], before)
    assert [(one.key, one.in_unit_at) for one in changed] == [(source_iccid(29).key, LATE)]
    assert [entry.in_unit_at for entry in after] == [EARLY, LATE]


def test_a_unit_that_is_seen_for_the_first_time_and_one_that_is_no_more_seen_are_changes() -> None:
    _, before = compared([row(12, seen=None), row(29)], [])
    changed, _ = compared([row(12), row(29, seen=None)], before)
    assert [one.in_unit_at for one in changed] == [LATE, None]


def test_pairs_may_come_and_go_at_any_place() -> None:
    _, before = compared([row(12), row(29), row(31)], [])
    changed, after = compared([row(4), row(29), row(31, label="other"), row(40)], before)
    told = [(one.key, one.status) for one in changed]
    assert told == [
        (source_iccid(4).key, Stage.IN_SERVICE),
        (source_iccid(12).key, Stage.REMOVED),
        (source_iccid(31).key, Stage.IN_SERVICE),
        (source_iccid(40).key, Stage.IN_SERVICE),
    ]
    assert [entry.key for entry in after] == [source_iccid(number).key for number in (4, 29, 31, 40)]
