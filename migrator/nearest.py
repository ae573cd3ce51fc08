"""Words that are much like others, for hints."""

import difflib
from collections.abc import Iterable

__all__ = ["closest", "nearest", "spelled"]


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
