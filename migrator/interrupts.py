"""Ctrl-C and SIGTERM between two transactions of the store.

An exception in the middle of a statement breaks the session, and then nothing could be put in order any more. So
KeyboardInterrupt is raised once the transaction under way is over.
"""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["heed_signals", "signals_kept", "undisturbed"]

_DEFAULTS: Mapping[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
_main = threading.main_thread().ident


class _State:
    depth = 0  # blocks of the main thread that are under way
    is_due = False  # a signal came within them


def heed_signals() -> None:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt in the main thread.

    A second one raises it at once. Signals that were ignored or taken by somebody else stay as they are.
    """
    for number, default in _DEFAULTS.items():
        if signal.getsignal(number) is default:
            signal.signal(number, _raise)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put the handlers back after a block.

    An event loop leaves the system's own.
    """
    before = {number: signal.getsignal(number) for number in _DEFAULTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no signal raise anything within a block.

    Raises: KeyboardInterrupt after it, if one came.
    """
    if threading.get_ident() != _main:  # the signals are the main thread's
        yield
        return
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        if _State.is_due and not _State.depth:
            _State.is_due = False
            raise KeyboardInterrupt


def _raise(_number: int, _frame: FrameType | None) -> None:
    if _State.depth and not _State.is_due:
        _State.is_due = True
        return
    raise KeyboardInterrupt
