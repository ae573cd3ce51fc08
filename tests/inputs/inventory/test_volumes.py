"""A volume is read where there is one way to read it, and refused where there are two."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.inputs.inventory.volumes import UnclearVolume, title_unit, volume


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500", "500"),
        ("500 MB", "500"),
        ("500MB", "500"),
        ("500\u00a0mb", "500"),
        ("1.024,5", "1024.5"),
        ("1,024.5", "1024.5"),
        ("1.024.000", "1024000"),
        ("1,024,000.25 MB", "1024000.25"),
        ("1 024", "1024"),
        ("1'024'000,5", "1024000.5"),
        ("435.787951", "435.787951"),
        ("435,787951", "435.787951"),
        ("0.500", "0.500"),
        ("0,5", "0.5"),
        ("1024.500", "1024.500"),
        ("-3.5", "-3.5"),
    ],
)
def test_one_reading_is_taken(text: str, expected: str) -> None:
    assert volume(text, unit="MB", assumed="MB") == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("500,000", "may be 500000 or 500.000"),
        ("1.024", "may be 1024 or 1.024"),
        ("1.024 MB", "may be 1024 or 1.024"),
        ("1 GB", "is in GB, not in MB"),
        ("250 SMS", "is in SMS, not in MB"),
        ("524288000 bytes", "is in BYTES, not in MB"),
        ("unlimited", "is no volume"),
        ("1,02,4", "is no volume"),
        ("1.024,5,6", "is no volume"),
        ("12.34.56", "is no volume"),
        ("MB", "is no volume"),
        ("5E+2", "is no volume"),
        ("nan", "is no volume"),
        ("500 MB, 250 SMS", "is no volume"),
    ],
)
def test_what_may_be_read_in_two_ways_or_in_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(UnclearVolume, match=words):
        volume(text, unit="MB", assumed="MB")


def test_a_number_without_a_unit_needs_one_in_its_title() -> None:
    with pytest.raises(UnclearVolume, match="has no unit"):
        volume("500", unit="MB", assumed="")
    assert volume("500 MB", unit="MB", assumed="") == 500


def test_a_point_that_a_program_wrote_is_decimal() -> None:
    assert volume("1.024", unit="MB", assumed="MB", point_is_decimal=True) == Decimal("1.024")
    with pytest.raises(UnclearVolume):
        volume("1,024", unit="MB", assumed="MB", point_is_decimal=True)


@pytest.mark.parametrize(
    ("title", "unit"),
    [
        ("Data quota (MB)", "MB"),
        ("Volumen [GB]", "GB"),
        ("data_quota_mb", "MB"),
        ("Datenvolumen", ""),
        ("Bytes", "BYTES"),
        ("Number", ""),
        ("SMS quota", "SMS"),
    ],
)
def test_a_title_names_its_unit(title: str, unit: str) -> None:
    assert title_unit(title) == unit


@given(st.text(max_size=20))
def test_any_text_is_a_finite_volume_or_refused(text: str) -> None:
    with suppress(UnclearVolume):
        assert volume(text, unit="MB", assumed="MB").is_finite()


@given(st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False))
def test_what_our_export_writes_is_read_to_the_last_digit(value: Decimal) -> None:
    assert str(volume(f"{value:f}", unit="MB", assumed="MB", point_is_decimal=True)) == f"{value:f}"
