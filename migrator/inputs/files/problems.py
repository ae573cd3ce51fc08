"""From a list of problems to the one error that tells them all."""

import difflib
from collections.abc import Iterable, Sequence

from migrator.errors import InputError, Problem

__all__ = ["closest", "nearest", "refusal", "spelled"]


def refusal(problems: Sequence[Problem], *, what: str, hint: str = "") -> InputError:
    """The error that carries `problems`; a single one speaks for itself.

    Args:
        what: the file or thing that was refused, for the headline over several.
        hint: what to do about several together; each problem keeps its own.
    """
    if len(problems) == 1:
        only = problems[0]
        return InputError(only.message, code=only.code, hint=only.hint, problems=(only,))
    return InputError(f"{what}: {len(problems)} problems, nothing was changed", hint=hint, problems=tuple(problems))


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`, in any case; None if none does."""
    folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower(), folded, n=1)
    return folded[close[0]] if close else None


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that looks most like `word`, else all of them."""
    words = list(known)
    close = closest(word, words)
    return f'did you mean "{close}"?' if close else f"known here: {spelled(words)}"


def spelled(words: Iterable[str]) -> str:
    """Words in a row, for a message."""
    return ", ".join(words)
