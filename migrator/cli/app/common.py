"""Options, output and end that all commands share."""

import errno
import io
import logging
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from migrator.cli.app import voice
from migrator.cli.app.tables import PIPE_WIDTH, printable, table, wrapped
from migrator.core.fleet.spelling import json_text
from migrator.errors import InputError, Interrupted, MigratorError, Problem
from migrator.inputs.settings.account_names import at_account, at_state
from migrator.inputs.settings.addresses import telling_addresses, used_addresses

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "Globals",
    "Outcome",
    "finish",
    "global_options",
    "new_sims_file",
    "printable",
    "say",
    "table",
    "unused_columns",
    "warned",
]

F = TypeVar("F", bound=Callable[..., Any])
EXPLAIN_CRASHES = 2
"""Number of -v options that show a traceback."""


@dataclass(slots=True)
class Globals:
    """Options that every command takes, before or after its name."""

    state: str | None = None
    account: str | None = None
    config: Path | None = None
    json: bool = False
    events: bool = False
    quiet: bool = False
    verbose: int = 0
    no_input: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one command, for `finish` to print.

    Args:
        data: JSON values for `--json`.
        text: what a person sees on stdout.
        exit_code: see `ExitCode`.
        problems: printed on stderr and listed under `errors`.
        is_on_stdout: True if the command has written its result to stdout, so that nothing else may go there.
    """

    data: Mapping[str, Any]
    text: Sequence["RenderableType"] = ()
    exit_code: int = 0
    problems: Sequence[Problem] = field(default_factory=tuple)
    is_on_stdout: bool = False


def global_options(command: F) -> F:
    """Let a command take the global options anywhere in its command line."""
    options = (
        click.option("--state", metavar="URL", help="State store [MIGRATOR_STATE, sqlite:///migrator.db]."),
        click.option("--account", metavar="NAME", help="Account in a store that has several [MIGRATOR_ACCOUNT]."),
        click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Settings [migrator.toml]."),
        click.option("--json", is_flag=True, default=None, help="Print one JSON document."),
        click.option("--events", is_flag=True, default=None, help="Print what happens as NDJSON."),
        click.option("-q", "--quiet", is_flag=True, default=None, help="No progress."),
        click.option(
            "-v", "--verbose", count=True, default=None, help="Tell every request on stderr; -vv also tracebacks."
        ),
        click.option("--no-input", is_flag=True, default=None, help="Never ask; fail instead."),
    )
    for option in reversed(options):
        command = option(command)
    return _collecting(command)


def _collecting(command: F) -> F:
    """Move the global options from the call into the context's `Globals`."""
    names = ("state", "account", "config", "json", "events", "quiet", "verbose", "no_input")

    @click.pass_context
    def collect(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        shared = ctx.ensure_object(Globals)
        for name in names:
            value = kwargs.pop(name, None)
            if value:
                setattr(shared, name, value)
        return ctx.invoke(command, *args, **kwargs)

    collect.__name__, collect.__doc__ = command.__name__, command.__doc__
    collect.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return collect  # type: ignore[return-value]


def finish(name: str, shared: Globals, body: Callable[[], Outcome]) -> int:
    """Run the body of a command and print its outcome.

    No traceback reaches a user unless `-vv` asks for it. An address that is not a carrier's own is shown before its
    use.

    Returns: the exit code, which `root.run` passes on.
    """
    voice.begin(is_json=shared.json, is_events=shared.events)
    with telling_addresses(say), at_account(shared.account), at_state(shared.state):
        return _finished(name, shared, body)


def _finished(name: str, shared: Globals, body: Callable[[], Outcome]) -> int:
    try:
        with _log_shown(shared):
            outcome = _woken(name, shared, body())
    except MigratorError as error:
        outcome = Outcome({}, (), error.exit_code, error.problems)
        return _tell(name, shared, outcome, status="error", crash=error)
    except Interrupted as stop:
        problem = Problem("stopped", stop.reason, "the same command goes on from here")
        return _tell(name, shared, Outcome({}, (), stop.exit_code, (problem,)), status="error")
    except (KeyboardInterrupt, click.Abort):
        outcome = Outcome({}, (), 130, (Problem("interrupted", "interrupted"),))
        return _tell(name, shared, outcome, status="error")
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last line before the user
        return _tell(name, shared, _unexpected(error), status="error", crash=error)
    return _tell(name, shared, outcome, status="success" if outcome.exit_code == 0 else "partial")


WAKES = frozenset(
    {
        *("plan approve", "run resume", "retry", "skip", "pair correct"),
        *("campaign approve", "campaign resume", "campaign retry"),
    }
)
"""Commands that do what an account's next job may wait for."""


def _woken(name: str, shared: Globals, outcome: Outcome) -> Outcome:
    """Wake the account of a command that did its part.

    What was done stays done, also where that fails.
    """
    if name not in WAKES:
        return outcome
    from migrator import wiring
    from migrator.wiring.fleet.wake import wake

    account = wiring.account()
    try:
        is_due = wake(account, shared.config)
    except MigratorError as error:
        told = f"workers were not told: {error.message}"
        problem = Problem("warning", told, f"`migrator fleet go {account}` tells them")
        return replace(outcome, problems=[*outcome.problems, problem])
    if is_due is None:
        return outcome
    held = f"Account {account} is held: `migrator fleet go {account}` lets a worker go on."
    due = f"Account {account} is due now: a worker calls its campaign, or goes on with what was ordered."
    return replace(outcome, text=[*outcome.text, due if is_due else held], data={**outcome.data, "woken": is_due})


def _unexpected(error: Exception) -> Outcome:
    """Return the outcome for an error that nobody foresaw.

    A name that is too long can come with any option and argument, and no system holds such a file.
    """
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        shown = str(error.filename)
        words = f"{shown[:MOST_OF_A_NAME]}... is too long for a file's name: {len(shown)} characters"
        hint = "names and whole paths have a length that the system allows (often 255 and 4096 bytes); check the path"
        return Outcome({}, (), InputError.exit_code, (Problem("too_long", words, hint),))
    words = f"{type(error).__name__}: {error}"
    return Outcome({}, (), 1, (Problem("unexpected", words, "run it again with -vv and report what it says"),))


MOST_OF_A_NAME = 60
"""Characters that are shown of a name that is too long."""


@contextmanager
def _log_shown(shared: Globals) -> Iterator[None]:
    """Show our own log on stderr while the block runs, with -v.

    Each request is shown with the status of its answer, never with headers or body.
    """
    log = logging.getLogger("migrator")
    if not shared.verbose:
        yield
        return
    handler, before = _Stderr(), log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


class _Stderr(logging.Handler):
    """Log handler that writes to the current stderr.

    While a progress bar is shown, the bar stands in the place of stderr.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        voice.tell(printable(f"{record.levelname.lower()}: {record.getMessage()}"), err=True)


def _tell(name: str, shared: Globals, outcome: Outcome, *, status: str, crash: BaseException | None = None) -> int:
    if crash is not None and shared.verbose >= EXPLAIN_CRASHES:
        voice.tell("".join(traceback.format_exception(crash)), err=True, nl=False, can_wait=True)
    problems = [*outcome.problems, *voice.notices()]
    envelope = {
        "result_version": 1,
        "command": name,
        "status": status,
        "exit_code": int(outcome.exit_code),
        "data": {**outcome.data, **({"base_urls": used} if (used := used_addresses()) else {})},
        "errors": [problem.as_dict() for problem in problems],
    }
    if outcome.is_on_stdout:
        pass
    elif shared.events:
        _put(json_text({"event": "result", **envelope}))
    elif shared.json:
        _put(json_text(envelope, indent=2))
    else:
        _print(outcome.text)
    _print_problems(outcome.problems, shared)
    return int(outcome.exit_code)


def _print(parts: Sequence["RenderableType"]) -> None:
    if not parts:
        return
    from rich.console import Console

    is_terminal = voice.is_terminal(err=False)
    width = Console().width if is_terminal else PIPE_WIDTH
    for part in parts:
        lines = io.StringIO()  # rich itself ends the process where stdout is a closed pipe
        console = Console(file=lines, width=width, highlight=False, force_terminal=is_terminal)
        if isinstance(part, str):
            text = wrapped(printable(part), width) if is_terminal else printable(part)
            console.print(text, markup=False, soft_wrap=True)
        else:
            console.print(part)
        _put(lines.getvalue(), nl=False)


def _put(text: str, *, nl: bool = True) -> None:
    """Write a result to stdout.

    Raises: BrokenPipeError, where nothing but the result is lost with it.
    """
    if voice.is_lasting():
        voice.tell(text, err=False, nl=nl, can_wait=True)
    else:
        click.echo(text, nl=nl)


MOST_PROBLEMS = 51
"""Most problems on the screen: a headline and fifty."""


def _print_problems(problems: Sequence[Problem], shared: Globals) -> None:
    shown = problems[:MOST_PROBLEMS]
    for problem, following in zip_longest(shown, shown[1:]):
        say(f"{_PREFIX.get(problem.code, 'error')}: {problem.message}")
        if problem.hint and (following is None or problem.hint != following.hint):  # once for all of a kind
            say(problem.hint, "  ")
    if len(problems) > MOST_PROBLEMS:
        more = "" if shared.json else "; --json lists all"
        say(f"... and {len(problems) - MOST_PROBLEMS} more{more}")


def say(text: str, indent: str = "") -> None:
    """Write a line to stderr.

    At a terminal, long lines are broken between words.
    """
    shown = printable(text)
    width = shutil.get_terminal_size().columns if voice.is_terminal(err=True) else None
    voice.tell(f"{indent}{shown}" if width is None else wrapped(shown, width, indent), err=True, can_wait=True)


def warned(words: str) -> None:
    """Write a warning to stderr at once."""
    say(f"warning: {words}")


_PREFIX = {"interrupted": "stopped", **{word: word for word in ("attention", "stopped", "waits", "warning")}}


def unused_columns(titles: Sequence[str]) -> list[Problem]:
    """Return a warning of columns that a file has for nothing."""
    return [Problem("warning", f"columns not used: {', '.join(titles[:MOST_TITLES])}")] if titles else []


MOST_TITLES = 10


def new_sims_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument FILE of new SIMs, with its options."""
    column = click.option(
        "--column",
        "columns",
        metavar="FIELD=TITLE",
        multiple=True,
        help="Which column of a table holds iccid, first, last or quantity.",
    )
    range_mode = click.option(
        "--range",
        "range_mode",
        type=click.Choice(["plain", "body"]),
        help="How to count ranges: all digits as one number, or without the check digit (which is then computed).",
    )
    return click.argument("file", type=click.Path(path_type=Path))(range_mode(column(command)))
