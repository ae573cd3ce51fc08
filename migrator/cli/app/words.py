"""What people read for the codes of the store: one word, one meaning. Programs get the codes themselves.

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
    """What a verdict is called, as the report's buckets are."""
    return _VERDICTS.get(verdict, verdict)


def step_word(state: str) -> str:
    """What the state of a step is called."""
    return _STEPS.get(state, state)


def n_sims(count: int) -> str:
    """How many SIMs: "1 SIM", "2 SIMs"."""
    return counted(count, "SIM")


def counted(count: int, noun: str) -> str:
    """A number with its noun, whose plural takes an s: "1 SIM", "2 SIMs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
