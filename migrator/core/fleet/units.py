"""Volumes and money.

Volumes are whole bytes; money is decimal, never a float.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import NewType

__all__ = [
    "BYTES_PER_MB",
    "BYTE_UNITS",
    "LARGEST_EXPONENT",
    "PRICE_BYTES_PER_MB",
    "Bytes",
    "counted",
    "decimal_of",
    "finite",
    "grouped",
    "megabytes",
    "money",
    "n_sims",
    "sized",
    "span",
]

Bytes = NewType("Bytes", int)

BYTES_PER_MB = 1_048_576
"""Bytes in one MB of a volume.

1NCE counts 1 MB = 1024 KB (v2 quota schema), and Hologram's migration guide multiplies by this number.
Read 2026-11-20.
"""

PRICE_BYTES_PER_MB = 1_000_000
"""Bytes in one MB of a price (assumed).

Hologram is assumed to price a decimal megabyte, as its plan sizes are. The smaller unit gives the larger bill.
"""


LARGEST_EXPONENT = 24
"""Largest decimal exponent of a number that is accepted.

Numbers past this many places name no volume, count or price, and would cost memory to write out.
"""


def megabytes(volume: Decimal) -> Bytes:
    """Return `volume` in MB as whole bytes.

    Bytes are rounded down so that a limit is never above what was booked.
    """
    numerator, denominator = volume.as_integer_ratio()  # exact: a product of decimals is rounded at 28 digits
    return Bytes(numerator * BYTES_PER_MB // denominator)


def decimal_of(value: object) -> Decimal | None:
    """Return a carrier's number as a finite decimal, or None.

    A carrier writes a number or a numeric text. None means that the value is no such number, or past any use.
    """
    number = finite(value)
    return number if number is not None and abs(number.adjusted()) <= LARGEST_EXPONENT else None


def finite(value: object) -> Decimal | None:
    """Return a number of any size as a finite decimal, or None."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def money(amount: Decimal) -> str:
    """Write `amount` with two decimals at least.

    There are no trailing zeros beyond two decimals: 5 is "5.00", 0.0145 stays.
    """
    cents = amount.quantize(Decimal("0.01"))
    return f"{cents:f}" if cents == amount else f"{amount.normalize():f}"


_NUMBER = re.compile(r"(-?)([0-9]+)((?:\.[0-9]+)?)")


def grouped(value: object) -> str:
    """Write a number with a comma between thousands.

    The value is a number, or the text of one, as amounts of money are kept. Any other text stays as it is.
    """
    found = None if isinstance(value, bool) else _NUMBER.fullmatch(str(value))
    return str(value) if found is None else f"{found[1]}{int(found[2]):,}{found[3]}"


BYTE_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP, _LARGE = 1024, 100


def sized(count: int) -> str:
    """Write a number of bytes with its unit: "327 GiB"."""
    size, place = float(count), 0
    while size >= _STEP and place < len(BYTE_UNITS) - 1:
        size, place = size / _STEP, place + 1
    return f"{size:,.0f} {BYTE_UNITS[place]}" if size >= _LARGE else f"{size:.3g} {BYTE_UNITS[place]}"


def n_sims(count: int) -> str:
    """Return a number of SIMs in words: "1 SIM", "2 SIMs"."""
    return counted(count, "SIM")


def n_people(count: int) -> str:
    """Return a number of people in words: "1 person", "2 people"."""
    return "1 person" if count == 1 else f"{count} people"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 SIM", "2 SIMs".

    The plural of the noun must take an s.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def span(seconds: float) -> str:
    """Write a duration without a fraction: "2 d", "36 h", "90 s"."""
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds and not seconds % size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:g} s"
