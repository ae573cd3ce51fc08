"""Two plans compared: every SIM that differs once, in order, and nothing held whole."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import luhn_digit
from migrator.core.plan.diff import DifferenceKind, DiffTally, PlanLine, compared, header_differences
from migrator.errors import InputError
from tests.builders import source_iccid

plans = st.dictionaries(st.integers(0, 300), st.fixed_dictionaries({"name": st.sampled_from(["a", "b", None])}))


def line(number: int, *, digits: str = "", **values: Any) -> PlanLine:
    iccid = digits or source_iccid(number).digits
    return PlanLine(iccid, json.dumps({"source_iccid": iccid, **values}))


def lines(plan: dict[int, dict[str, Any]]) -> list[PlanLine]:
    return [line(number, **plan[number]) for number in sorted(plan)]


@given(plans, plans)
def test_every_sim_that_differs_is_told_once_in_order(
    before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]
) -> None:
    expected = {}
    for number in before.keys() | after.keys():
        if number not in before:
            expected[source_iccid(number).digits] = DifferenceKind.ADDED
        elif number not in after:
            expected[source_iccid(number).digits] = DifferenceKind.REMOVED
        elif before[number] != after[number]:
            expected[source_iccid(number).digits] = DifferenceKind.CHANGED
    told = [(one.source_iccid, one.kind) for one in compared(lines(before), lines(after))]
    assert told == sorted(expected.items())


@given(plans)
def test_a_plan_does_not_differ_from_itself(plan: dict[int, dict[str, Any]]) -> None:
    assert list(compared(lines(plan), lines(plan))) == []


@given(plans, plans)
def test_the_way_back_tells_the_same_values_the_other_way_round(
    before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]
) -> None:
    there = [one.fields for one in compared(lines(before), lines(after))]
    back = [one.fields for one in compared(lines(after), lines(before))]
    assert there == [{name: (was, now) for name, (now, was) in fields.items()} for fields in back]


def test_values_are_told_before_and_after_by_their_dotted_names() -> None:
    before = line(1, name="a", wave="canary", source={"label": "x", "status": "Enabled"})
    after = line(1, name="b", wave=None, source={"label": "y", "status": "Enabled"})
    (one,) = compared([before], [after])
    assert dict(one.fields) == {"name": ("a", "b"), "source.label": ("x", "y"), "wave": ("canary", None)}


def test_a_sim_is_the_same_with_and_without_its_check_digit() -> None:
    bare = source_iccid(1).digits
    (one,) = compared([line(1, name="a")], [line(1, digits=bare + luhn_digit(bare), name="a")])
    assert one.kind is DifferenceKind.CHANGED
    assert set(one.fields) == {"source_iccid"}


def test_differences_are_counted_by_kind_value_and_action() -> None:
    before = [line(1, action="BLOCK", name="a"), line(2, action="CLAIM")]
    after = [line(1, action="CLAIM", name="b"), line(3, action="CLAIM")]
    tally = DiffTally()
    assert len(list(tally.counting(compared(before, after)))) == 3
    assert tally.kinds == {"changed": 1, "removed": 1, "added": 1}
    assert tally.fields == {"action": 1, "name": 1}
    assert tally.actions == {"BLOCK -> CLAIM": 1, "CLAIM -> nothing": 1, "nothing -> CLAIM": 1}


def test_a_plan_that_is_not_sorted_is_refused_rather_than_misread() -> None:
    with pytest.raises(InputError, match="not sorted"):
        list(compared([line(200), line(1)], []))


def test_neither_plan_is_read_ahead_of_the_other() -> None:
    """A million SIMs need the memory of a few: each side is asked only for what is compared next."""
    read = {"before": 0, "after": 0}

    def counted(side: str, plan: Iterable[PlanLine]) -> Iterator[PlanLine]:
        for one in plan:
            read[side] += 1
            assert abs(read["before"] - read["after"]) < 30
            yield one

    plan = [line(number, name="a") for number in range(1000)]
    other = [line(number, name="b") for number in range(1000)]
    assert sum(1 for _ in compared(counted("before", plan), counted("after", other))) == 1000


def test_headers_differ_in_what_they_say_and_not_in_what_they_are_called() -> None:
    before = {"plan_id": "p1", "claims": 5, "fingerprints": {"changes": "a", "policy": "x"}, "summary": {"where": None}}
    after = {
        "plan_id": "p2",
        "claims": 6,
        "fingerprints": {"changes": "b", "policy": "x"},
        "summary": {"where": "paired"},
    }
    assert header_differences(before, after) == {"claims": (5, 6), "summary.where": (None, "paired")}
