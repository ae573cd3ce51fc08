"""Texts that UTF-8 cannot hold.

A carrier that cuts a label may leave half an emoji, which is a lone surrogate.
"""

import json
import re
from typing import Any

__all__ = ["UNREAD", "escaped", "is_spoiled", "json_text"]

UNREAD = "\ufffd"
"""Unicode's replacement for a character that could not be read.

The store keeps half an emoji as this character, too.
"""

_LONE = re.compile("[\ud800-\udfff]")


def is_spoiled(text: str) -> bool:
    """True if some of a text was lost, here or before.

    Such a text holds U+FFFD, or half an emoji.
    """
    return not text.isascii() and (UNREAD in text or _LONE.search(text) is not None)


def escaped(json_text: str) -> str:
    r"""Return JSON that may be encoded as UTF-8.

    Lone surrogates become `\uXXXX`; everything else stays as it is. Lone surrogates only stand within strings, where
    JSON reads the escape as the very same text.
    """
    if json_text.isascii():
        return json_text
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that may be encoded as UTF-8.

    Letters beyond ASCII stay as they are.
    """
    return escaped(json.dumps(value, ensure_ascii=False, indent=indent))
