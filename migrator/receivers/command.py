"""Programs of the operator: run without a shell, within bounds.

A receiver of the kind `command` is one, and so is a hook.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from migrator import programs

__all__ = ["ProgramEnd", "run_program"]

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """End of a program.

    `code` is its exit code; None if it did not end in time, or could not be started. `words` is the first line that
    it said, or why there is none, without control characters.
    """

    code: int | None
    words: str


def run_program(
    command: Sequence[str],
    given: bytes,
    *,
    environ: Mapping[str, str],
    timeout_s: float,
    struck: Callable[[str], str] = str,
) -> ProgramEnd:
    """Run a program with `given` on its standard input; blocks meanwhile.

    `struck` takes out of its words what must not be kept, before they are cut.
    """
    try:
        ended = programs.run(command, given, environ=environ, timeout_s=timeout_s, with_errors=True)
    except (OSError, ValueError) as error:
        return ProgramEnd(None, f"cannot be started: {programs.why_not(error)}")
    words = _first_line(ended.said, struck)
    if ended.code is None:
        return ProgramEnd(None, f"no answer within {timeout_s:g} s" + (f": {words}" if words else ""))
    return ProgramEnd(ended.code, words)


def _first_line(said: bytes, struck: Callable[[str], str]) -> str:
    lines = (line.strip() for line in said.decode("utf-8", "replace").splitlines())
    first = next((line for line in lines if line), "")
    visible = "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in struck(first)
    )
    return visible if len(visible) <= MOST_SHOWN else f"{visible[: MOST_SHOWN - 3]}..."
