"""Single values as carriers write them.

Numbers may be text, 0 and 1 may be no and yes, and blanks may be nothing.
"""

from typing import Any

from migrator.core.fleet.units import decimal_of

__all__ = ["flag_of", "text_of", "whole_of"]

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def text_of(value: Any) -> str | None:
    """Return a text, or a whole number as text; else None.

    Blank text is None, too. A float would have lost digits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def whole_of(value: Any) -> int | None:
    """Read a whole number, also from text; None for anything else."""
    number = decimal_of(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def flag_of(value: Any) -> bool | None:
    """Return a yes or no as a bool; None for anything else."""
    return _FLAGS.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None
