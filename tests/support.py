"""Small helpers that many tests share."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
import trio.testing

__all__ = ["run_virtual"]

T = TypeVar("T")


def run_virtual(function: Callable[[], Awaitable[T]]) -> T:
    """Run `function` on a clock that jumps to the next wake-up: a day of waiting takes milliseconds."""
    return trio.run(function, clock=trio.testing.MockClock(autojump_threshold=0))
