"""Answers that take long: kept, and made anew beside the pages.

An answer is made anew once the store changed, and rests for many times as long as it took. So a run beside it, whose
claims wait until nobody reads what was before them, is hardly slowed.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from migrator.pages.reading import Seen, StoreReader
from migrator.store import Store

__all__ = ["Kept"]

T = TypeVar("T")
LEAST_REST_S = 2.0
REST_SHARE = 40
"""Rest of an answer, in times of what it took: 2.5 %."""
LONGEST_REST_S = 300.0
"""Seconds after which an answer is made anew in any case.

Ages grow although nothing is written.
"""


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """Answer with the state of the store that it is of.

    Times are on the clock of `Kept`: when it was made, when it was last found to hold, and what it took.
    """

    value: T
    seen: Seen
    made_at: float
    held_at: float
    took_s: float


class Kept(Generic[T]):
    """Answer to one question, as fresh as the store can bear.

    Args:
        reader: answers it; not one that pages wait for.
        question: what takes long.
        clock: seconds that only grow.
    """

    def __init__(
        self, reader: StoreReader, question: Callable[[Store], T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader, self._question, self._clock = reader, question, clock
        self._answer: _Answer[T] | None = None
        self._making: asyncio.Task[_Answer[T]] | None = None

    @property
    def last(self) -> T | None:
        """Answer as it was kept last, or None."""
        return None if self._answer is None else self._answer.value

    def forget(self) -> None:
        """Forget the answer: it may be of another store."""
        self._answer = None

    async def value(self) -> T:
        """Return the kept answer; wait only where there is none.

        Raises: MigratorError, where there is none and the store cannot be read.
        """
        if self._making is None and (self._answer is None or self._has_rested(self._answer)):
            self._making = asyncio.create_task(self._made(self._answer))
            self._making.add_done_callback(self._keep)
        if self._answer is not None:
            return self._answer.value
        if self._making is None:
            raise AssertionError("an answer is there, or is being made")
        return (await asyncio.shield(self._making)).value

    async def within(self, seconds: float) -> T | None:
        """Return the kept answer, or None where making it takes longer.

        It is made on all the same, for the next who asks.

        Raises: as `value`.
        """
        try:
            return await asyncio.wait_for(self.value(), seconds)
        except TimeoutError:
            return None

    def _has_rested(self, answer: _Answer[T]) -> bool:
        return self._clock() - answer.held_at >= max(LEAST_REST_S, REST_SHARE * answer.took_s)

    async def _made(self, before: _Answer[T] | None) -> _Answer[T]:
        began_at = self._clock()
        is_young = before is not None and began_at - before.made_at < LONGEST_REST_S
        took_s = 0.0

        def timed(store: Store) -> T:
            nonlocal took_s
            begun = self._clock()
            value = self._question(store)
            took_s = self._clock() - begun
            return value

        told = await self._reader.ask_anew(timed, before.seen if before is not None and is_young else None)
        now = self._clock()
        if told is None and before is not None:
            return _Answer(before.value, before.seen, before.made_at, now, 0.0)
        if told is None:
            raise AssertionError("without a state that was seen, there is always an answer")
        return _Answer(told[0], told[1], now, now, took_s)

    def _keep(self, task: "asyncio.Task[_Answer[T]]") -> None:
        """Keep what was made.

        An error is told to who waits, and else by the next page itself.
        """
        self._making = None
        failed = task.cancelled() or task.exception() is not None
        self._answer = None if failed else task.result()
