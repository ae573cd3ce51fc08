"""Words for people in place of the codes of the store.

Each word has one meaning. Programs get the codes themselves.

A SIM is *pending* when it is not as planned yet and may still become so. A step is *to do* when nothing was sent for
it, and *uncertain* when something was and no record has shown it yet: it is read before anything is sent again.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["counted", "n_sims", "step_word", "verdict_word"]

_VERDICTS: Mapping[str, str] = MappingProxyType(
    {"ok": "verified", "unread": "not read yet", "rolled_back": "rolled back"}
)
_STEPS: Mapping[str, str] = MappingProxyType({"pending": "to do", "in_flight": "on its way"})


def verdict_word(verdict: str) -> str:
    """Return the word for a verdict, as in the report's buckets."""
    return _VERDICTS.get(verdict, verdict)


def step_word(state: str) -> str:
    """Return the word for the state of a step."""
    return _STEPS.get(state, state)


def n_sims(count: int) -> str:
    """Return a number of SIMs in words: "1 SIM", "2 SIMs"."""
    return counted(count, "SIM")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 SIM", "2 SIMs".

    The plural of the noun must take an s.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
