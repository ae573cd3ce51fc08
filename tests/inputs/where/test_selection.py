"""`--where`: what it says of a SIM, what it refuses and where, and that nothing but its grammar can be said."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import luhn_digit
from migrator.core.fleet.sims import Candidate, QuotaReading
from migrator.errors import InputError
from migrator.inputs.where.fields import FIELDS
from migrator.inputs.where.language import LONGEST, parse_selection
from tests.builders import candidate, sim, source_iccid

SIM = sim(
    1,
    label="pump-07",
    imsi="901405100000001",
    data_remaining_mb=Decimal("0.3"),
    data_reading=QuotaReading.READ,
    activated_at="2024-05-01T00:00:00.000+0000",
    imei_lock=False,
)


def holds(expression: str, one: Candidate | None = None) -> bool:
    return parse_selection(expression).selects(one or candidate(sim=SIM))


def refusal(expression: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_selection(expression)
    return caught.value


@pytest.mark.parametrize(
    "expression",
    [
        'label == "pump-07"',
        "label == 'pump-07'",
        'label like "pump-*"',
        'label like "pump-[0-9]?"',
        'label not like "PUMP*"',
        'label in ("x", "pump-07")',
        'label not in ("x", "y")',
        'status == "enabled"',
        'status == "Activated"',
        "paired",
        "not imei_lock",
        "paired == true",
        "imei_lock != true",
        "data_quota_mb == 500.000",
        "500 <= data_quota_mb",
        "data_remaining_mb < data_quota_mb",
        "data_remaining_mb >= 0.3",
        "not data_remaining_mb > 0.3",
        "msisdn is none",
        "imsi is not none",
        'activated_at >= "2024-01-01" and activated_at < "2025-01-01"',
        "false == imei_lock",
        'label == "x" or paired and status == "enabled"',
        'not label == "x" and paired',
        'NOT (label == "x" OR NOT paired)',
        'label\n  ==\t"pump-07"',
    ],
)
def test_a_condition_holds_for_the_sim_that_it_describes(expression: str) -> None:
    assert holds(expression)
    assert not holds(f"not ({expression})")


def test_and_binds_closer_than_or_and_not_closer_than_both() -> None:
    assert holds('paired or label == "x" and label == "y"')
    assert not holds('(paired or label == "x") and label == "y"')
    assert holds('not label == "x" or label == "x"')


@pytest.mark.parametrize(
    "test", ["== 5", "< 5", "<= 5", "> 5", ">= 5", "in (5)", "== data_quota_mb", "< data_quota_mb"]
)
def test_a_missing_value_equals_nothing_and_has_no_order(test: str) -> None:
    assert not holds(f"sms_remaining {test}")


@pytest.mark.parametrize("test", ["!= 5", "not in (5)", "is none", "!= data_quota_mb", "!= sms_remaining"])
def test_what_denies_equality_holds_for_a_missing_value(test: str) -> None:
    assert holds(f"sms_remaining {test}")


def test_what_remains_is_missing_where_its_reading_failed() -> None:
    failed = sim(1, data_remaining_mb=Decimal(7), data_reading=QuotaReading.FAILED)
    assert holds("data_remaining_mb is none", candidate(sim=failed))


def test_an_unpaired_sim_has_no_target() -> None:
    unpaired = candidate(pair=None)
    assert holds("not paired and target_iccid is none", unpaired)
    assert holds("target_iccid is not none")


def test_decimals_are_compared_exactly() -> None:
    one = candidate(sim=sim(1, data_quota_mb=Decimal("0.1") + Decimal("0.2")))
    assert holds("data_quota_mb == 0.3", one)
    assert holds("data_quota_mb < 0.3000000000000000000000000001", one)


def test_an_iccid_is_found_in_either_form() -> None:
    bare = source_iccid(1).digits
    whole = bare + luhn_digit(bare)
    assert holds(f'iccid == "{bare}"')
    assert holds(f'iccid == "{whole}"')
    assert holds(f'iccid in ("{source_iccid(2)}", "{whole}")')
    assert holds(f'iccid like "{bare[:8]}*" and iccid >= "{bare}"')


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-1000, max_value=1000))
def test_order_is_the_order_of_numbers(bound: Decimal) -> None:
    one = candidate(sim=sim(1, data_quota_mb=Decimal(500)))
    assert holds(f"data_quota_mb < {bound:f}", one) is (bound > 500)
    assert holds(f"data_quota_mb >= {bound:f}", one) is (bound <= 500)


@pytest.mark.parametrize(
    ("expression", "column", "words"),
    [
        ("", 1, "empty"),
        ("label ==", 9, "ends too early"),
        ('labl == "x"', 1, "no field 'labl'"),
        ('paired and labl == "x"', 12, "no field 'labl'"),
        ('label = "x"', 7, "single ="),
        ('label == "x', 10, "no closing quote"),
        ("label == 5", 10, "cannot be compared with label"),
        ('sms_quota == "5"', 14, "cannot be compared with sms_quota"),
        ("label < sms_quota", 9, "cannot be compared with label"),
        ('status == "enabld"', 11, "is no status"),
        ('iccid == "12"', 10, "not an ICCID"),
        ("label", 1, "alone is no condition"),
        ('"a" == "a"', 1, "two literals"),
        ("paired > true", 8, "no order"),
        ("sms_quota like 5", 1, "no text"),
        ("label like 5", 12, "a text in quotes"),
        ("label in ()", 11, "cannot stand here"),
        ("label in (imsi)", 11, "cannot be compared with label"),
        ('(label == "x"', 14, "ends too early"),
        ('label == "x") and paired', 13, "cannot stand here"),
    ],
)
def test_a_mistake_is_told_with_its_column(expression: str, column: int, words: str) -> None:
    error = refusal(expression)
    assert error.message.startswith(f"--where, column {column}: ")
    assert words in error.message
    assert error.exit_code == 2


def test_a_misspelled_field_is_answered_with_the_nearest_and_all_known() -> None:
    error = refusal('labl == "x"')
    assert 'did you mean "label"?' in error.hint
    assert all(name in error.hint for name in FIELDS)


@pytest.mark.parametrize(
    "expression",
    [
        '__import__("os")',
        "label.upper == 1",
        "len(label) > 3",
        "label[0] == 'p'",
        "sms_quota + 1 == 2",
        "lambda: paired",
        "paired if paired else paired",
        "paired; paired",
        "sms_quota == 1e9",
        "sms_quota == 0x10",
        "label == f'{imsi}'",
        "paired # all",
    ],
)
def test_nothing_but_the_grammar_can_be_said(expression: str) -> None:
    assert refusal(expression).code == "where"


def test_length_and_depth_are_bounded() -> None:
    assert "characters" in refusal("paired and " * LONGEST + "paired").message
    assert "within each other" in refusal("not " * 50 + "paired").message
    assert holds(" and ".join(["paired"] * 300))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        parse_selection(text)
    except InputError as error:
        assert error.message.startswith("--where")  # noqa: PT017 - most texts are refused, some are not


@given(
    st.lists(
        st.sampled_from(["and", "or", "not", "(", ")", "paired", '"x"', "label", "==", "in", "5", ","]), max_size=9
    )
)
def test_any_row_of_words_is_read_or_refused(words: list[Any]) -> None:
    try:
        assert isinstance(holds(" ".join(words)), bool)
    except InputError as error:
        assert "column" in error.message  # noqa: PT017 - as above


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("paired", {"paired"}),
        (
            'label like "imsi*" and not (data_quota_mb > 5 or imei_lock == true)',
            {"label", "data_quota_mb", "imei_lock"},
        ),
        ("imsi is none or msisdn == imei", {"imsi", "msisdn", "imei"}),
    ],
)
def test_the_fields_that_it_looks_at_are_known(text: str, fields: set[str]) -> None:
    assert parse_selection(text).fields == fields
