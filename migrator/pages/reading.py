"""Readers of the store, each in a thread of its own.

The store is opened for reading alone. A reader holds no transaction between two questions, so that nobody who writes
waits for it. The store may be replaced, upgraded or missing: each question finds out anew.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from migrator.errors import MigratorError
from migrator.store import Store

__all__ = ["Seen", "StoreReader"]

T = TypeVar("T")
Seen = tuple[int, int]
"""Number of the opening of a store, and its version then."""

BUSY_TIMEOUT_S = 1.0


class StoreReader:
    """Thread that answers questions about one store, one after the other.

    Args:
        url: of the store.
        account: the account in the store; None for a store of one.
    """

    def __init__(self, url: str, account: str | None = None) -> None:
        self._url, self._account = url, account
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._store: Store | None = None
        self._seen: Seen = (0, 0)
        self.waiting = 0
        """Questions that are not answered yet."""

    @property
    def openings(self) -> int:
        """Number of times that the store was opened.

        Each time another file may be in its place.
        """
        return self._seen[0]

    async def ask(self, question: Callable[[Store], T]) -> T:
        """Answer a question.

        Raises: MigratorError, where the store is missing, of another schema, or cannot be read; what `question` raises.
        """
        return await self._in_thread(lambda: question(self._opened()))

    async def ask_anew(self, question: Callable[[Store], T], seen: Seen | None) -> tuple[T, Seen] | None:
        """Answer a question, unless the store is as it was when `seen`.

        Returns: the answer with the state of the store; None if nothing was written since.
        Raises: as `ask`.
        """

        def answered() -> tuple[T, Seen] | None:
            store, now = self._opened(), self._seen
            return None if now == seen else (question(store), now)

        return await self._in_thread(answered)

    def close(self) -> None:
        """Give the file back, after the question at hand."""
        self._thread.submit(self._let_go)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def done() -> T:
            try:
                return work()
            except MigratorError:
                self._let_go()  # the next question opens it anew, and tells what is wrong with it
                raise

        self.waiting += 1
        try:
            return await asyncio.wrap_future(self._thread.submit(done))
        finally:
            self.waiting -= 1

    def _opened(self) -> Store:
        """Return the store, opened anew where another file has its place."""
        if self._store is not None and self._store.file is not None and self._store.file.what_became():
            self._let_go()
        if self._store is None:
            self._store = Store.look(self._url, busy_timeout_s=BUSY_TIMEOUT_S, account=self._account)
            self._seen = (self._seen[0] + 1, self._store.version())
        elif (version := self._store.version()) != self._seen[1]:
            self._store.must_be_current()
            self._seen = (self._seen[0], version)
        return self._store

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
