"""Single values as carriers write them: numbers as text, 0 and 1 for no and yes, blanks for nothing."""

from typing import Any

from migrator.core.fleet.units import decimal_of

__all__ = ["flag_of", "text_of", "whole_of"]

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def text_of(value: Any) -> str | None:
    """Text, or a whole number as text; None for anything else and for nothing. A float would have lost digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def whole_of(value: Any) -> int | None:
    """A whole number, or text of one; None for anything else."""
    number = decimal_of(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def flag_of(value: Any) -> bool | None:
    """A yes or no; None for anything else."""
    return _FLAGS.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None
