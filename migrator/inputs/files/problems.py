"""Error that reports a whole list of problems."""

import difflib
from collections.abc import Iterable, Sequence

from migrator.errors import InputError, Problem

__all__ = ["closest", "nearest", "refusal", "spelled"]


def refusal(problems: Sequence[Problem], *, what: str, hint: str = "") -> InputError:
    """Build the error that carries `problems`.

    A single problem is the error itself.

    Args:
        what: the file or thing that was refused, for the headline over several.
        hint: what to do about several together; each problem keeps its own.
    """
    if len(problems) == 1:
        only = problems[0]
        return InputError(only.message, code=only.code, hint=only.hint, problems=(only,))
    return InputError(f"{what}: {len(problems)} problems, nothing was changed", hint=hint, problems=tuple(problems))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most similar to `word`, or None.

    Upper and lower case make no difference.
    """
    folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower(), folded, n=1)
    return folded[close[0]] if close else None


def nearest(word: str, known: Iterable[str]) -> str:
    """Write a hint with the known word most similar to `word`.

    Without a similar word, the hint lists all known words.
    """
    words = list(known)
    close = closest(word, words)
    return f'did you mean "{close}"?' if close else f"known here: {spelled(words)}"


def spelled(words: Iterable[str]) -> str:
    """Join words with commas, for a message."""
    return ", ".join(words)
