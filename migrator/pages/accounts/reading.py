"""Reader of the register, in a thread of its own."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from migrator.core.accounts.overview import Overview
from migrator.core.accounts.records import Account
from migrator.errors import MigratorError
from migrator.store.register import Register
from migrator.workflows.fleet.overview import read_overview

__all__ = ["RegisterReader"]

T = TypeVar("T")
LEAST_REST_S = 2.0
REST_SHARE = 20
"""Rest of an overview, in times of what it took: 5 %."""


class RegisterReader:
    """Thread that reads the accounts of a database.

    A connection that broke is replaced by the next question.

    Args:
        url: of the database.
        clock: seconds that only grow.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._clock = url, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="register")
        self._register: Register | None = None
        self._kept: tuple[Overview, float] | None = None

    async def overview(self) -> Overview:
        """Return all accounts as they are, or were a few seconds ago.

        Raises: MigratorError, where the register cannot be read.
        """
        return await asyncio.wrap_future(self._thread.submit(self._fresh))

    async def account(self, name: str) -> Account:
        """Return an account.

        Raises: MigratorError, also where it is not registered.
        """
        return await asyncio.wrap_future(self._thread.submit(lambda: self._asked(lambda it: it.account(name))))

    def close(self) -> None:
        """Give the connection back, after the question at hand."""
        self._thread.submit(self._let_go)
        self._thread.shutdown()

    def _fresh(self) -> Overview:
        began = self._clock()
        if self._kept is not None and began < self._kept[1]:
            return self._kept[0]
        found = self._asked(read_overview)
        now = self._clock()
        self._kept = found, now + max(LEAST_REST_S, REST_SHARE * (now - began))
        return found

    def _asked(self, question: Callable[[Register], T]) -> T:
        try:
            if self._register is None:
                self._register = Register.open(self._url, writable=False)
            return question(self._register)
        except MigratorError:
            self._let_go()
            raise

    def _let_go(self) -> None:
        register, self._register = self._register, None
        if register is not None:
            register.close()
