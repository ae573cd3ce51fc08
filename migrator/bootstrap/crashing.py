"""Crash points for rehearsals: MIGRATOR_CRASH_AT=POINT:KIND:COUNT kills the process at the COUNT-th such write."""

import os
import signal
from collections.abc import Callable, Mapping

from migrator.core.states import StepKind
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
    point, _, rest = asked.partition(":")
    kind, _, count = rest.partition(":")
    if point not in POINTS or kind not in set(StepKind) or not count.isdigit():
        hint = f"POINT:KIND:COUNT, POINT one of {', '.join(POINTS)}, KIND one of {', '.join(StepKind)}"
        raise InputError(f"{VARIABLE}={asked!r} is no crash point", code="bad_setting", hint=hint)
    return Hooks(**{point: _killer(StepKind(kind), int(count))})


def _killer(doomed: StepKind, count: int) -> Callable[[StepKind], None]:
    left = count

    def pass_by(kind: StepKind) -> None:
        nonlocal left
        left -= kind is doomed
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_by
