"""What must not be kept: PIN and PUK, and the account's own credentials where a carrier echoes them."""

import html
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["MASKED", "SHORTEST_MASKED", "forms_of", "is_secret_key", "struck", "without_forms", "without_secrets"]

MASKED = "***"
"""What stands in the place of a credential."""

SHORTEST_MASKED = 8
"""A shorter secret is a word that may stand in any label, which must not suffer; no true key is so short."""

_SECRET_WORDS = ("pin", "puk", "adm", "ki", "opc")


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


# --- credentials --------------------------------------------------------------------------------------------------


def forms_of(secret: str, user: str = "") -> frozenset[str]:
    """A secret in every spelling that a reply may echo: as it is, quoted for an address or a page, and in Base64.

    `user` is the name that goes with it where both are sent together (RFC 7617).
    """
    pairs = [secret, f"{user}:{secret}"]
    coded = {encode(pair.encode()).decode() for pair in pairs for encode in (b64encode, urlsafe_b64encode)}
    quoted = {quote(text, safe="") for text in (secret, *coded)} | {quote_plus(secret), html.escape(secret)}
    plain = {secret, *quoted, *coded, *(text.rstrip("=") for text in coded)}
    return frozenset(plain | {_lower_escapes(text) for text in quoted})


def _lower_escapes(quoted: str) -> str:
    """A text that is quoted for an address, with %2f for %2F."""
    head, *parts = quoted.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in parts)])


def struck(text: str, forms: Iterable[str]) -> str:
    """`text` with every one of `forms` struck out; give the longest first, as one may be part of another."""
    for form in forms:
        if form in text:
            text = text.replace(form, MASKED)
    return text


def without_forms(value: Any, forms: Iterable[str]) -> Any:
    """Parsed JSON with every one of `forms` struck out of its texts, names of fields too."""
    if isinstance(value, str):
        return struck(value, forms)
    if isinstance(value, Mapping):
        return {struck(str(key), forms): without_forms(inner, forms) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_forms(inner, forms) for inner in value]
    return value
