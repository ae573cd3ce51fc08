"""What must not be kept or told: PIN and PUK leave every record as it is read, and no refused value shows one."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = ["LONGEST_SHOWN", "is_secret_key", "shown", "shown_title", "without_secrets"]

_SECRET_WORDS = ("pin", "puk", "adm", "ki", "opc")

LONGEST_SHOWN = 40
"""Characters: a message stays on one line."""
LONGEST_ICCID = 20
"""Digits that are printed on a card. More may be an ICCID and a PIN."""
_ICCID = re.compile(r"(89|98)\d{15,18}[fF]?")
"""As long as an ICCID is, or one digit short, or swapped in pairs. A longer one may have a PIN at its end."""
_ROUNDED_ICCID = re.compile(r"8[.,]9\d*e\+?(1[5-9]|2[0-2])|89\d{16,18}[.,]0{0,2}", re.IGNORECASE)
_ICCID_WITHIN = re.compile(r"(?<![0-9A-Za-z])89\d{16,18}(?![0-9A-Za-z])")
_WORDS = re.compile(r"[^\W\d_]{1,20}([ .,()-]{1,2}[^\W\d_]{1,20})*[.!?]?")
"""Words hold no PIN, which is digits, and no key, which is longer than a word."""
_KEY_LIKE = re.compile(r"[0-9]{4}|[0-9a-fA-F]{8}|[0-9A-Za-z+/]{16}")
"""Within a word that has a digit."""


@lru_cache(maxsize=1024)  # carriers use the same few dozen names in every record
def is_secret_key(key: str) -> bool:
    """Whether a field of this name holds a SIM secret: pin, PUK, pin1, puk_2, PIN code, Ki ..."""
    word = "".join(letter for letter in key.lower() if letter.isalpha()).removesuffix("code")
    return word in _SECRET_WORDS


def without_secrets(record: Any) -> Any:
    """A deep copy of parsed JSON without any field whose name is a secret's."""
    if isinstance(record, Mapping):
        return {key: without_secrets(value) for key, value in record.items() if not is_secret_key(str(key))}
    if isinstance(record, list):
        return [without_secrets(value) for value in record]
    return record


def shown(text: str) -> str:
    """A refused value for a message: only what can be no PIN, PUK or key that slid in from another column.

    That is an ICCID, or what is left of one, and words without digits. Of anything else only the length is told.
    """
    bare = text.strip("\"'= \t\r\n\u00a0")
    if _ICCID.fullmatch(bare) or _ROUNDED_ICCID.fullmatch(bare):
        return repr(bare)
    if len(bare) <= LONGEST_SHOWN and (not bare or _WORDS.fullmatch(bare)):
        return repr(bare)
    within = _ICCID_WITHIN.search(bare)
    if within is not None:
        return f"{within[0]!r} with {_characters(len(bare) - len(within[0]), 'more ')}"
    digits = "".join(bare.split())
    if not digits.isdecimal():
        return f"a value of {_characters(len(bare))}"
    head = f" that begins with {digits[:6]}" if digits.startswith("89") and len(digits) > LONGEST_ICCID else ""
    return f"a value of {len(digits)} digits{head}"


def _characters(count: int, more: str = "") -> str:
    return f"{count} {more}character{'' if count == 1 else 's'}"


def shown_title(title: str, *, quoted: bool = True) -> str:
    """A column's title for a message. Where a file has no titles, what stands there may be a PIN."""
    words = re.findall(r"[0-9A-Za-z+/]*[0-9][0-9A-Za-z+/]*", title)
    if not any(map(str.isalpha, title)) or any(map(_KEY_LIKE.search, words)):
        return shown(title)
    short = title if len(title) <= LONGEST_SHOWN else title[: LONGEST_SHOWN - 3] + "..."
    return repr(short) if quoted else short
