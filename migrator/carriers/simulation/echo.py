"""Carrier that returns to its customers their own credentials.

The credentials stand in records, job ids, error texts and successes.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

__all__ = ["spelled", "with_echo"]

_JOB_IDS = {"jobid", "job_id"}
_TEXTS = {"error", "message", "reason", "detail"}


def spelled(user: str, secret: str) -> tuple[str, ...]:
    """Return a secret in every spelling that may be echoed.

    The spellings are: as it is, as the login header had it, in Base64 alone, and quoted.
    """
    coded = [b64encode(text.encode()).decode() for text in (f"{user}:{secret}", secret)]
    return secret, *coded, quote(secret, safe="")


def with_echo(value: Any, words: Sequence[str]) -> Any:
    """Return parsed JSON with `words` in every object.

    The words stand in a field of their own, behind the object's texts, and in its job ids.
    """
    if isinstance(value, list):
        return [with_echo(inner, words) for inner in value]
    if not isinstance(value, Mapping):
        return value
    echo = " ".join(words)
    told = {key: _told(key, inner, words) for key, inner in value.items()}
    return {**told, "debug": {"authorization": echo, words[0]: "key"}}


def _told(key: str, value: Any, words: Sequence[str]) -> Any:
    if key in _JOB_IDS and value is not None:
        return f"{value}-{words[0]}"
    if key in _TEXTS and isinstance(value, str):
        return f"{value} {' '.join(words)}"
    return with_echo(value, words)
