"""What must not be kept: PIN and PUK leave every record at the moment it is read."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = ["is_secret_key", "without_secrets"]

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
