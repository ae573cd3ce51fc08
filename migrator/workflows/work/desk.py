"""Register and queue, as a worker asks them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import to_thread

from migrator.errors import StoreBusy, StoreLost
from migrator.ports import JobQueue
from migrator.store.register import Register

__all__ = ["Desk"]

T = TypeVar("T")
AGAIN_S, LONGEST_S = 1.0, 15.0
"""Seconds until the next try, at first and at most."""

LAST_S = 30.0
"""Most seconds for tries once the worker is told to stop."""


@dataclass(slots=True)
class Desk:
    """Register and queue, asked by one at a time.

    The calls wait for the server, so they are made in a thread: the worker goes on meanwhile. A session that broke is
    replaced at the next call.

    Args:
        open_register: opens a session on the register.
        queue: opens its own session anew where needed.
        stop: set once the worker is told to stop.
        tell: called with words where the database is away, and when it is back.
    """

    open_register: Callable[[], Register]
    queue: JobQueue
    stop: anyio.Event
    tell: Callable[[str], None]
    _register: Register | None = field(default=None, init=False)
    _lock: anyio.Lock = field(default_factory=anyio.Lock, init=False)
    _is_away: bool = field(default=False, init=False)

    async def ask(self, call: Callable[[Register], T]) -> T:
        """Make one call.

        Raises: StoreLost, StoreBusy, other errors of a store; InputError.
        """
        async with self._lock:
            return await to_thread.run_sync(self._asked, call)

    async def ask_until_heard(self, call: Callable[[Register], T]) -> T | None:
        """Make a call again and again until the database answers.

        Returns: its answer; None if there was none for a while after the worker was told to stop.

        Raises: as `ask`, but for a database that is away or busy.
        """
        pause_s, left_s = AGAIN_S, LAST_S
        while True:
            try:
                found = await self.ask(call)
            except (StoreLost, StoreBusy) as error:
                if not self._is_away:
                    self.tell(f"{error.message}; trying again")
                self._is_away = True
            else:
                if self._is_away:
                    self.tell("the database answers again")
                self._is_away = False
                return found
            if self.stop.is_set():
                pause_s = AGAIN_S
                left_s -= pause_s
            if left_s < 0:
                return None
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_S)

    def close(self) -> None:
        """End the session on the register."""
        if self._register is not None:
            self._register.close()
            self._register = None

    def _asked(self, call: Callable[[Register], T]) -> T:
        if self._register is None:
            self._register = self.open_register()
        try:
            return call(self._register)
        except StoreLost:
            self.close()
            raise
