"""Texts that must not be kept or shown.

Those are PIN and PUK, refused values that may show a PIN or PUK, and our own credentials.
"""

import html
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import is_
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = [
    "LONGEST_SHOWN",
    "MASKED",
    "SHORTEST_MASKED",
    "CleanRecord",
    "clean_record",
    "forms_of",
    "is_secret_key",
    "shown",
    "shown_title",
    "struck",
    "without_forms",
    "without_secrets",
]

MASKED = "***"
"""Text that stands in the place of a credential."""

SHORTEST_MASKED = 8
"""Length of the shortest secret that is masked.

A shorter secret is a word that may stand in any label, and labels must not suffer. No true key is so short.
"""

_SECRET_WORDS = ("pin", "puk", "adm", "ki", "opc")

LONGEST_SHOWN = 40
"""Most characters that are shown: a message stays on one line."""
LONGEST_ICCID = 20
"""Digits that are printed on a card.

More digits may be an ICCID and a PIN.
"""
_ICCID = re.compile(r"(89|98)\d{15,18}[fF]?")
"""Pattern of an ICCID, or one digit short, or swapped in pairs.

A longer text may have a PIN at its end.
"""
_ROUNDED_ICCID = re.compile(r"8[.,]9\d*e\+?(1[5-9]|2[0-2])|89\d{16,18}[.,]0{0,2}", re.IGNORECASE)
_ICCID_WITHIN = re.compile(r"(?<![0-9A-Za-z])89\d{16,18}(?![0-9A-Za-z])")
_WORDS = re.compile(r"[^\W\d_]{1,20}([ .,()-]{1,2}[^\W\d_]{1,20})*[.!?]?")
"""Pattern of words that hold no PIN and no key.

A PIN is digits, and a key is longer than a word.
"""
_KEY_LIKE = re.compile(r"[0-9]{4}|[0-9a-fA-F]{8}|[0-9A-Za-z+/]{16}")
"""Pattern of a possible secret within a word that has a digit."""


@lru_cache(maxsize=1024)  # carriers use the same few dozen names in every record
def is_secret_key(key: str) -> bool:
    """True if a field of this name holds a SIM secret.

    Such names are pin, PUK, pin1, puk_2, PIN code, Ki ...
    """
    word = "".join(letter for letter in key.lower() if letter.isalpha()).removesuffix("code")
    return word in _SECRET_WORDS


class CleanRecord(dict[str, Any]):
    """Record without secret fields, known as such.

    `clean_record` alone makes one, and nobody changes it: it is not cleaned again.
    """


def clean_record(record: Mapping[str, Any]) -> CleanRecord:
    """Return a carrier's record without secret fields."""
    return CleanRecord(without_secrets(record))


def without_secrets(record: Any) -> Any:
    """Return parsed JSON without secret fields.

    A field is secret if its name is that of a secret. What holds no such field is returned as it is, also within a
    record that does; no record is changed in place.
    """
    if type(record) is CleanRecord:
        return record
    if isinstance(record, dict):
        return _clean_object(record)
    if isinstance(record, list | tuple):
        clean = list(map(without_secrets, record))
        return record if all(map(is_, clean, record)) else clean
    return _clean_object(dict(record)) if isinstance(record, Mapping) else record


def _clean_object(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return an object without secret fields, copied only if it has one.

    It runs for every SIM of a fleet: plain and empty values cost nothing.
    """
    names = _kept_names(tuple(record))
    kept = record if names is None else {name: record[name] for name in names}
    for key, value in kept.items():
        if value and type(value) not in _PLAIN and (clean := without_secrets(value)) is not value:
            kept = {**kept, key: clean}  # the loop goes on over the object before, whose other values are the same
    return kept


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of JSON that hold no other values."""


@lru_cache(maxsize=1024)
def _kept_names(names: tuple[object, ...]) -> tuple[object, ...] | None:
    """Return the names that name no secret; None where that is all.

    The result is cached by the names: the SIMs of a list all have the same names.
    """
    kept = tuple(name for name in names if not is_secret_key(str(name)))
    return None if len(kept) == len(names) else kept


def shown(text: str) -> str:
    """Return a refused value in a form that is safe for messages.

    The result has only text that can be no PIN, PUK or key that slid in from another column. That is an ICCID, or what
    is left of an ICCID, and words without digits. Of anything else only the length is given.
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
    """Return a column's title for a message.

    Where a file has no titles, the text in their place may be a PIN.
    """
    words = re.findall(r"[0-9A-Za-z+/]*[0-9][0-9A-Za-z+/]*", title)
    if not any(map(str.isalpha, title)) or any(map(_KEY_LIKE.search, words)):
        return shown(title)
    short = title if len(title) <= LONGEST_SHOWN else title[: LONGEST_SHOWN - 3] + "..."
    return repr(short) if quoted else short


# --- credentials --------------------------------------------------------------------------------------------------


def forms_of(secret: str, user: str = "") -> frozenset[str]:
    """Return a secret in every spelling that a reply may echo.

    The spellings are: as it is, quoted for an address or a page, and in Base64.

    `user` is the name that goes with the secret where both are sent together (RFC 7617).
    """
    pairs = [secret, f"{user}:{secret}"]
    sent = [pair.encode("utf-8", "surrogateescape") for pair in pairs]  # a variable may be no UTF-8
    coded = {encode(pair).decode() for pair in sent for encode in (b64encode, urlsafe_b64encode)}
    quoted = {quote(text, safe="", errors="surrogateescape") for text in (secret, *coded)}
    quoted |= {quote_plus(secret, errors="surrogateescape"), html.escape(secret)}
    plain = {secret, *quoted, *coded, *(text.rstrip("=") for text in coded)}
    return frozenset(plain | {_lower_escapes(text) for text in quoted})


def _lower_escapes(quoted: str) -> str:
    """Return a text quoted for an address, with %2f for %2F."""
    head, *parts = quoted.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in parts)])


def struck(text: str, forms: Iterable[str]) -> str:
    """Return `text` with every one of `forms` struck out.

    Give the longest form first, as one form may be part of another.
    """
    for form in forms:
        if form in text:
            text = text.replace(form, MASKED)
    return text


def without_forms(value: Any, forms: Iterable[str]) -> Any:
    """Return parsed JSON with every one of `forms` struck out.

    The forms are struck out of all texts and of the names of fields.
    """
    if isinstance(value, str):
        return struck(value, forms)
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {struck(str(key), forms): without_forms(inner, forms) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_forms(inner, forms) for inner in value]
    return value
