"""What people see of tables and words, however narrow the terminal."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from migrator.cli.app.tables import Rows, printable, table, wrapped
from migrator.cli.plan.tables import summary_tables

WIDTHS = (40, 60, 80, 120, 200)
ICCID = "8988228066601000004"
WAVE = {
    "wave": "canary",
    "sims": 970,
    "claims": 970,
    "calls": {"claims": 1, "limits": 3, "states": 1, "names": 970, "reads": 2},
    "hours": 0.03,
    "soak_hours": 24.0,
    "charged_now": "44875.93",
}
SUMMARY = {
    "by_wave": [WAVE, WAVE | {"wave": "the rest of the fleet"}],
    "calls": {"claims": 2, "limits": 6, "states": 2, "names": 1940, "reads": 9},
    "groups": [
        {
            "rule": "default",
            "basis": "total",
            "sims": 980,
            "onence_mb": "803500",
            "limit_bytes": 842530816000,
            "unlimited": 0,
            "per_period_at_most": "44875.93",
        }
    ],
}


def drawn(shown: object, width: int) -> str:
    """What a terminal of this width shows."""
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(shown)
    return out.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_of_a_plans_tables_no_number_and_no_wave_is_cut(width: int) -> None:
    seen = "".join(drawn(shown, width) for shown in summary_tables(SUMMARY))
    for whole in ("canary", "970", "24 h", "44,875.93", "842,530,816,000", "785 GiB", "803,500", "1,940", "default"):
        assert whole in seen
    assert "…" not in seen
    assert max(map(len, seen.splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_an_iccid_stands_on_one_line_to_be_copied(width: int) -> None:
    rows = [(ICCID, "89445000000000000019", "CLAIM", "ready", "canary", "a label of some length", "cut from 500")]
    columns = ("source", "target", "action", "reason", "wave", "name", "detail")
    seen = drawn(table("SIMs", columns, rows), width).split()
    assert {ICCID, "89445000000000000019", "CLAIM", "canary"} <= set(seen)


cells = st.one_of(st.integers(0, 10**12), st.text("ab cdä東é\u202e\x1b\n\u0639", max_size=60), st.none())


@given(st.integers(1, 8).flatmap(lambda count: st.lists(st.tuples(*[cells] * count), min_size=1, max_size=4)))
def test_every_character_of_every_value_is_on_the_screen(rows: list[tuple[object, ...]]) -> None:
    columns = tuple(f"column {number}" for number in range(len(rows[0])))
    wanted = "".join(printable("" if value is None else value) for row in rows for value in row)
    for width in (40, 80):
        seen = drawn(Rows("", columns, table("", columns, rows).rows, (False,) * len(columns)), width)
        assert all(seen.count(char) >= wanted.count(char) for char in set(wanted) - set(" \n"))


def test_nothing_that_steers_a_terminal_gets_through() -> None:
    seen = drawn(table("", ("name",), [("a\x1b[31mred\x07\u202eback\r",)]), 80)
    assert "a\\x1b[31mred\\x07\\u202eback\\r" in seen


@given(st.text("ab `-\n", max_size=200), st.integers(20, 90))
def test_wrapping_breaks_between_words_and_loses_none(text: str, width: int) -> None:
    assert wrapped(text, width).split() == text.split()


def test_a_command_is_never_broken() -> None:
    text = "Next: look at it, then do what has to be done with `migrator apply --confirm 980`."
    for width in range(16, 90):
        assert "`migrator apply --confirm 980`." in wrapped(text, width)


def test_lines_are_as_wide_as_the_terminal_and_indented() -> None:
    lines = wrapped("one two three four five six seven eight nine ten eleven twelve", 20, "  ").splitlines()
    assert all(line.startswith("  ") and len(line) <= 20 for line in lines)


def shown(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> list[list[str]]:
    """The cells of each row of a wide table."""
    out = io.StringIO()
    Console(file=out, width=200).print(table(title, columns, rows))
    body = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
    ruled = next((number for number, line in enumerate(body) if line.startswith("─")), 0)
    return [re.split(r"\s{2,}", line) for line in body[ruled + 1 :]]


def test_amounts_have_a_comma_between_thousands() -> None:
    assert shown("Why", ("reason", "SIMs"), [("ready", 49920), ("skipped", 80)]) == [
        ["ready", "49,920"],
        ["skipped", "80"],
    ]
    assert shown("Money", ("", "amount"), [("now", "49920.00"), ("most", "unknown")]) == [
        ["now", "49,920.00"],
        ["most", "unknown"],
    ]


def test_what_is_a_name_and_no_amount_keeps_its_digits() -> None:
    """Numbers of requests are typed again, and a wave may be called 1000."""
    assert shown("Requests", ("request", "run", "SIMs"), [(12345, 1000, 2500)]) == [["12345", "1000", "2,500"]]
    assert shown("Log", ("", "event"), [(12345, "claim")]) == [["12345", "claim"]]
    assert shown("Request", ("", ""), [("request_id", 12345), ("sims", 2500)]) == [
        ["request_id", "12345"],
        ["sims", "2,500"],
    ]
    assert shown("Waves", ("wave", "SIMs"), [("1000", 5000)]) == [["1000", "5,000"]]


def test_limits_of_a_fleet_are_told_in_bytes_and_in_the_unit_that_people_read() -> None:
    groups = [
        {
            "rule": "default",
            "basis": "total",
            "sims": 920,
            "onence_mb": "753000",
            "limit_bytes": 789577728000,
            "unlimited": 0,
            "per_period_at_most": "42087.34",
        }
    ]
    summary = {
        "by_wave": [],
        "calls": dict.fromkeys(("claims", "limits", "states", "names", "reads"), 0),
        "groups": groups,
    }
    out = io.StringIO()
    Console(file=out, width=200).print(summary_tables(summary)[-1])
    for cell in ("753,000", "789,577,728,000", "735 GiB", "42,087.34"):
        assert cell in out.getvalue()


def test_limits_of_another_source_are_told_in_bytes_beside_the_sims_that_are_not_in_the_sum() -> None:
    group = {
        "rule": "default",
        "basis": "data_limit",
        "sims": 920,
        "source_bytes": 753_000_000,
        "not_monthly": 77,
        "limit_bytes": 789577728000,
        "unlimited": 0,
        "per_period_at_most": "42087.34",
    }
    out = io.StringIO()
    Console(file=out, width=200).print(summary_tables(SUMMARY | {"source": "Elsewhere", "groups": [group]})[-1])
    for cell in ("bytes a month at Elsewhere", "753,000,000", "SIMs not monthly", "77"):
        assert cell in out.getvalue()
    assert " MB" not in out.getvalue()


def test_a_plan_of_another_source_that_an_earlier_version_made_is_shown_without_its_sum() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(summary_tables(SUMMARY | {"source": "Elsewhere"})[-1])
    assert "842,530,816,000" in out.getvalue()
    assert "803,500" not in out.getvalue(), "it was a sum over periods, in a unit that nobody told"
