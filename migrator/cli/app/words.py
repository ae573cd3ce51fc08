"""Words for people in place of the codes of the store.

Each word has one meaning. Programs get the codes themselves.

A SIM is *pending* when it is not as planned yet and may still become so. A step is *to do* when nothing was sent for
it, and *uncertain* when something was and no record has shown it yet: it is read before anything is sent again.
"""

from collections.abc import Mapping
from types import MappingProxyType

from migrator.errors import InputError
from migrator.inputs.settings.values import duration_s

__all__ = ["head_line", "seconds_of", "step_word", "verdict_word"]

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


def head_line(head: str) -> str:
    """Return the line that tells the head of the audit log."""
    return f"Head of the audit log, to be noted in another place: {head}"


def seconds_of(option: str, text: str) -> float:
    """Return the seconds of a duration on a command line.

    Raises: InputError, naming the option.
    """
    try:
        return duration_s(text)
    except InputError as error:
        raise InputError(f"{option}: {error.message}", code=error.code, hint=error.hint) from error
