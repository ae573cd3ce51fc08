"""Single values as carriers write them.

Numbers may be text, 0 and 1 may be no and yes, and blanks may be nothing.
"""

import re
from typing import Any

from migrator.core.fleet.secrets import MASKED
from migrator.core.fleet.spelling import UNREAD
from migrator.core.fleet.units import LARGEST_EXPONENT, finite

__all__ = ["LARGEST", "flag_of", "label_of", "label_trouble", "shortened", "text_of", "whole_of"]

LARGEST = 2**63 - 1
"""Largest whole number that a store holds."""

_FLAGS = {"true": True, "1": True, "false": False, "0": False}

_CREDENTIALS = (
    re.compile(r"(?i)\bauthorization\b[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer)\s+)?[^\s\"',;&]+"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[^\s\"',;&]{16,}"),
    re.compile(r"(?i)\bapi[-_ ]?key\b[\"']?\s*[:=]\s*[\"']?[^\s\"',;&]+"),
    re.compile(r"(?i)\b(?:pin|puk)\d?(?:[-_ ]?code)?\b\W{1,4}(?:is\W)?\d{4,10}\b"),
    re.compile(r"[A-Za-z0-9+/_=.-]{48,}"),  # longer than any word or identifier: a token, or part of one
)


def text_of(value: Any) -> str | None:
    """Return a text, or a whole number as text; else None.

    Blank text is None, too. A float would have lost digits.
    """
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def label_of(value: Any) -> str | None:
    """Return a label exactly as it came, with its spaces.

    The label goes out in the same form. A label that is no text is there, and cannot be read.
    """
    if value is None or isinstance(value, str):
        return value or None
    return UNREAD


def label_trouble(value: Any, carrier: str, *, is_whole: bool) -> str:
    """Return the reason why a label was not read, or empty text.

    A label that holds U+FFFD itself, in a reply that could be read, is reported as it is: nothing of it was lost here.

    Args:
        value: as the carrier tells it.
        carrier: its name, for the words.
        is_whole: False for a reply whose bytes could not all be read.
    """
    if value is not None and not isinstance(value, str):
        return f"{carrier} tells something that is no text ({type(value).__name__})"
    if not is_whole and UNREAD in (value or ""):
        return f"{carrier}'s reply holds bytes that are not the UTF-8 which it promises"
    if not is_whole and MASKED in (value or ""):
        return f"{carrier}'s reply holds our own credentials, which were struck out"
    return ""


def whole_of(value: Any) -> int | None:
    """Read a whole number, also from text; None for anything else.

    A number past what a store holds becomes the largest, or smallest, that it holds: such a limit is no other limit,
    and such an id is nobody's.
    """
    if type(value) is int:
        return min(LARGEST, max(-LARGEST, value))
    number = finite(value)
    if number is None:
        return None
    if number.adjusted() > LARGEST_EXPONENT:
        return LARGEST if number > 0 else -LARGEST
    return min(LARGEST, max(-LARGEST, int(number))) if number == number.to_integral_value() else None


def flag_of(value: Any) -> bool | None:
    """Return a yes or no as a bool; None for anything else."""
    return _FLAGS.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None


def shortened(text: str, limit: int = 200) -> str:
    """Return `text` on one line of at most `limit` characters.

    The line is for people, without what looks like a secret.
    """
    line = " ".join(text.split())
    for pattern in _CREDENTIALS:
        line = pattern.sub("***", line)
    return line if len(line) <= limit else line[: limit - 1] + "…"
