"""Output while work goes on.

No reader, and no missing reader, ever stops the work. A stream that breaks (a closed pipe, a full disk) is reported
once, on the other stream, and then left. Lines are left out of a stream that nobody reads, after a moment of
patience.
"""

import json
import os
import select
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import click

from migrator.errors import Problem

__all__ = ["Unbreakable", "begin", "is_lasting", "is_terminal", "is_tty", "last", "notices", "tell", "tell_of_loss"]

PATIENCE_S = 5.0
"""Seconds to wait, the first time, for an idle reader.

A run that waits sends no limits either.
"""


@dataclass(slots=True)
class _Voice:
    """Output state of one command, and of its two streams.

    Args:
        is_json: whether stdout is one document, so that nothing else may go there.
        is_events: whether stdout is NDJSON.
    """

    is_json: bool = False
    is_events: bool = False
    is_lasting: bool = False
    lost: set[bool] = field(default_factory=set)
    left_out: dict[bool, int] = field(default_factory=dict)
    notices: list[Problem] = field(default_factory=list)


_VOICES = [_Voice()]


def begin(*, is_json: bool, is_events: bool) -> None:
    """Start the output of a command, with both streams taken as whole."""
    _VOICES[0] = _Voice(is_json=is_json, is_events=is_events)


def last() -> None:
    """Note that work begins which must come to its own end.

    The work ends with its own exit code, whoever reads the output.
    """
    _VOICES[0].is_lasting = True


def is_lasting() -> bool:
    """True if no reader can change this command's end."""
    return _VOICES[0].is_lasting


def notices() -> list[Problem]:
    """Return notices that only fit into the JSON document."""
    return _VOICES[0].notices


def is_terminal(*, err: bool) -> bool:
    """True if a stream is there, and is a terminal."""
    return is_tty(_stream(err=err))


def is_tty(stream: Any) -> bool:
    """True for a stream that is open, and is a terminal.

    None stands for a stream that is not there.
    """
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:  # closed
        return False


def tell(text: str, *, err: bool, nl: bool = True, can_wait: bool = False) -> None:
    """Write a text to a stream; no failure stops the work.

    Args:
        text: the words.
        err: whether to say it on stderr.
        nl: whether the line ends there.
        can_wait: whether there is nothing more to do, so that a reader may take all the time they like.
    """
    if not can_wait and not _has_room(err=err):
        return
    try:
        _say_what_was_left_out(err=err)
        _write(text, err=err, nl=nl)
    except (OSError, ValueError) as error:
        tell_of_loss(error, err=err)


def tell_of_loss(error: Exception, *, err: bool) -> None:
    """Report a broken stream once on the other stream, and leave it."""
    voice = _VOICES[0]
    if err in voice.lost:
        return
    voice.lost.add(err)
    _lead_nowhere(_stream(err=err))
    name, reason = "stderr" if err else "stdout", getattr(error, "strerror", None) or str(error)
    words = f"{name} cannot be written any more ({reason}): nothing more is told there, and the work goes on"
    if not err:
        tell(f"warning: {words}", err=True)
    elif voice.is_events:
        tell(json.dumps({"event": "stream_lost", "stream": name, "message": words}), err=False)
    elif voice.is_json:
        voice.notices.append(Problem("stream_lost", words, "`migrator status` tells where a plan stands"))
    else:
        tell(f"warning: {words}", err=False)


class Unbreakable:
    """Stand-in for stderr that never fails, for a progress bar.

    A progress bar writes from its own thread.
    """

    def __init__(self) -> None:
        self._inner: Any = sys.stderr

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, text: str) -> int:
        """Write the text, or leave it out."""
        if _has_room(err=True):
            try:
                self._inner.write(text)
            except (OSError, ValueError) as error:
                tell_of_loss(error, err=True)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or report its loss."""
        try:
            self._inner.flush()
        except (OSError, ValueError) as error:
            tell_of_loss(error, err=True)


def _stream(*, err: bool) -> Any:
    return sys.stderr if err else sys.stdout


def _write(text: str, *, err: bool, nl: bool) -> None:
    """Write a text to a stream itself.

    A progress bar stands in for the stream meanwhile, and lets the text pass above it.
    """
    stream = _stream(err=err)
    if stream is None:
        return
    try:
        click.echo(text, file=stream, nl=nl)
    except UnicodeEncodeError as error:  # letters that this stream has not
        click.echo(text.encode(error.encoding, "backslashreplace").decode(error.encoding), file=stream, nl=nl)


def _has_room(*, err: bool) -> bool:
    """True if a line can be written without waiting for the reader.

    A slow reader is waited for once, for a moment.
    """
    voice = _VOICES[0]
    if err in voice.lost:
        return False
    patience_s = 0.0 if err in voice.left_out else PATIENCE_S
    if _is_writable(_stream(err=err), patience_s):
        return True
    voice.left_out[err] = voice.left_out.get(err, 0) + 1
    return False


def _is_writable(stream: Any, patience_s: float) -> bool:
    """True if a stream takes a line now.

    Also true for a stream that cannot be asked: files, and systems without `poll`.
    """
    if not hasattr(select, "poll"):
        return True
    try:
        asked = select.poll()
        asked.register(stream.fileno(), select.POLLOUT)
        return bool(asked.poll(patience_s * 1000))
    except (OSError, ValueError, AttributeError):
        return True


def _say_what_was_left_out(*, err: bool) -> None:
    voice = _VOICES[0]
    lines = voice.left_out.pop(err, 0)
    if not lines:
        return
    if voice.is_events and not err:
        _write(json.dumps({"event": "left_out", "lines": lines}), err=err, nl=True)
    else:
        _write(f"({lines} lines were left out here: nobody read them)", err=err, nl=True)


def _lead_nowhere(stream: Any) -> None:
    """Redirect a broken stream of this process to the null device.

    The rest of its buffer must not fail once more at the end.
    """
    with suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        if number in {1, 2}:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
