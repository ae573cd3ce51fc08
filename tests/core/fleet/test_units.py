"""Volumes never grow on the way, and money never passes through a float."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.units import BYTES_PER_MB, decimal_of, megabytes, money

volumes = st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False)


def test_one_megabyte_is_1024_times_1024_bytes() -> None:
    assert megabytes(Decimal(1)) == 1024 * 1024


@given(volumes)
def test_bytes_are_the_most_whole_bytes_that_fit_the_volume(volume: Decimal) -> None:
    exact = Fraction(volume) * BYTES_PER_MB
    assert megabytes(volume) <= exact < megabytes(volume) + 1


def test_volume_of_more_digits_than_decimals_multiply_with_is_not_rounded_up() -> None:
    """Decimal arithmetic rounds at 28 digits, which would make a whole megabyte of this."""
    assert megabytes(Decimal("0." + "9" * 40)) == BYTES_PER_MB - 1


@given(st.integers(0, 10**9))
def test_whole_megabytes_are_exact(count: int) -> None:
    assert megabytes(Decimal(count)) == count * BYTES_PER_MB


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_number_written_as_text_is_read_as_the_same_number(value: Decimal) -> None:
    assert decimal_of(str(value)) == value


@pytest.mark.parametrize(("value", "expected"), [(0.1, "0.1"), (500, "500"), (" 12.5 ", "12.5"), ("-3", "-3")])
def test_numbers_and_numeric_text_are_read_exactly(value: object, expected: str) -> None:
    """0.1 is what the carrier wrote, not the binary fraction nearest to it."""
    assert decimal_of(value) == Decimal(expected)


@pytest.mark.parametrize("value", [None, True, False, "", "many", "NaN", float("inf"), "-Infinity", [], "1E+999999999"])
def test_what_is_no_usable_number_is_none(value: object) -> None:
    assert decimal_of(value) is None


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("5", "5.00"), ("0", "0.00"), ("0.0145", "0.0145"), ("12.30", "12.30"), ("1E+3", "1000.00"), ("1.50000", "1.50")],
)
def test_money_has_two_decimals_and_more_only_where_they_matter(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=6))
def test_money_shown_is_the_very_amount(amount: Decimal) -> None:
    assert Decimal(money(amount)) == amount
