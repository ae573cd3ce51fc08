"""Problems of one file, however many there are.

The first fifty go to the screen. A file takes all of them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from migrator.cli.app.common import MOST_PROBLEMS, printable
from migrator.cli.app.files import refuse_unwritable
from migrator.errors import InputError, Problem
from migrator.files import text_beside

__all__ = ["ProblemLog", "all_told", "problem_log"]

ON_SCREEN = MOST_PROBLEMS - 1


class ProblemLog:
    """Log of problems, in bounded memory.

    Args:
        path: the file for all problems.
        is_wanted: whether the user asked for the file, so that it is written however few problems there are.
        closing: puts the file into its place, or drops it.
    """

    def __init__(self, path: Path, *, is_wanted: bool, closing: ExitStack) -> None:
        self.path = path
        self.first: list[Problem] = []
        self.count = 0
        self._is_wanted = is_wanted
        self._closing = closing
        self._out: TextIO | None = None

    @property
    def is_written(self) -> bool:
        """True if there is a file of the problems."""
        return self._out is not None

    def note(self, problem: Problem) -> None:
        """Take one problem.

        Raises: InputError, if the file of the problems cannot be written.
        """
        if self._out is None and (self._is_wanted or self.count == ON_SCREEN):
            self._out = self._opened()
            self._out.writelines(map(_line, self.first))
        self.count += 1
        if self.count <= ON_SCREEN:
            self.first.append(problem)
        if self._out is not None:
            self._out.write(_line(problem))

    def _opened(self) -> TextIO:

        try:
            return self._closing.enter_context(text_beside(self.path))
        except OSError as error:
            words = f"{self.path} cannot be written: {error.strerror or error}"
            raise InputError(words, code="unwritable", hint="choose a file for the problems: --problems") from error


@contextmanager
def problem_log(wanted: Path | None, default: Path, *, headline: str = "") -> Iterator[ProblemLog]:
    """Yield a log of problems while a file is read.

    An InputError from the block is raised again with the first problems and their count.

    Args:
        wanted: the file that was asked for, if any.
        default: the file for more problems than fit on a screen.
        headline: what else to say once.
    """
    if wanted is not None:
        refuse_unwritable(wanted)
    failed = None
    with ExitStack() as closing:
        log = ProblemLog(wanted or default, is_wanted=wanted is not None, closing=closing)
        try:
            yield log
        except InputError as error:
            failed = error
    if failed is None:
        return
    if not log.count:
        raise failed
    hint = "; ".join(filter(None, (f"all are in {log.path}" if log.is_written else "", headline)))
    problems = (Problem(failed.code, failed.message, hint), *log.first)
    raise InputError(failed.message, code=failed.code, hint=hint, problems=problems) from failed


@contextmanager
def all_told(wanted: Path | None, default: Path) -> Iterator[None]:
    """Collect all problems of a file that the block refuses.

    Several problems get a headline. More than fifty also get a file.

    Args:
        wanted: the file that was asked for, if any.
        default: the file for more problems than fit on a screen.
    """
    try:
        yield
    except InputError as error:
        refused = error
    else:
        return
    with problem_log(wanted, default) as log:
        for problem in refused.problems:
            log.note(problem)
    if log.count == 1 and not log.is_written:
        raise refused
    hint = "; ".join(filter(None, (f"all are in {log.path}" if log.is_written else "", refused.hint)))
    problems = (Problem(refused.code, refused.message, hint), *refused.problems)
    raise InputError(refused.message, code=refused.code, hint=hint, problems=problems) from refused


def _line(problem: Problem) -> str:
    hint = f" -- {printable(problem.hint)}" if problem.hint else ""
    return f"{printable(problem.message)} [{problem.code}]{hint}\n"
