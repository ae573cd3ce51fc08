"""Hold on a store's file for the length of a run.

The hold keeps out runs that use another name of the file, also while the holding run is stopped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.store import Owner, Store

__all__ = ["file_held"]

UNLOCKED = (
    "the system has no lock on files here (Windows, and some network drives): two runs by two names of this store, or "
    "on two machines, are not kept apart at once"
)


@contextmanager
def file_held(
    store: "Store", now: float, *, is_gone: Callable[["Owner"], bool], warn: Callable[[str], None]
) -> Iterator[None]:
    """Hold the store's file, if it has one, for a block.

    The operating system releases the file when the process ends, however it ends.

    Args:
        store: whose file.
        now: UTC seconds.
        is_gone: whether a holder of the lease is known to be dead.
        warn: called with words where there is no such lock.

    Raises: StoreBusy, if another run holds it; InputError, if it has several names.
    """
    from migrator.store.database.byte_lock import Locked

    if store.file is None:  # a database has one address, and the lease in it is enough
        yield
        return
    store.file.must_have_one_name()
    found = store.file.lock()
    if found is Locked.ELSEWHERE:
        raise store.lease.busy(now, is_gone=is_gone)
    if found is Locked.UNKNOWN:
        warn(UNLOCKED)
    try:
        yield
    finally:
        store.file.unlock()
