"""Texts that UTF-8 cannot hold: half an emoji, as a carrier leaves it when it cuts a label, is a lone surrogate."""

import re

__all__ = ["UNREAD", "escaped", "is_spoiled"]

UNREAD = "\ufffd"
"""What Unicode puts in the place of what could not be read; the store keeps half an emoji as this, too."""

_LONE = re.compile("[\ud800-\udfff]")


def is_spoiled(text: str) -> bool:
    """Whether something of a text was lost, here or before: it holds U+FFFD, or half an emoji."""
    return not text.isascii() and (UNREAD in text or _LONE.search(text) is not None)


def escaped(json_text: str) -> str:
    r"""JSON that may be encoded as UTF-8: lone surrogates as `\uXXXX`, everything else as it is.

    They only stand within strings, where JSON reads the escape as the very same text.
    """
    if json_text.isascii():
        return json_text
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)
