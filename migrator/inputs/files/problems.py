"""Error that reports a whole list of problems."""

from collections.abc import Sequence

from migrator.errors import InputError, Problem
from migrator.nearest import closest, nearest, spelled

__all__ = ["closest", "nearest", "refusal", "spelled"]


def refusal(
    problems: Sequence[Problem], *, what: str, hint: str = "", kind: type[InputError] = InputError
) -> InputError:
    """Build the error that carries `problems`.

    A single problem is the error itself.

    Args:
        what: the file or thing that was refused, for the headline over several.
        hint: what to do about several together; each problem keeps its own.
        kind: class of the error.
    """
    if len(problems) == 1:
        only = problems[0]
        return kind(only.message, code=only.code, hint=only.hint, problems=(only,))
    return kind(f"{what}: {len(problems)} problems, nothing was changed", hint=hint, problems=tuple(problems))
