"""Parallel work: several requests in flight."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

from migrator.errors import Interrupted, MigratorError

__all__ = ["several"]

T = TypeVar("T")


async def several(todo: Iterable[T], act: Callable[[T], Awaitable[None]], *, workers: int) -> None:
    """Act on each item, `workers` at a time, in no certain order.

    Raises: the first error or order to stop. Nothing is begun after it, and what was in flight has ended.
    """
    rest = iter(todo)
    troubles: list[MigratorError | Interrupted] = []

    async def worker() -> None:
        for one in rest:
            try:
                await act(one)
            except (MigratorError, Interrupted) as error:
                troubles.append(error)
            if troubles:
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(workers):
            tasks.start_soon(worker)
    if troubles:
        raise troubles[0]
