"""Words of the command line, and durations on it."""

from migrator.errors import InputError
from migrator.inputs.settings.values import duration_s
from migrator.reports.words import step_word, verdict_word

__all__ = ["head_line", "seconds_of", "step_word", "verdict_word"]


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
