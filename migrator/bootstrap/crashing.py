"""Crash points for rehearsals: MIGRATOR_CRASH_AT=POINT:COUNT kills the process the COUNT-th time it passes POINT."""

import os
import signal
from collections.abc import Callable, Mapping

from migrator.errors import InputError
from migrator.executor.context import Hooks

__all__ = ["POINTS", "VARIABLE", "hooks_from_environment"]

VARIABLE = "MIGRATOR_CRASH_AT"
POINTS = ("after_intent", "after_effect", "after_outcome")


def hooks_from_environment(environ: Mapping[str, str] = os.environ) -> Hooks:
    """Hooks that do nothing, unless the variable asks for a crash. Raises: InputError, if it makes no sense."""
    asked = environ.get(VARIABLE)
    if not asked:
        return Hooks()
    point, _, count = asked.partition(":")
    if point not in POINTS or not count.isdigit():
        hint = f"POINT:COUNT, with POINT one of {', '.join(POINTS)}"
        raise InputError(f"{VARIABLE}={asked!r} is no crash point", code="bad_setting", hint=hint)
    return Hooks(**{point: _killer(int(count))})


def _killer(count: int) -> Callable[[], None]:
    left = count

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_by
