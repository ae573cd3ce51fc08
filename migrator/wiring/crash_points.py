"""Crash points for rehearsals.

MIGRATOR_CRASH_AT=POINT:KIND:COUNT kills the process at the COUNT-th such write.
"""

import os
import signal
from collections.abc import Callable, Mapping

from migrator.core.run.states import CUTOVER_STEPS, MIGRATION_STEPS
from migrator.engine.run.context import Hooks
from migrator.errors import InputError

__all__ = ["POINTS", "VARIABLE", "hooks_from_environment"]

VARIABLE = "MIGRATOR_CRASH_AT"
POINTS = ("after_intent", "after_effect", "after_outcome")


def hooks_from_environment(environ: Mapping[str, str] = os.environ) -> Hooks:
    """Return hooks that crash the process where the variable says.

    Without the variable the hooks do nothing.

    Raises: InputError, if the variable makes no sense.
    """
    asked = _asked(environ)
    if asked is None:
        return Hooks()
    point, kind, count = asked
    return Hooks(**{point: _killer(kind, count)})


def _asked(environ: Mapping[str, str]) -> tuple[str, str, int] | None:
    asked = environ.get(VARIABLE)
    if not asked:
        return None
    point, _, rest = asked.partition(":")
    kind, _, count = rest.partition(":")
    kinds = [*MIGRATION_STEPS, *CUTOVER_STEPS]
    if point not in POINTS or kind not in kinds or not count.isdigit():
        hint = f"POINT:KIND:COUNT, POINT one of {', '.join(POINTS)}, KIND one of {', '.join(kinds)}"
        raise InputError(f"{VARIABLE}={asked!r} is no crash point", code="bad_setting", hint=hint)
    return point, kind, int(count)


def _killer(doomed: str, count: int) -> Callable[[str], None]:
    left = count

    def pass_by(kind: str) -> None:
        nonlocal left
        left -= kind == doomed
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_by
