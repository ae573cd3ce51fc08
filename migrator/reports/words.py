"""Words for people in place of the codes of the store.

Each word has one meaning. Programs get the codes themselves.

A SIM is *pending* when it is not as planned yet and may still become so. A step is *to do* when nothing was sent for
it, and *uncertain* when something was and no record has shown it yet: it is read before anything is sent again.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["step_word", "verdict_word"]

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
