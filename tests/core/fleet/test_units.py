"""Volumes never grow on the way, and money never passes through a float."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.units import BYTES_PER_MB, decimal_of, grouped, megabytes, money, sized, span

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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (1234567, "1,234,567"),
        (-1500, "-1,500"),
        ("42087.34", "42,087.34"),
        ("1234.56789", "1,234.56789"),
        ("0.0145", "0.0145"),
        (Decimal(753000), "753,000"),
        ("unknown", "unknown"),
        ("2026-11-20", "2026-11-20"),
        (True, "True"),
    ],
)
def test_a_number_for_people_has_a_comma_between_thousands_and_nothing_else_changes(value: object, shown: str) -> None:
    assert grouped(value) == shown


@given(st.integers())
def test_without_its_commas_a_number_is_exact(value: int) -> None:
    assert int(grouped(value).replace(",", "")) == value


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (500 * BYTES_PER_MB, "500 MiB"),
        (1023 * BYTES_PER_MB, "1,023 MiB"),
        (351_000_000_000, "327 GiB"),
        (2**80, "1,073,741,824 PiB"),
    ],
)
def test_bytes_for_people_have_the_unit_that_they_read(count: int, shown: str) -> None:
    assert sized(count) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(14 * 86_400, "14 d"), (36 * 3600, "36 h"), (900, "15 min"), (90, "90 s"), (0.5, "0.5 s"), (0, "0 s")],
)
def test_a_duration_is_written_in_the_largest_unit_that_needs_no_fraction(seconds: float, words: str) -> None:
    assert span(seconds) == words
