"""Shapes that SIMs come in, as tables.

The length of every table is another prime number, so that traits do not go together.
"""

from migrator.carriers.onence.simulator.model import SimStatus

__all__ = [
    "DATA_LEFT",
    "EXTRAS",
    "ICCID_PREFIXES",
    "IMEIS",
    "LABELS",
    "LOCKS",
    "PLATFORM2",
    "QUOTAS",
    "SMS_LEFT",
    "STATUSES",
]

ICCID_PREFIXES = ("89882280666", "89882280666", "89882806660")
"""Beginnings seen in recorded accounts (reference, section 4.4)."""

STATUSES = (*[SimStatus.ENABLED] * 93, *[SimStatus.DISABLED] * 6, *[SimStatus.EXPIRED] * 2)

LABELS: tuple[str | None, ...] = (
    *["Unit {unit:06d}"] * 12,
    *["DX-{line}-B{box:02d}"] * 8,
    *[None] * 4,
    "",
    "Pump station",
    "Pump station",
    "Spare",
    "Zähler Köln Süd {line}",
    "東京メーター {line}",
    "عداد {line}",
    'Tank "North" {line}',
    "O'Brien's meter {line}",
    "Depot {box}, bay {line}; rack 7",
    '=HYPERLINK("http://example.invalid/{line}","open")',
    "+1+{line}",
    "@SUM(A1:A{box})",
    "<script>alert({line})</script>",
    "🚜 Tractor {line} 🌾",
    "  padded {line}  ",
    "Very long label {line} " + "0123456789 " * 30,
)

IMEIS: tuple[str | None, ...] = (
    *["86{body:012d}{version:02d}"] * 22,
    *["35{body:012d}{check}f"] * 2,
    "86{body:012d}{version:02d}f",
    *[None] * 4,
)
"""Forms of the IMEI, mostly 16 digits.

The filler f stands after a 15-digit IMEI or after all 16 digits. The IMEI is absent if the SIM never attached.
"""

QUOTAS = (*[(500, 250, 0)] * 40, *[(3000, 250, 0)] * 5, *[(1000, 500, 500)] * 6, *[(1500, 750, 500)] * 2)
"""Booked MB, booked SMS, and MB of the last top-up.

A top-up adds 500 MB and 250 SMS (reference, section 10.2).
"""

DATA_LEFT = (*["fraction"] * 24, *["whole"] * 4, *["low"] * 5, *["none"] * 2, *["overdrawn"] * 2)

SMS_LEFT = (*["full"] * 10, *["whole"] * 5, "low", "none")

EXTRAS = ("luhn", "luhn", "", "", "second imsi", "luhn", "")

PLATFORM2 = (True, *[False] * 10)

LOCKS = (True, *[False] * 12)
