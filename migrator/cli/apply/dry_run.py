"""Output of `apply --dry-run`: the very requests that would go out.

They are listed wave by wave, in the order of their sending.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import click

from migrator.cli.app.common import Globals, Outcome, table
from migrator.cli.app.files import check_destination, is_stdout, unwritable
from migrator.core.fleet.spelling import json_text
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.files import text_beside
from migrator.ports import Progress, Request

__all__ = ["Unsent", "dry_outcome", "outbox", "refuse_requests"]

SHOWN, SHOWN_TEXT = 40, 60
BEFORE = "before the waves"
"""Name of the part before the first wave.

A tag that must be made counts here, and what is left to set on SIMs of an earlier run.
"""


@dataclass(slots=True)
class Unsent:
    """List of the requests that a dry run does not send.

    Of a long run, only the first requests are kept.

    Args:
        keep_all: whether every request is wanted at the end.
        write: called with each request as a line of JSON; None for nobody.
    """

    keep_all: bool
    write: Callable[[str], object] | None = None
    kept: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    total: int = 0
    wave: str = BEFORE

    def append(self, request: Request) -> None:
        """Take the next request."""
        self.total += 1
        told = {"number": self.total, "wave": self.wave, **asdict(request)}
        self.counts[self.wave, request.method, _kind(request.path)] += 1
        if self.keep_all or len(self.kept) < SHOWN:
            self.kept.append(told)
        if self.write is not None:
            self.write(json_text(told) + "\n")

    def watching(self, progress: Progress) -> Progress:
        """Wrap `progress`, to learn the wave of the next requests."""

        def tell(event: str, values: Mapping[str, Any]) -> None:
            if event == "wave":
                self.wave = str(values["wave"])
            progress(event, values)

        return tell


@contextmanager
def outbox(requests: Path | None, *, keep_all: bool) -> Iterator[Unsent]:
    """Yield an outbox that also writes every request into a file.

    The file is written whole or not at all; `-` is stdout.

    Raises: InputError, if the file cannot be written.
    """
    if requests is None:
        yield Unsent(keep_all)
    elif is_stdout(requests):
        yield Unsent(keep_all, lambda line: click.echo(line, nl=False))
    else:
        try:
            with text_beside(requests) as out:
                yield Unsent(keep_all, out.write)
        except OSError as error:
            raise unwritable(requests, error.strerror or str(error)) from error


class Ended(Protocol):
    """End of a dry run."""

    @property
    def exit_code(self) -> ExitCode:
        """Exit code that the true run would have."""
        ...

    @property
    def reason(self) -> str:
        """Reason why it would stop, in words."""
        ...

    @property
    def hint(self) -> str:
        """Words on how to go on."""
        ...


def refuse_requests(
    shared: Globals, requests: Path, *, is_dry_run: bool, hint: str = "`migrator jobs list` shows what was sent"
) -> None:
    """Refuse a `--requests` that cannot be written.

    Raises: InputError, without `--dry-run`, or if a file can't be written there.
    """
    if not is_dry_run:
        raise InputError("--requests goes with --dry-run", code="usage", hint=hint)
    check_destination(shared, requests)


def dry_outcome(
    plan_id: str, result: Ended, sent: Unsent, requests: Path | None, *, named: str = "plan_id", note: str = ""
) -> Outcome:
    """Return the outcome of a dry run, with its requests.

    `named` is the name of the plan's id in JSON. `note` is a line about the requests.
    """
    data = {
        named: plan_id,
        "writes": sent.total,
        "by_wave": _by_wave(sent),
        "requests": sent.kept if sent.keep_all else [],
        "would_end": result.reason,
    }
    is_on_stdout = is_stdout(requests)
    text = list(_text(plan_id, sent, requests, note))
    if result.exit_code is ExitCode.DONE:
        return Outcome(data, text, is_on_stdout=is_on_stdout)
    problem = Problem("attention", f"it would end so: {result.reason}", result.hint)
    return Outcome(data, text, result.exit_code, (problem,), is_on_stdout)


def _by_wave(sent: Unsent) -> list[dict[str, Any]]:
    """Count the requests of each wave and kind.

    The kinds stand in the order in which they first come.
    """
    return [
        {"wave": wave, "method": method, "path": path, "requests": count}
        for (wave, method, path), count in sent.counts.items()
    ]


def _text(plan_id: str, sent: Unsent, requests: Path | None, note: str) -> Iterator[Any]:
    yield (
        f"Dry run of plan {plan_id}: {counted(sent.total, 'write')} would go out; none did, and nothing was "
        "changed. The connection it ran on lets no write through."
    )
    rows = [(wave, method, path, count) for (wave, method, path), count in sent.counts.items()]
    yield table("By wave", ("wave", "method", "path", "requests"), rows)
    shown = sent.kept[:SHOWN]
    yield table(
        "In order",
        ("", "wave", "method", "path", "body"),
        [(one["number"], one["wave"], one["method"], one["path"], _brief(one["body"])) for one in shown],
    )
    if note:
        yield note
    if sent.total > SHOWN and requests is None:
        yield f"... and {sent.total - SHOWN} more; --json lists all, --requests FILE writes them."
    if requests is not None:
        yield f"All of them are in {requests}."


def _kind(path: str) -> str:
    """Return a path without its query, with {id} for its numbers.

    Requests are counted by this text.
    """
    parts = path.partition("?")[0].split("/")
    return "/".join("{id}" if part.lstrip("-").isdigit() else part for part in parts)


def _brief(body: Any) -> str:
    """Return a body on one line, with long lists cut short."""
    if isinstance(body, list):
        return f"[{_brief(body[0])}, ... {len(body)} in all]"
    parts = []
    for key, value in body.items():
        if isinstance(value, list) and len(value) > 1:
            parts.append(f"{key}=[{value[0]}, ... {len(value)} in all]")
        else:
            text = str(value)
            parts.append(f"{key}={text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + '…'}")
    return ", ".join(parts)
